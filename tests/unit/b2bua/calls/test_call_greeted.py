"""Ringing after the question: the caller hears from us what a network would tell it."""

import asyncio
from pathlib import Path

import pytest

from sip.events import InviteAnswered, InviteCancelled, InviteOffered, RequestCompleted, UsageEnded
from tests.unit.b2bua.calls.call_rig import DID, TRUNK_HOST, extension, open_house
from tests.unit.b2bua.calls.phone import sdp
from tests.unit.b2bua.calls.scenes import A, agreed
from tests.unit.b2bua.calls.virtual_time import virtual

CLERK = extension("101", "automatic")


@pytest.mark.parametrize(
    ("code", "said", "cause", "row"),
    [
        (486, "tone/busy", 17, ("BUSY", "busy")),
        (600, "tone/busy", 17, ("BUSY", "busy")),
        (603, "tone/busy", 17, ("BUSY", "rejected")),
        (480, "de/not-available", 19, ("NO ANSWER", "unreachable")),
        (503, "de/not-available", 19, ("NO ANSWER", "unreachable")),
        (500, "tone/busy", 31, ("FAILED", "rejected")),
        (404, "tone/busy", 31, ("FAILED", "rejected")),
        (488, "tone/busy", 31, ("FAILED", "rejected")),
    ],
)
@virtual
async def test_a_greeted_caller_hears_why_nobody_answers(
    tmp_path: Path, code: int, said: str, cause: int, row: tuple[str, str]
) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk, offered = await agreed(house)
        clerk.reject(offered, code)
        if code == 488:  # asked once more, with all codecs that we can transcode
            clerk.reject(await clerk.take(InviteOffered), code)
        began = house.now
        ended = await caller.take(UsageEnded)
        assert house.plane.heard(A)[2:] == [said]
        assert house.now - began == pytest.approx(5.0 if said == "tone/busy" else 3.1, abs=0.1)
        assert ended.request is not None
        assert ended.request.headers.get("Reason") == f"Q.850;cause={cause}"
        told = await house.over()
        assert (told.disposition, told.outcome_reason) == row
        assert (told.outcome, told.hangup_cause) == ("not_connected", cause)
        assert not house.plane.recorded


@virtual
async def test_a_greeted_caller_hears_that_nobody_answers_in_time(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK, toml="[sip]\nring_timeout_s = 20\n") as house:
        caller, clerk, _ = await agreed(house)
        await clerk.take(InviteCancelled)
        ended = await caller.take(UsageEnded)
        assert house.plane.heard(A)[2:] == ["de/not-available"]
        assert ended.request is not None
        assert ended.request.headers.get("Reason") == "Q.850;cause=19"
        row = await house.over()
    assert (row.disposition, row.outcome, row.outcome_reason, row.hangup_side) == (
        "NO ANSWER",
        "not_connected",
        "not_answered",
        "server",
    )


@virtual
async def test_a_caller_who_hangs_up_on_the_busy_tone_found_the_extension_busy(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk, offered = await agreed(house)
        clerk.reject(offered, 486)
        await asyncio.sleep(2)
        caller.bye()
        row = await house.over()
    assert (row.disposition, row.hangup_cause, row.outcome_reason) == ("BUSY", 17, "busy")


@virtual
async def test_a_greeted_caller_who_leaves_while_it_rings_records_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk, _ = await agreed(house)
        caller.bye()
        await clerk.take(InviteCancelled)
        row = await house.over()
        assert not house.plane.recorded
    assert (row.outcome, row.outcome_reason) == ("not_connected", "cancelled")


@virtual
async def test_a_greeted_caller_may_refresh_while_it_rings(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk, offered = await agreed(house)
        caller.reinvite(sdp(TRUNK_HOST, version=2))
        assert (await caller.take(RequestCompleted)).code == 200
        clerk.answer(offered)
        await asyncio.sleep(5)
        caller.bye()
        assert (await house.over()).outcome == "recorded"
        await clerk.take(UsageEnded)


@virtual
async def test_the_ack_of_a_refresh_while_it_rings_may_come_when_they_talk(tmp_path: Path) -> None:
    """A session refresh without an offer; its answer moves the caller's audio."""
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk, offered = await agreed(house)
        caller.reinvite(b"")
        await caller.take(RequestCompleted)
        clerk.answer(offered)
        await asyncio.sleep(1)
        caller.ack(sdp(TRUNK_HOST, port=4444, version=2))
        await asyncio.sleep(1)
        assert house.remotes(A) == [4000, 4444]
        await house.hang_up(caller, clerk)


@virtual
async def test_a_clerk_whose_answer_can_not_be_used_is_hung_up_on(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk, offered = await agreed(house)
        clerk.answer(offered, b"nonsense")
        await clerk.take(UsageEnded)
        await caller.take(UsageEnded)
        row = await house.over()
        assert not house.plane.recorded
    assert (row.disposition, row.outcome) == ("FAILED", "not_connected")


@virtual
async def test_a_clerk_who_leaves_while_the_caller_is_asked_is_not_available(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, _ = house.outside(), house.phone("101")
        caller.dial(DID)
        await caller.take(InviteAnswered)
        house.registrar.remove("101")
        await caller.take(UsageEnded)
        assert house.plane.heard(A)[-1] == "de/not-available"
        row = await house.over()
    assert (row.disposition, row.outcome_reason) == ("NO ANSWER", "unreachable")
