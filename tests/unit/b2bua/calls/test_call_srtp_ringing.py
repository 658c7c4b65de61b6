"""SRTP where several are rung, in early media, without an offer, and towards trunks."""

import asyncio
from pathlib import Path

import pytest

from sip import sdes
from sip.events import (
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    InviteProgressed,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.sdes import fresh
from sip.secure_media import Srtp
from tests.unit.b2bua.calls.call_rig import DID, TRUNK_HOST, open_house
from tests.unit.b2bua.calls.phone import sdp
from tests.unit.b2bua.calls.scenes import A, B
from tests.unit.b2bua.calls.srtp_rig import (
    CM_80,
    WITHOUT_TLS,
    answer,
    assert_keys,
    keys,
    own,
    said,
    secure,
    version,
)
from tests.unit.b2bua.calls.virtual_time import virtual


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
