"""SRTP in calls that stand: holds, new keys, transfers, and what may become plain."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from b2bua.calls.sessions.media_way import MediaWay
from b2bua.calls.sessions.negotiation import Negotiation
from b2bua.media.leg import LegKeeper, MediaLeg
from b2bua.media.to_worker import Bridge, SetRemote
from sip.address import HostPort
from sip.events import InviteAnswered, InviteOffered, ReinviteReceived, RequestCompleted
from sip.sdes import Crypto, fresh
from sip.secure_media import Srtp, SrtpRequired
from tests.unit.b2bua.calls.call_rig import House, open_house
from tests.unit.b2bua.calls.fake_plane import RecordingPlane
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B
from tests.unit.b2bua.calls.srtp_rig import (
    CM_80,
    GCM,
    WITHOUT_TLS,
    answer,
    assert_keys,
    keys,
    own,
    said,
    secure,
    version,
)
from tests.unit.b2bua.calls.transfers import refer
from tests.unit.b2bua.calls.virtual_time import virtual


async def secured(house: House) -> tuple[Phone, Phone, tuple[Crypto, Crypto], bytes]:
    """Let a call stand with SRTP to Bob, who is not Alice; his lines, and what he was offered."""
    alice, bob = house.phone("102"), house.phone("103")
    alice.dial("103")
    offered = await bob.take(InviteOffered)
    lines = await answer(bob, offered)
    await alice.take(InviteAnswered)
    await asyncio.sleep(0.01)
    return alice, bob, lines, offered.request.body


@virtual
async def test_a_hold_of_the_other_side_keeps_keys_and_tags(tmp_path: Path) -> None:
    people = own("102"), own("103", Srtp.REQUIRED)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob, (ours, theirs), before = await secured(house)
        for turn, direction in ((2, "sendonly"), (3, "sendrecv")):
            alice.reinvite(sdp(alice.host, direction=direction, version=turn))
            event = await bob.take(ReinviteReceived)
            body = event.request.body
            assert said(body) == ("RTP/SAVP", {ours.tag: ours})
            assert version(body) > version(before)
            before = body
            bob.accept(event, body=secure(bob.host, theirs, version=turn))
            await alice.take(RequestCompleted)
            assert_keys(keys(house, B), ours, theirs)
        assert len(house.remotes(B)) == 1
        await house.hang_up(alice, bob)


@virtual
async def test_what_is_plain_stays_plain_until_the_phone_asks(tmp_path: Path) -> None:
    people = own("102", Srtp.OPTIONAL), own("103", Srtp.OPTIONAL)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        bob.answer(await bob.take(InviteOffered))
        await alice.take(InviteAnswered)
        await asyncio.sleep(0.01)
        for phone, other in ((alice, bob), (bob, alice)):
            phone.reinvite(sdp(phone.host, direction="sendonly", version=2))
            event = await other.take(ReinviteReceived)
            assert said(event.request.body) == ("RTP/AVP", {})
            other.accept(event, body=sdp(other.host, direction="recvonly", version=2))
            await phone.take(RequestCompleted)
        assert (keys(house, A), keys(house, B)) == (None, None)
        await house.hang_up(alice, bob)


@virtual
async def test_a_new_key_of_a_phone_and_a_refresh(tmp_path: Path) -> None:
    people = own("102"), own("103", Srtp.REQUIRED)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob, (ours, _), _ = await secured(house)
        new = [fresh(5, GCM), fresh(6, CM_80)]
        offer = secure(bob.host, *new, version=2)
        bob.reinvite(offer)
        alice.accept(await alice.take(ReinviteReceived))
        told = said((await bob.response()).body)
        # The suite stays, and with it our key: its counter goes on.
        assert told == ("RTP/SAVP", {6: replace(ours, tag=6)})
        assert_keys(keys(house, B), ours, new[1])
        remotes = len(house.remotes(B))
        bob.reinvite(offer)
        assert said((await bob.response()).body) == told
        assert len(house.remotes(B)) == remotes
        assert alice.untold == []
        bob.reinvite(secure(bob.host, new[0], version=3))
        alice.accept(await alice.take(ReinviteReceived))
        _, lines = said((await bob.response()).body)
        assert_keys(keys(house, B), lines[5], new[0])
        assert lines[5].suite == GCM
        await house.hang_up(alice, bob)


@pytest.mark.parametrize(("srtp", "code"), [(Srtp.REQUIRED, 488), (Srtp.OPTIONAL, 200)])
@virtual
async def test_a_call_becomes_plain_only_where_it_may(
    tmp_path: Path, srtp: Srtp, code: int
) -> None:
    async with open_house(tmp_path, own("102"), own("103", srtp), toml=WITHOUT_TLS) as house:
        alice, bob, lines, _ = await secured(house)
        bob.reinvite(sdp(bob.host, version=2))
        if code == 200:
            alice.accept(await alice.take(ReinviteReceived))
        assert (await bob.take(RequestCompleted)).code == code
        if code == 200:
            assert keys(house, B) is None
        else:
            assert_keys(keys(house, B), *lines)
        await house.hang_up(alice, bob)


# --- at another media worker, or with somebody else


@virtual
async def test_a_transferred_party_keeps_its_keys(tmp_path: Path) -> None:
    people = own("102", Srtp.REQUIRED), own("103"), own("104", Srtp.REQUIRED)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob, carol = (house.phone(each) for each in ("102", "103", "104"))
        mine = fresh(1, CM_80)
        alice.dial("103", secure(alice.host, mine))
        bob.answer(await bob.take(InviteOffered))
        answered = await alice.take(InviteAnswered)
        _, told = said(answered.response.body)
        await asyncio.sleep(0.01)
        assert await refer(house, bob, "<sip:104@192.0.2.100>") == 202
        offered = await carol.take(InviteOffered)
        to_carol, from_carol = await answer(carol, offered)
        await asyncio.sleep(1)
        last = house.plane.of(Bridge)[-1]
        assert {last.leg_a, last.leg_b} == {A, 3}
        assert_keys(keys(house, A), told[1], mine)
        assert_keys(keys(house, 3), to_carol, from_carol)
        # And is offered them again by whoever is there now.
        carol.reinvite(secure(carol.host, from_carol, direction="sendonly", version=2))
        event = await alice.take(ReinviteReceived)
        assert said(event.request.body) == ("RTP/SAVP", {1: told[1]})
        alice.accept(event, body=secure(alice.host, mine, direction="recvonly", version=2))
        await carol.take(RequestCompleted)
        assert_keys(keys(house, A), told[1], mine)
        await house.hang_up(alice, carol, calls=2)


def test_a_leg_elsewhere_begins_with_a_new_key_of_ours() -> None:
    plane = RecordingPlane()
    legs = [
        MediaLeg(cast("LegKeeper", plane), number, 0, 1, HostPort("127.0.0.1", 20_000 + number))
        for number in (2, 4)
    ]
    side = Negotiation(legs[0])
    side.meet(MediaWay("192.0.2.100", srtp=Srtp.REQUIRED))
    _, lines = said(side.offer_alone())
    mine = fresh(min(lines), lines[min(lines)].suite)
    side.take_answer(secure("192.0.2.1", mine))
    moved = side.moved_to(legs[1])
    offer = moved.offer_again()
    profile, again = said(offer)
    assert (profile, list(again)) == ("RTP/SAVP", [mine.tag])
    assert again[mine.tag].inline != lines[mine.tag].inline
    moved.take_answer(secure("192.0.2.1", mine, version=2))
    told = [each.srtp for each in plane.sent if isinstance(each, SetRemote)]
    assert_keys(told[0], lines[mine.tag], mine)
    assert_keys(told[1], again[mine.tag], mine)
    # What may not be plain may not become it.
    with pytest.raises(SrtpRequired):
        moved.answer_alone(sdp("192.0.2.1", version=3))
    assert len(plane.sent) == 2
