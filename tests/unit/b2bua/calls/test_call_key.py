"""The record key in a call, by star code and as INFO: what it starts, and what refuses it."""

import asyncio
from pathlib import Path

import pytest

from b2bua.media.to_worker import CloseTap, CollectDigits, OpenTap, SendDigits
from cdr.records import EvidenceStored, SegmentClosed, SegmentOpened
from recording.permit import Basis, decode
from recording.spec import decode_tap
from sip.events import InviteAnswered, InviteOffered, RequestCompleted
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.fake_plane import RecordingAsked, RecordingStopped
from tests.unit.b2bua.calls.scenes import A, B, hold, internal, outgoing
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102", "manual"), extension("103")
RECORDING = extension("102", "automatic")

BEEP, TWO_BEEPS = "tone/beep", "tone/two-beeps"


# --- an internal call: both sides' opt-ins carry it


@virtual
async def test_the_key_starts_and_stops_segments_of_one_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        assert not house.plane.recorded
        for _ in range(2):
            house.plane.dial_code(A)
            await asyncio.sleep(5)
            house.plane.dial_code(A)
            await asyncio.sleep(3)
            told = [m for m in house.plane.sent if isinstance(m, OpenTap | CloseTap)]
            assert {type(m) for m in told[-2:]} == {CloseTap}, "nothing enters the ring any more"
            assert {m.leg_id for m in told[-2:]} == {A, B}
        assert house.plane.heard(A) == house.plane.heard(B) == [BEEP, TWO_BEEPS] * 2
        row = await house.hang_up(alice, bob)
        segments = house.journal.of(SegmentOpened)
        assert [(s.number, s.started_by) for s in segments] == [(1, "ext:102"), (2, "ext:102")]
        assert segments[1].relative_path.endswith("_2.mp3")
        assert [s.state for s in house.journal.of(SegmentClosed)] == ["finished", "finished"]
        assert len(house.plane.of(RecordingStopped)) == 2
    assert (row.outcome, row.outcome_params) == ("recorded", {"seconds": "10"})
    assert row.recordingfile == segments[0].relative_path


@virtual
async def test_each_tap_has_the_permit_of_its_own_party(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        await house.hang_up(alice, bob)
        evidence = house.journal.of(EvidenceStored)
        for side, tap in enumerate(house.plane.of(OpenTap)):
            permit, spec = decode(tap.permit), decode_tap(tap.spec)
            assert permit.party_id == tap.party_id == evidence[side].party_id
            assert tap.party_id.endswith("/" + "ab"[side])
            assert (permit.basis, permit.evidence_id) == (Basis.OPT_IN, evidence[side].id)
            assert (spec.side, spec.leg_id, spec.permit) == (side, tap.leg_id, tap.permit)
        assert [row.extension for row in evidence] == ["102", "103"]
        assert {row.opt_in_by for row in evidence} == {"admin"}


@virtual
async def test_an_extension_without_an_opt_in_of_the_other_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, extension("103", opted_in=False)) as house:
        alice, bob = await internal(house)
        house.plane.dial_code(A)
        await asyncio.sleep(5)
        assert (house.plane.heard(A), house.plane.heard(B)) == (["de/not-allowed"], [])
        row = await house.hang_up(alice, bob)
        assert not house.plane.recorded
        assert house.evidence == []
    assert (row.outcome, row.outcome_reason) == ("blocked", "no_opt_in")


@virtual
async def test_never_of_the_other_side_refuses(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, extension("103", "never")) as house:
        alice, bob = await internal(house)
        house.plane.dial_code(A)
        await asyncio.sleep(5)
        row = await house.hang_up(alice, bob)
        assert not house.plane.recorded
    assert (row.outcome, row.outcome_reason) == ("blocked", "never")


@virtual
async def test_a_key_that_nobody_presses_leaves_the_call_not_wanted(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, extension("103", "never")) as house:
        alice, bob = await internal(house)
        row = await house.hang_up(alice, bob)
    assert row.outcome == "not_wanted"


@virtual
async def test_an_extension_in_mode_off_may_not_start(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        house.plane.dial_code(B)
        await asyncio.sleep(5)
        assert (house.plane.heard(A), house.plane.heard(B)) == ([], ["de/not-allowed"])
        row = await house.hang_up(alice, bob)
        assert not house.plane.recorded
    assert (row.outcome, row.outcome_reason) == ("not_wanted", "not_started")


@virtual
async def test_an_automatic_internal_call_is_recorded_from_the_ack_on(tmp_path: Path) -> None:
    async with open_house(tmp_path, RECORDING, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        house.lose = lambda data, to: data.startswith(b"ACK ") and to == house.endpoint.contact
        alice.dial("103")
        bob.answer(await bob.take(InviteOffered))
        await alice.take(InviteAnswered)
        await asyncio.sleep(0.2)
        assert not house.plane.recorded
        house.lose = lambda _data, _to: False
        await asyncio.sleep(5)
        assert len(house.plane.of(OpenTap)) == 2
        (segment,) = house.journal.of(SegmentOpened)
        assert segment.started_by == "automatic"
        row = await house.hang_up(alice, bob)
    assert row.outcome == "recorded"


@virtual
async def test_an_automatic_recording_that_may_not_be_stopped_goes_on(tmp_path: Path) -> None:
    async with open_house(tmp_path, extension("102", "automatic", may_stop=False), BOB) as house:
        alice, bob = await internal(house)
        await asyncio.sleep(3)
        house.plane.dial_code(A)
        await asyncio.sleep(5)
        assert house.plane.heard(A) == ["de/not-allowed"]
        assert house.plane.of(RecordingStopped) == []
        row = await house.hang_up(alice, bob)
    assert row.outcome == "recorded"


@virtual
async def test_no_evidence_no_recording_and_a_later_press_may_do(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        house.journal.healthy = False
        house.plane.dial_code(A)
        await asyncio.sleep(5)
        assert house.plane.heard(A) == ["de/not-allowed"]
        assert not house.plane.recorded
        house.journal.healthy = True
        house.plane.dial_code(A)
        await asyncio.sleep(5)
        assert house.plane.heard(A)[1:] == [BEEP]
        row = await house.hang_up(alice, bob)
    assert (row.outcome, row.outcome_reason) == ("failed", "no_evidence")
    assert row.recordingfile.endswith(".mp3"), "what there is can be played"


@virtual
async def test_a_reinvite_keeps_the_recording(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        await hold(bob, alice, "sendonly", 2)
        await asyncio.sleep(3)
        await hold(bob, alice, "sendrecv", 3)
        await asyncio.sleep(3)
        assert len(house.plane.of(OpenTap)) == 2
        assert house.plane.of(RecordingStopped) == []
        row = await house.hang_up(alice, bob)
        assert len(house.journal.of(SegmentOpened)) == 1
    assert row.outcome == "recorded"


# --- INFO


@virtual
async def test_info_with_a_record_header_is_the_key(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        for wish in ("off", "on", "on", "ON", "off", "off"):
            assert await alice.request("INFO", ("Record", wish)) == 200
            await asyncio.sleep(3)
        assert house.plane.heard(A) == [TWO_BEEPS, BEEP, BEEP, BEEP, TWO_BEEPS, TWO_BEEPS]
        assert house.plane.heard(B) == [BEEP, TWO_BEEPS], "a confirmation is for who asked"
        assert await bob.request("INFO", ("Record", "on")) == 403
        assert house.plane.heard(B)[2:] == ["de/not-allowed"]
        assert await alice.request("INFO", ("Record", "maybe")) == 415
        assert await alice.request("INFO") == 415
        await house.hang_up(alice, bob)
        assert len(house.plane.of(RecordingAsked)) == 1


@virtual
async def test_info_before_the_answer_is_too_early(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103")
        offered = await bob.take(InviteOffered)
        bob.ring(offered)
        await asyncio.sleep(0.1)
        assert await alice.request("INFO", ("Record", "on")) == 480
        assert await alice.request("INFO", ("Record", "maybe")) == 415
        bob.answer(offered)
        await alice.take(InviteAnswered)
        await asyncio.sleep(0.1)
        await house.hang_up(alice, bob)
        assert not house.plane.recorded


@virtual
async def test_a_star_code_as_info_is_the_key_and_goes_no_further(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        for key in "*1":
            alice.info_key(key)
            assert (await alice.take(RequestCompleted)).code == 200
        await asyncio.sleep(3)
        assert len(house.plane.of(OpenTap)) == 2
        assert house.plane.of(SendDigits) == []
        for key in "*7":
            alice.info_key(key)
            assert (await alice.take(RequestCompleted)).code == 200
        await asyncio.sleep(3)
        assert [(m.leg_id, m.keys) for m in house.plane.of(SendDigits)] == [(B, "*7")]
        alice.info_key("*")
        await alice.take(RequestCompleted)
        await asyncio.sleep(3)
        assert house.plane.of(SendDigits)[-1].keys == "*", "alone it was no code"
        await house.hang_up(alice, bob)


@virtual
async def test_the_star_code_of_an_outside_party_is_an_ordinary_key(tmp_path: Path) -> None:
    async with open_house(tmp_path, extension("102")) as house:
        alice, outside = await outgoing(house)
        for key in "*1":
            outside.info_key(key)
            assert (await outside.take(RequestCompleted)).code == 200
        await asyncio.sleep(2)
        assert "".join(m.keys for m in house.plane.of(SendDigits) if m.leg_id == A) == "*1"
        house.plane.dial_code(B)
        await asyncio.sleep(2)
        assert not house.plane.recorded
        await house.hang_up(alice, outside)


@virtual
async def test_only_own_parties_have_star_codes(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await outgoing(house)
        collected = house.plane.of(CollectDigits)
        assert [(m.leg_id, m.codes, m.forward) for m in collected] == [(A, ("*1",), True)]
        await house.hang_up(alice, outside)


# --- emergency


@pytest.mark.parametrize("number", ["110", "112", "0110", "0112"])
@virtual
async def test_an_emergency_call_is_never_asked_about_and_never_recorded(
    tmp_path: Path, number: str
) -> None:
    async with open_house(tmp_path, RECORDING) as house:
        alice, outside = house.phone("102"), house.outside()
        alice.dial(number)
        offered = await outside.take(InviteOffered)
        assert offered.request.uri.user == number[-3:]
        outside.answer(offered)
        await alice.take(InviteAnswered)
        await asyncio.sleep(1)
        assert house.plane.of(CollectDigits) == []
        house.plane.dial_code(A)
        assert await alice.request("INFO", ("Record", "on")) == 403
        for key in "*1":
            alice.info_key(key)
            await alice.take(RequestCompleted)
        await asyncio.sleep(20)
        assert "".join(m.keys for m in house.plane.of(SendDigits)) == "*1"
        row = await house.hang_up(alice, outside)
        assert not house.plane.recorded
        assert house.plane.heard(B) == []
        assert house.evidence == []
        assert (row.outcome, row.outcome_reason) == ("blocked", "emergency")
