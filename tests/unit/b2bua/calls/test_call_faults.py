"""What breaks around a call: media workers, recorders, ports, the call, the server's stop."""

import asyncio
import logging
from pathlib import Path

import pytest

from b2bua.calls.inbox import INBOX_SIZE
from b2bua.media.leg import MediaLeg
from cdr.records import CallEnded, PartyLeft, SegmentClosed
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    RequestCompleted,
    UsageEnded,
)
from tests.unit.b2bua.calls.call_rig import DID, House, extension, open_house
from tests.unit.b2bua.calls.fake_plane import RecordingStopped
from tests.unit.b2bua.calls.phone import Phone
from tests.unit.b2bua.calls.scenes import A, B, asked, internal
from tests.unit.b2bua.calls.virtual_time import virtual

CLERK = extension("101", "automatic")
ALICE, BOB = extension("102", "automatic"), extension("103")


async def talking(house: House) -> tuple[Phone, Phone]:
    """Have an internal call that is recorded, 5 s old."""
    alice, bob = await internal(house)
    await asyncio.sleep(5)
    assert house.plane.recorded
    return alice, bob


# --- the recorder is busy


@virtual
async def test_a_busy_recorder_costs_the_recording_and_not_the_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        house.plane.busy = True
        alice, bob = await internal(house)
        await asyncio.sleep(5)
        assert not house.plane.recorded
        row = await house.hang_up(alice, bob)
    assert (row.disposition, row.outcome) == ("ANSWERED", "failed")
    assert row.outcome_reason == "recorder_busy"


# --- the media worker dies


@virtual
async def test_its_death_during_the_question_ends_the_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        house.plane.die()
        await caller.take(UsageEnded)
        row = await house.over()
        assert clerk.untold == []
        assert not house.plane.recorded
    assert (row.disposition, row.outcome, row.hangup_side) == ("FAILED", "not_connected", "server")


@virtual
async def test_its_death_while_it_rings_ends_the_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        bob.ring(await bob.take(InviteOffered))
        await asyncio.sleep(1)
        house.plane.die()
        assert (await alice.take(InviteFailed)).code == 503
        await bob.take(InviteCancelled)
        assert (await house.over()).outcome == "not_connected"


@virtual
async def test_its_death_during_the_busy_tone_leaves_the_call_busy(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = house.outside(), house.phone("101")
        caller.dial(DID)
        await caller.take(InviteAnswered)
        clerk.reject(await clerk.take(InviteOffered), 486)
        await asyncio.sleep(1)
        house.plane.die()
        await caller.take(UsageEnded)
        assert (await house.over()).disposition == "BUSY"


@virtual
async def test_its_death_while_they_talk_ends_the_call_and_names_what_is_missing(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await talking(house)
        house.plane.die()
        await alice.take(UsageEnded)
        await bob.take(UsageEnded)
        row = await house.over()
    assert (row.disposition, row.outcome) == ("ANSWERED", "failed")
    assert (row.outcome_reason, row.outcome_params) == ("media_worker_died", {"seconds": "5"})
    assert row.recordingfile.endswith(".mp3")


@virtual
async def test_its_death_while_nothing_is_recorded_is_no_missing_recording(tmp_path: Path) -> None:
    async with open_house(tmp_path, extension("102"), BOB) as house:
        alice, bob = await internal(house)
        house.plane.die()
        await alice.take(UsageEnded)
        await bob.take(UsageEnded)
        assert (await house.over()).outcome == "not_wanted"


# --- the recorder


@virtual
async def test_what_the_recorder_misses_makes_the_outcome(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        house.plane.failure = "No space left on device"
        alice, bob = await talking(house)
        row = await house.hang_up(alice, bob)
        (segment,) = house.journal.of(SegmentClosed)
    assert (row.outcome, row.outcome_reason) == ("failed", "disk")
    assert row.outcome_params == {"detail": "No space left on device"}
    assert (segment.state, segment.failure) == ("failed", "No space left on device")


@virtual
async def test_a_recorder_that_never_answers_is_given_up(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        house.plane.answers_after = None
        alice, bob = await talking(house)
        alice.bye()
        await bob.take(UsageEnded)
        began = house.now
        row = await house.over()
        assert house.now - began == pytest.approx(90.0, abs=0.5)
    assert (row.outcome, row.outcome_reason) == ("failed", "recorder_died")
    assert row.recordingfile == ""


@virtual
async def test_a_file_that_is_whole_a_minute_later_is_a_recording(tmp_path: Path) -> None:
    """The disk stood still when the call ended; nobody but its row waits for that."""
    toml = "[sip]\nmax_calls_per_extension = 1\n[media]\nmax_calls = 1\n"
    async with open_house(tmp_path, ALICE, BOB, toml=toml) as house:
        house.plane.answers_after = 65.0
        alice, bob = await talking(house)
        alice.bye()
        assert (await alice.take(RequestCompleted)).code == 200
        await bob.take(UsageEnded)
        await asyncio.sleep(1)
        assert len(house.switchboard) == 0
        assert not house.switchboard.is_busy("102")
        house.plane.answers_after = 0.3
        await house.connect(alice, "103", bob)
        await asyncio.sleep(5)
        await house.hang_up(alice, bob, calls=2)
        outcomes = [row.outcome for row in house.journal.of(CallEnded)]
    assert outcomes == ["recorded", "recorded"]


@virtual
async def test_a_result_that_is_there_at_once_counts(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        house.plane.answers_after = 0
        alice, bob = await talking(house)
        row = await house.hang_up(alice, bob)
        assert len(house.journal.of(SegmentClosed)) == 1
    assert row.outcome == "recorded"


@virtual
async def test_a_recording_below_the_minimum_is_removed(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        await asyncio.sleep(1)
        (asked,) = house.recordings
        file = tmp_path / asked.relative_path
        file.parent.mkdir(parents=True)
        file.write_bytes(b"mp3")
        row = await house.hang_up(alice, bob)
        (segment,) = house.journal.of(SegmentClosed)
        assert not file.exists()
    assert (row.outcome, row.recordingfile) == ("too_short", "")
    assert (segment.relative_path, segment.octets) == (None, 0)


# --- no room, no media


@pytest.mark.parametrize("ports", [0, 1])
@virtual
async def test_without_ports_for_both_sides_nobody_rings(tmp_path: Path, ports: int) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        house.plane.ports = ports
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        assert (await alice.take(InviteFailed)).code == 503
        await house.over()
        assert bob.untold == []
        assert house.plane.ports == ports


@virtual
async def test_a_call_of_which_nothing_is_heard_is_ended(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await talking(house)
        house.plane.fall_silent(A)
        await asyncio.sleep(1)
        assert alice.untold == []
        house.plane.fall_silent(B)
        await alice.take(UsageEnded)
        await bob.take(UsageEnded)
        row = await house.over()
    assert (row.outcome, row.hangup_side) == ("recorded", "server")


# --- the call itself


@virtual
async def test_a_call_that_breaks_ends_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_house(tmp_path, ALICE, BOB, CLERK) as house:
        alice, bob = await talking(house)
        clerk, other = house.phone("101"), house.phone("103")
        first = bob.usage
        clerk.dial("103")
        bob.answer(await bob.take(InviteOffered))
        await other.take(InviteOffered)
        await clerk.take(InviteAnswered)
        await asyncio.sleep(0.1)
        with monkeypatch.context() as patch:
            patch.setattr(MediaLeg, "play", broken)
            house.plane.dial_code(3)
            await asyncio.sleep(0.1)
        await clerk.take(UsageEnded)
        row = await house.over()
        assert (row.disposition, row.hangup_side) == ("ANSWERED", "server")
        assert len(house.switchboard) == 1
        bob.usage = first
        alice.bye()
        row = await house.over(2)
    assert row.outcome == "recorded"
    assert "call failed" in caplog.messages


def broken(*_args: object) -> int:
    raise RuntimeError("broken")


@virtual
async def test_a_step_of_the_end_that_breaks_keeps_no_other_from_being_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await talking(house)
        with monkeypatch.context() as patch:
            patch.setattr(house.plane, "stop_recording", broken)
            alice.bye()
            await bob.take(UsageEnded)
            await asyncio.sleep(20)
        assert house.plane.lent == {}
        row = await house.over()
        assert row.outcome == "failed"
    assert any(record.levelno >= logging.ERROR for record in caplog.records)


@virtual
async def test_a_peer_that_floods_a_call_ends_it(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await talking(house)
        for _ in range(INBOX_SIZE + 1):
            house.plane.press(A, "5")
        await alice.take(UsageEnded)
        await bob.take(UsageEnded)
        assert (await house.over()).hangup_side == "server"


# --- the stop of the server


@virtual
async def test_a_stop_ends_calls_of_every_phase_and_keeps_their_recordings(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB, CLERK) as house:
        alice, bob = await talking(house)
        caller, clerk = house.outside(), house.phone("101")
        caller.dial(DID)
        await caller.take(InviteAnswered)
        await asyncio.sleep(6)
        clerk.dial("103")
        await bob.take(InviteOffered)
    await alice.take(UsageEnded)
    await caller.take(UsageEnded)
    assert (await clerk.take(InviteFailed)).code == 503
    outcomes = sorted(row.outcome for row in house.journal.of(CallEnded))
    assert outcomes == ["not_connected", "not_connected", "recorded"]
    assert len(house.plane.of(RecordingStopped)) == 1


@virtual
async def test_after_the_stop_no_call_is_taken(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102")
    alice.dial("103")
    assert (await alice.take(InviteFailed)).code == 503
    assert house.journal.records == []


@virtual
async def test_the_last_words_of_each_leg_are_kept(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await talking(house)
        await house.hang_up(alice, bob)
        left = house.journal.of(PartyLeft)
    assert [party.party_id[-2:] for party in left] == ["/a", "/b"]
