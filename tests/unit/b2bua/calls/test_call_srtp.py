"""SRTP in whole calls: who is offered what, who is refused, and which keys the worker gets."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from b2bua.calls.media_way import MediaWay
from b2bua.calls.negotiation import Negotiation
from b2bua.directory import Extension
from b2bua.media.leg import LegKeeper, MediaLeg
from b2bua.media.to_worker import Bridge, SetRemote, SrtpKeys
from rtp import srtp as rtp_srtp
from sip import sdes
from sip.address import HostPort
from sip.events import (
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    InviteProgressed,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.sdes import Crypto, fresh
from sip.sdp import SessionDescription
from sip.secure_media import Srtp, SrtpRequired
from tests.unit.b2bua.calls.call_rig import DID, TRUNK_HOST, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B
from tests.unit.b2bua.calls.test_bridge import RecordingPlane
from tests.unit.b2bua.calls.transfers import refer
from tests.unit.b2bua.calls.virtual_time import virtual

CM_80, CM_32, GCM = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_256_GCM"

WITHOUT_TLS = "[media]\nsrtp_without_tls = true\nmax_transcoded = 0\n"


def own(number: str, srtp: Srtp | None = None, mode: str = "off") -> Extension:
    return replace(extension(number, mode), srtp=srtp)


def secure(
    host: str, *keys: Crypto, profile: str = "RTP/SAVP", version: int = 1, direction: str = ""
) -> bytes:
    """A description with keys."""
    lines = "".join(f"a=crypto:{each}\r\n" for each in keys)
    plain = sdp(host, version=version, direction=direction or "sendrecv").decode()
    return (plain.replace("RTP/AVP", profile) + lines).encode()


def said(body: bytes) -> tuple[str, dict[int, Crypto]]:
    """Profile and keys of a description."""
    media = SessionDescription.parse(body).media[0]
    return media.profile, {each.tag: each for each in sdes.read(media.values("crypto"))}


def version(body: bytes) -> int:
    return SessionDescription.parse(body).origin.version


def keys(house: House, leg: int) -> SrtpKeys | None:
    """What the worker was told last of a leg."""
    return [m.srtp for m in house.plane.of(SetRemote) if m.leg_id == leg][-1]


def assert_keys(found: SrtpKeys | None, ours: Crypto, theirs: Crypto) -> None:
    assert found is not None
    assert (found.ours.suite, found.ours.key) == (ours.suite, ours.inline.key)
    assert (found.theirs.suite, found.theirs.key) == (theirs.suite, theirs.inline.key)


async def answer(phone: Phone, offered: InviteOffered, suite: str = CM_80) -> tuple[Crypto, Crypto]:
    """Answer an offer with SRTP; returns the server's line and the phone's."""
    profile, lines = said(offered.request.body)
    theirs = next(each for each in lines.values() if each.suite == suite)
    mine = fresh(theirs.tag, suite)
    phone.answer(offered, secure(phone.host, mine, profile=profile))
    return theirs, mine


@virtual
async def test_both_sides_have_keys_of_their_own(tmp_path: Path) -> None:
    people = own("102", Srtp.REQUIRED), own("103", Srtp.OPTIONAL)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        weak, strong = fresh(1, CM_32), fresh(7, CM_80)
        alice.dial("103", secure(alice.host, weak, strong))
        offered = await bob.take(InviteOffered)
        profile, lines = said(offered.request.body)
        assert (profile, {each.suite for each in lines.values()}) == (
            "RTP/SAVP",
            set(sdes.OFFERED),
        )
        to_bob, from_bob = await answer(bob, offered, GCM)
        answered = await alice.take(InviteAnswered)
        profile, told = said(answered.response.body)
        assert (profile, list(told)) == ("RTP/SAVP", [7])
        assert_keys(keys(house, A), told[7], strong)
        assert_keys(keys(house, B), to_bob, from_bob)
        secrets = [strong, told[7], to_bob, from_bob]
        assert len({each.inline.key for each in secrets}) == 4
        await house.hang_up(alice, bob)


@virtual
async def test_best_effort_is_answered_as_it_was_spelt(tmp_path: Path) -> None:
    people = own("102", Srtp.OPTIONAL), own("103")
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        mine = fresh(1, CM_80)
        alice.dial("103", secure(alice.host, mine, profile="RTP/AVP"))
        offered = await bob.take(InviteOffered)
        assert said(offered.request.body) == ("RTP/AVP", {})
        bob.answer(offered)
        answered = await alice.take(InviteAnswered)
        profile, told = said(answered.response.body)
        assert (profile, list(told)) == ("RTP/AVP", [1])
        assert_keys(keys(house, A), told[1], mine)
        assert keys(house, B) is None
        await house.hang_up(alice, bob)


@pytest.mark.parametrize("code", [488, 415, 606])
@virtual
async def test_a_phone_that_need_not_is_offered_plain_rtp_when_it_refuses(
    tmp_path: Path, code: int
) -> None:
    people = own("102"), own("103", Srtp.OPTIONAL)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        assert said(offered.request.body)[0] == "RTP/SAVP"
        bob.reject(offered, code)
        offered = await bob.take(InviteOffered)
        assert said(offered.request.body) == ("RTP/AVP", {})
        bob.answer(offered)
        await alice.take(InviteAnswered)
        await asyncio.sleep(0.01)
        assert house.joined
        assert (keys(house, A), keys(house, B)) == (None, None)
        # And it may come back to SRTP, since that is wanted of it.
        mine = fresh(3, CM_80)
        request = bob.reinvite(secure(bob.host, mine, version=2))
        alice.accept(await alice.take(ReinviteReceived))
        completed = await bob.take(RequestCompleted)
        assert (completed.request_id, completed.code) == (request, 200)
        assert completed.response is not None
        profile, told = said(completed.response.body)
        assert profile == "RTP/SAVP"
        assert_keys(keys(house, B), told[3], mine)
        await house.hang_up(alice, bob)


@virtual
async def test_a_phone_that_repeats_the_profile_without_a_key_gets_plain_rtp(
    tmp_path: Path,
) -> None:
    people = own("102"), own("103", Srtp.OPTIONAL)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        bob.answer(await bob.take(InviteOffered), secure(bob.host))
        await alice.take(InviteAnswered)
        assert keys(house, B) is None
        await house.hang_up(alice, bob)


@pytest.mark.parametrize("code", [488, 200])
@virtual
async def test_where_it_is_required_a_phone_without_it_gets_no_call(
    tmp_path: Path, code: int
) -> None:
    people = own("102"), own("103", Srtp.REQUIRED)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        assert said(offered.request.body)[0] == "RTP/SAVP"
        if code == 200:
            bob.answer(offered)
        else:
            bob.reject(offered, code)
        failed = await alice.take(InviteFailed)
        assert failed.code == 488
        assert failed.response is not None
        assert "SRTP is required" in failed.response.headers["Warning"]
        row = await house.over()
        assert (row.disposition, row.outcome_reason) == ("FAILED", "no_srtp")
        assert house.plane.of(SetRemote) == []
        if code == 200:
            await bob.take(UsageEnded)


@pytest.mark.parametrize(
    ("srtp", "body"),
    [
        (Srtp.REQUIRED, sdp("192.0.2.1")),
        (Srtp.REQUIRED, secure("192.0.2.1", profile="RTP/AVP")),
        (Srtp.REQUIRED, secure("192.0.2.1")),
        (Srtp.OPTIONAL, secure("192.0.2.1")),
    ],
)
@virtual
async def test_a_caller_without_it_is_refused(tmp_path: Path, srtp: Srtp, body: bytes) -> None:
    people = own("102", srtp), own("103")
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", body)
        failed = await alice.take(InviteFailed)
        assert failed.code == 488
        assert failed.response is not None
        assert "SRTP" in failed.response.headers["Warning"]
        row = await house.over()
        assert (row.disposition, row.outcome_reason) == ("FAILED", "no_srtp")
        assert bob.untold == []


@virtual
async def test_off_means_plain_rtp_or_nothing(tmp_path: Path) -> None:
    toml = WITHOUT_TLS + 'srtp = "optional"\n'
    async with open_house(tmp_path, own("102", Srtp.OFF), own("103"), toml=toml) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", secure(alice.host, fresh(1, CM_80)))
        assert (await alice.take(InviteFailed)).code == 488
        alice.dial("103", secure(alice.host, fresh(1, CM_80), profile="RTP/AVP"))
        await answer(bob, await bob.take(InviteOffered))  # optional by default
        answered = await alice.take(InviteAnswered)
        assert said(answered.response.body) == ("RTP/AVP", {})
        assert keys(house, A + 2) is None
        assert keys(house, B + 2) is not None
        await house.hang_up(alice, bob, calls=2)


# --- keys need TLS


@virtual
async def test_no_key_goes_over_udp(tmp_path: Path) -> None:
    people = own("102", Srtp.OPTIONAL), own("103", Srtp.OPTIONAL), own("104", Srtp.REQUIRED)
    async with open_house(tmp_path, *people) as house:
        alice, bob, carol = (house.phone(each) for each in ("102", "103", "104"))
        alice.dial("103", secure(alice.host, fresh(1, CM_80), profile="RTP/AVP"))
        offered = await bob.take(InviteOffered)
        assert said(offered.request.body) == ("RTP/AVP", {})
        bob.answer(offered)
        answered = await alice.take(InviteAnswered)
        assert said(answered.response.body) == ("RTP/AVP", {})
        alice.bye()
        await bob.take(UsageEnded)
        await alice.take(RequestCompleted)
        for caller, number in ((alice, "104"), (carol, "103")):
            caller.dial(number, secure(caller.host, fresh(1, CM_80), profile="RTP/AVP"))
            failed = await caller.take(InviteFailed)
            assert failed.code == 488
            assert failed.response is not None
            assert "TLS" in failed.response.headers["Warning"]
        assert (carol.untold, bob.untold) == ([], [])
        row = await house.over(3)
        assert row.outcome_reason == "no_srtp"


@virtual
async def test_an_emergency_call_never_fails_for_it(tmp_path: Path) -> None:
    async with open_house(tmp_path, own("102", Srtp.REQUIRED)) as house:
        alice, outside = house.phone("102"), house.outside()
        alice.dial("112")
        offered = await outside.take(InviteOffered)
        assert said(offered.request.body) == ("RTP/AVP", {})
        outside.answer(offered)
        await alice.take(InviteAnswered)
        await house.hang_up(alice, outside)


@pytest.mark.parametrize("srtp", [Srtp.OPTIONAL, Srtp.REQUIRED])
def test_without_the_library_there_is_none(
    tmp_path: Path, srtp: Srtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtp_srtp, "MODULE", "a_module_that_is_not_there")

    @virtual
    async def run() -> None:
        async with open_house(tmp_path, own("102"), own("103", srtp), toml=WITHOUT_TLS) as house:
            alice, bob = house.phone("102"), house.phone("103")
            alice.dial("103")
            if srtp is Srtp.REQUIRED:
                failed = await alice.take(InviteFailed)
                assert failed.response is not None
                assert "not installed" in failed.response.headers["Warning"]
                return
            offered = await bob.take(InviteOffered)
            assert said(offered.request.body) == ("RTP/AVP", {})
            alice.cancel()
            await alice.take(InviteFailed)

    run()


# --- in the call


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


@virtual
async def test_an_answer_must_take_a_line_that_was_offered(tmp_path: Path) -> None:
    async with open_house(
        tmp_path, own("102"), own("103", Srtp.OPTIONAL), toml=WITHOUT_TLS
    ) as house:
        alice, bob = house.phone("102"), house.phone("103")
        for mine in (fresh(999, CM_80), fresh(1, CM_32)):
            alice.dial("103")
            bob.answer(await bob.take(InviteOffered), secure(bob.host, mine))
            assert (await alice.take(InviteFailed)).code == 488
            await bob.take(UsageEnded)
        assert (await house.over(2)).outcome_reason == "no_srtp"
        assert house.plane.of(SetRemote) == []


# --- ringing several, early media, no offer


@virtual
async def test_each_who_rings_has_keys_of_its_own(tmp_path: Path) -> None:
    async with open_house(
        tmp_path, own("102"), own("103", Srtp.OPTIONAL), toml=WITHOUT_TLS
    ) as house:
        alice, desk, mobile = house.phone("102"), house.phone("103"), house.phone("103")
        alice.dial("103")
        offers = [await phone.take(InviteOffered) for phone in (desk, mobile)]
        lines = [said(each.request.body)[1] for each in offers]
        assert lines[0].keys().isdisjoint(lines[1])
        every = [each.inline.key for some in lines for each in some.values()]
        assert len(set(every)) == len(every)
        ours, theirs = await answer(desk, offers[0])
        await alice.take(InviteAnswered)
        assert_keys(keys(house, B), ours, theirs)
        # What is said to it later goes on from what it was told.
        alice.reinvite(sdp(alice.host, direction="sendonly", version=2))
        event = await desk.take(ReinviteReceived)
        assert said(event.request.body)[1] == {ours.tag: ours}
        assert version(event.request.body) > version(offers[0].request.body)
        desk.accept(event, body=secure(desk.host, theirs, direction="recvonly", version=2))
        await alice.take(RequestCompleted)
        await house.hang_up(alice, desk)


@virtual
async def test_members_of_a_group_are_offered_what_each_can(tmp_path: Path) -> None:
    toml = WITHOUT_TLS + '[[group]]\nnumber = "800"\nmembers = ["103", "104"]\n'
    people = own("102"), own("103", Srtp.REQUIRED), own("104", Srtp.OFF)
    async with open_house(tmp_path, *people, toml=toml) as house:
        alice, bob, carol = (house.phone(each) for each in ("102", "103", "104"))
        alice.dial("800")
        first, second = await bob.take(InviteOffered), await carol.take(InviteOffered)
        assert said(first.request.body)[0] == "RTP/SAVP"
        assert said(second.request.body) == ("RTP/AVP", {})
        lines = await answer(bob, first)
        await alice.take(InviteAnswered)
        assert_keys(keys(house, B), *lines)
        await house.hang_up(alice, bob)


@pytest.mark.parametrize("ring", ["all", "in_turn"])
@pytest.mark.parametrize("keyed", [False, True])
@virtual
async def test_a_member_that_can_not_encrypt_and_must_leaves_the_call_to_the_others(
    tmp_path: Path, ring: str, *, keyed: bool
) -> None:
    group = f'[[group]]\nnumber = "800"\nmembers = ["103", "104"]\nring = "{ring}"\n'
    people = own("102"), own("103", Srtp.REQUIRED), own("104", Srtp.OFF)
    async with open_house(tmp_path, *people, toml=(WITHOUT_TLS if keyed else "") + group) as house:
        alice, bob, carol = (house.phone(each) for each in ("102", "103", "104"))
        alice.dial("800")
        if keyed:
            offered = await bob.take(InviteOffered)
            assert said(offered.request.body)[0] == "RTP/SAVP"
            bob.reject(offered, 488)
        carol.answer(await carol.take(InviteOffered))
        await alice.take(InviteAnswered)
        assert keys(house, B) is None
        assert bob.untold == []
        await house.hang_up(alice, carol)


@virtual
async def test_early_media_is_encrypted_as_the_answer_is(tmp_path: Path) -> None:
    people = own("102", Srtp.REQUIRED), own("103", Srtp.REQUIRED)
    async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", secure(alice.host, fresh(1, CM_80)))
        offered = await bob.take(InviteOffered)
        _, lines = said(offered.request.body)
        mine = fresh(min(lines), lines[min(lines)].suite)
        early = secure(bob.host, mine)
        bob.ring(offered, 183, early)
        progress = await alice.take(InviteProgressed)
        assert_keys(keys(house, B), lines[mine.tag], mine)
        bob.answer(offered, early)
        answered = await alice.take(InviteAnswered)
        assert progress.response.body == answered.response.body
        assert (len(house.remotes(A)), len(house.remotes(B))) == (1, 1)
        await house.hang_up(alice, bob)


@pytest.mark.parametrize(
    ("srtp", "profile"), [(Srtp.REQUIRED, "RTP/SAVP"), (Srtp.OPTIONAL, "RTP/AVP")]
)
@pytest.mark.parametrize("takes", [True, False])
@virtual
async def test_a_caller_who_makes_no_offer_gets_one_with_keys(
    tmp_path: Path, srtp: Srtp, profile: str, *, takes: bool
) -> None:
    async with open_house(tmp_path, own("102", srtp), own("103"), toml=WITHOUT_TLS) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", b"")
        bob.answer(await bob.take(InviteOffered))
        answered = await alice.take(InviteAnswered)
        spelt, lines = said(answered.response.body)
        assert (spelt, len(lines)) == (profile, len(sdes.OFFERED))
        ours = next(each for each in lines.values() if each.suite == CM_80)
        mine = fresh(ours.tag, CM_80)
        alice.ack(secure(alice.host, mine, profile=profile) if takes else sdp(alice.host))
        await asyncio.sleep(0.01)
        if takes:
            assert_keys(keys(house, A), ours, mine)
        elif srtp is Srtp.OPTIONAL:
            assert keys(house, A) is None
        else:
            await alice.take(UsageEnded)
            await bob.take(UsageEnded)
            return
        await house.hang_up(alice, bob)


@virtual
async def test_a_trunk_and_a_caller_who_is_asked_first(tmp_path: Path) -> None:
    clerk_is = own("101", Srtp.REQUIRED, mode="automatic")
    async with open_house(tmp_path, clerk_is, toml=WITHOUT_TLS, trunk='srtp = "required"') as house:
        caller, clerk = house.outside(), house.phone("101")
        mine = fresh(1, CM_80)
        caller.dial(DID, secure(TRUNK_HOST, mine))
        answered = await caller.take(InviteAnswered)
        profile, told = said(answered.response.body)
        assert profile == "RTP/SAVP"
        assert_keys(keys(house, A), told[1], mine)
        await asyncio.sleep(6)
        house.plane.press(A, "1")
        lines = await answer(clerk, await clerk.take(InviteOffered))
        await asyncio.sleep(0.01)
        assert_keys(keys(house, B), *lines)
        await house.hang_up(caller, clerk)


@pytest.mark.parametrize("srtp", ["required", "optional"])
@virtual
async def test_a_trunk_that_refuses_srtp(tmp_path: Path, srtp: str) -> None:
    async with open_house(
        tmp_path, own("102"), toml=WITHOUT_TLS, trunk=f'srtp = "{srtp}"'
    ) as house:
        alice, outside = house.phone("102"), house.outside()
        alice.dial("0493098765")
        offered = await outside.take(InviteOffered)
        assert said(offered.request.body)[0] == "RTP/SAVP"
        outside.reject(offered, 488)
        if srtp == "required":
            assert (await alice.take(InviteFailed)).code == 488
            assert (await house.over()).outcome_reason == "no_srtp"
            return
        offered = await outside.take(InviteOffered)
        assert said(offered.request.body) == ("RTP/AVP", {})
        outside.answer(offered)
        await alice.take(InviteAnswered)
        await house.hang_up(alice, outside)


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


def test_no_key_is_in_a_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    mine = fresh(1, CM_80)

    @virtual
    async def run() -> None:
        people = own("102", Srtp.OPTIONAL), own("103", Srtp.REQUIRED)
        async with open_house(tmp_path, *people, toml=WITHOUT_TLS) as house:
            alice, bob = house.phone("102"), house.phone("103")
            alice.dial("103", secure(alice.host, mine))
            bob.answer(await bob.take(InviteOffered), secure(bob.host, fresh(999, CM_80)))
            await alice.take(InviteFailed)
            await bob.take(UsageEnded)

    run()
    assert re.search("no media", caplog.text)
    assert "inline" not in caplog.text
    assert str(mine.inline) not in caplog.text
