"""Ringing the wanted party: what the caller hears of it, and how the row names it."""

import asyncio
from pathlib import Path

import pytest

from b2bua.media.to_worker import Play
from cdr.records import CallAnswered, PartyJoined
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    InviteProgressed,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102"), extension("103")


# --- calls that only pass


@virtual
async def test_an_internal_call_passes_and_is_not_recorded(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered)
        assert (await alice.take(InviteProgressed)).response.code == 180
        bob.answer(offered)
        answered = await alice.take(InviteAnswered)
        assert SessionDescription.parse(answered.response.body).media[0].port == 20002
        await asyncio.sleep(20)
        row = await house.hang_up(bob, alice)
        assert house.plane.of(Play) == []
        assert not house.plane.recorded
        assert house.evidence == []
    assert (row.outcome, row.outcome_reason) == ("not_wanted", "mode_off")
    assert (row.disposition, row.hangup_side, row.billsec) == ("ANSWERED", "callee", 20)
    assert [party.leg for party in house.journal.of(PartyJoined)] == ["a", "b"]


@virtual
async def test_early_media_of_one_contact_passes(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host))
        progressed = await alice.take(InviteProgressed)
        assert progressed.response.code == 183
        assert SessionDescription.parse(progressed.response.body).media[0].port == 20002
        bob.answer(offered)
        await alice.take(InviteAnswered)
        await house.hang_up(alice, bob)


@virtual
async def test_early_media_of_two_contacts_does_not(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob, other = house.phone("102"), house.phone("103"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        await other.take(InviteOffered)
        bob.ring(offered, 183, sdp(bob.host))
        progressed = await alice.take(InviteProgressed)
        assert (progressed.response.code, progressed.response.body) == (180, b"")
        bob.answer(offered)
        await other.take(InviteCancelled)
        await alice.take(InviteAnswered)
        await house.hang_up(alice, bob)


@virtual
async def test_of_two_who_answer_at_once_the_second_is_hung_up_on(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob, other = house.phone("102"), house.phone("103"), house.phone("103")
        alice.dial("103")
        first, second = await bob.take(InviteOffered), await other.take(InviteOffered)
        bob.answer(first)
        other.answer(second)
        await alice.take(InviteAnswered)
        ended = [phone for phone in (bob, other) if "UsageEnded" in await settled(phone)]
        assert len(ended) == 1
        alice.bye()
        await house.over()
        assert len(house.journal.of(CallAnswered)) == 1


async def settled(phone: Phone) -> list[str]:
    await asyncio.sleep(1)
    return phone.untold


@virtual
async def test_an_answer_that_crosses_the_cancel_is_ended(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered)
        await alice.take(InviteProgressed)
        bob.answer(offered)
        alice.cancel()
        await bob.take(UsageEnded)
        assert (await alice.take(InviteFailed)).code == 487
        row = await house.over()
    assert (row.disposition, row.outcome_reason) == ("NO ANSWER", "cancelled")


@virtual
async def test_a_caller_who_cancels_leaves_nobody_ringing(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        bob.ring(await bob.take(InviteOffered))
        await alice.take(InviteProgressed)
        alice.cancel()
        await bob.take(InviteCancelled)
        assert (await alice.take(InviteFailed)).code == 487
        row = await house.over()
    assert (row.disposition, row.outcome, row.hangup_side) == (
        "NO ANSWER",
        "not_connected",
        "caller",
    )


@pytest.mark.parametrize(
    ("code", "told", "cause", "row"),
    [
        (486, 486, 17, ("BUSY", "busy")),
        (600, 600, 17, ("BUSY", "busy")),
        (603, 603, 17, ("BUSY", "rejected")),
        (408, 480, 19, ("NO ANSWER", "unreachable")),
        (480, 480, 19, ("NO ANSWER", "unreachable")),
        (415, 415, 31, ("FAILED", "rejected")),
    ],
)
@virtual
async def test_the_caller_is_told_as_the_callee_said(
    tmp_path: Path, code: int, told: int, cause: int, row: tuple[str, str]
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        bob.reject(await bob.take(InviteOffered), code)
        assert (await alice.take(InviteFailed)).code == told
        ended = await house.over()
        assert (ended.disposition, ended.outcome_reason) == row
        assert (ended.outcome, ended.hangup_cause) == ("not_connected", cause)
        assert house.plane.of(Play) == []


@virtual
async def test_nobody_answers_in_time(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB, toml="[sip]\nring_timeout_s = 20\n") as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        bob.ring(await bob.take(InviteOffered))
        assert (await alice.take(InviteFailed)).code == 480
        await bob.take(InviteCancelled)
        row = await house.over()
    assert (row.disposition, row.outcome_reason, row.duration) == ("NO ANSWER", "not_answered", 20)


@pytest.mark.parametrize(
    ("dialled", "code", "reason"),
    [("103", 480, "unreachable"), ("999", 404, "unreachable"), ("00490", 404, "unreachable")],
)
@virtual
async def test_a_number_behind_which_there_is_nobody(
    tmp_path: Path, dialled: str, code: int, reason: str
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102")
        alice.dial(dialled)
        assert (await alice.take(InviteFailed)).code == code
        row = await house.over()
        assert (row.outcome, row.outcome_reason) == ("not_connected", reason)


@virtual
async def test_a_callee_whose_answer_can_not_be_used_was_never_talked_to(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        bob.answer(await bob.take(InviteOffered), b"nonsense")
        assert (await alice.take(InviteFailed)).code == 488
        await bob.take(UsageEnded)
        row = await house.over()
    assert (row.disposition, row.outcome) == ("FAILED", "not_connected")


@virtual
async def test_a_caller_whose_offer_can_not_be_used_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", b"nonsense")
        assert (await alice.take(InviteFailed)).code == 488
        await house.over()
        assert bob.untold == []


@virtual
async def test_without_an_offer_ours_goes_both_ways(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", b"")
        offered = await bob.take(InviteOffered)
        assert SessionDescription.parse(offered.request.body).media[0].port == 20004
        bob.answer(offered)
        answered = await alice.take(InviteAnswered)
        assert SessionDescription.parse(answered.response.body).media[0].port == 20002
        alice.ack()
        await asyncio.sleep(1)
        assert (house.remotes(A), house.remotes(B)) == ([4000], [4000])
        assert len(house.joins) == 1
        assert (await house.hang_up(alice, bob)).disposition == "ANSWERED"


# --- the beginning of the talk


@virtual
async def test_a_reinvite_of_the_callee_before_the_callers_ack_is_asked_to_wait(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        house.lose = lambda data, to: data.startswith(b"ACK ") and to == house.endpoint.contact
        alice.dial("103")
        bob.answer(await bob.take(InviteOffered))
        await alice.take(InviteAnswered)
        await asyncio.sleep(0.1)
        bob.reinvite(sdp(bob.host, direction="sendonly", version=2))
        assert (await bob.take(RequestCompleted)).code == 491
        house.lose = lambda _data, _to: False
        await asyncio.sleep(5)  # Alice acknowledges what is repeated
        bob.reinvite(sdp(bob.host, direction="sendonly", version=2))
        alice.accept(await alice.take(ReinviteReceived), body=sdp(alice.host, direction="recvonly"))
        assert (await bob.take(RequestCompleted)).code == 200
        await house.hang_up(bob, alice)


@virtual
async def test_a_reinvite_of_the_callee_does_not_spoil_the_callers_late_answer(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", b"")
        bob.answer(await bob.take(InviteOffered))
        await alice.take(InviteAnswered)
        bob.reinvite(sdp(bob.host, formats="0", version=2))
        assert (await bob.take(RequestCompleted)).code == 491
        alice.ack(sdp(alice.host, formats="8 101"))
        await asyncio.sleep(0.1)
        (join,) = house.joins
        assert join.a_to_b.payload_types == {8: 8, 101: 101}
        await house.hang_up(alice, bob)
