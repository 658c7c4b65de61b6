"""The record key in a call: by star code, as INFO and dialled; at once, asked for, or refused."""

import asyncio
from pathlib import Path

import pytest

from b2bua.media.to_worker import CloseTap, CollectDigits, OpenTap, SendDigits, StopPlay
from cdr.records import CallEnded, EvidenceStored, SegmentClosed, SegmentOpened
from recording.permit import Basis, decode
from recording.spec import decode_tap
from sip.events import (
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.call_rig import TRUNK_HOST, House, extension, open_house
from tests.unit.b2bua.calls.fake_plane import RecordingAsked, RecordingStopped
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B, hold, internal, outgoing
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102", "manual"), extension("103")
ATTESTING = extension("102", "manual", consent="attested")
RECORDING = extension("102", "automatic")

BEEP, TWO_BEEPS, WAITING = "tone/beep", "tone/two-beeps", "tone/waiting"
MUSIC = "music/hold"


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


# --- an outgoing call: the other side is asked when the key is pressed


async def question(house: House) -> tuple[Phone, Phone]:
    """Have the extension press its key, and the other side hear enough of the question."""
    alice, outside = await outgoing(house)
    house.plane.dial_code(A)
    await asyncio.sleep(5)
    assert (house.plane.heard(A), house.plane.heard(B)) == ([WAITING], ["de/consent-ask"])
    assert not house.plane.recorded
    assert not house.joined
    return alice, outside


@virtual
async def test_the_other_side_agrees(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        assert (house.plane.heard(A)[1:], house.plane.heard(B)[1:]) == ([BEEP], [BEEP])
        assert house.joined
        assert [tap.leg_id for tap in house.plane.of(OpenTap)] == [A, B]
        assert decode(house.plane.of(OpenTap)[1].permit).basis is Basis.CONSENT
        assert house.journal.of(SegmentOpened)[0].started_by == "ext:102"
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        assert house.plane.heard(B)[2:] == [TWO_BEEPS, BEEP], "it agreed once: no second question"
        row = await house.hang_up(alice, outside)
        asked = [each for each in house.evidence if each[0] == "consent"]
        assert asked == [("consent", "granted")]
    assert row.outcome == "recorded"


@pytest.mark.parametrize(
    ("key", "said", "reason"),
    [
        ("2", "consent-refused", "refused_by_key"),
        ("", "consent-timed-out", "refused_by_silence"),
    ],
)
@virtual
async def test_the_other_side_does_not_agree(
    tmp_path: Path, key: str, said: str, reason: str
) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        if key:
            house.plane.press(B, key)
        await asyncio.sleep(20)
        assert house.plane.heard(B)[1:] == [f"de/{said}"]
        assert house.plane.heard(A)[1:] == [TWO_BEEPS]
        assert house.joined
        assert not house.plane.hears(A)
        assert not house.plane.hears(B)
        row = await house.hang_up(alice, outside)
        assert not house.plane.recorded
        assert (row.outcome, row.outcome_reason) == ("refused", reason)


@virtual
async def test_the_askers_own_key_is_no_answer(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        house.plane.press(A, "1")
        await asyncio.sleep(0.1)
        alice.info_key("1")
        await alice.take(RequestCompleted)
        assert house.evidence == []
        assert not house.plane.recorded
        await house.hang_up(alice, outside)


@virtual
async def test_the_answer_as_info_goes_no_further(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        outside.info_key("1")
        assert (await outside.take(RequestCompleted)).code == 200
        await asyncio.sleep(5)
        assert house.plane.of(SendDigits) == []
        assert (await house.hang_up(alice, outside)).outcome == "recorded"
        assert house.journal.of(EvidenceStored)[0].transport == "info"


@virtual
async def test_a_second_press_takes_the_question_back(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        assert house.plane.heard(A) == [WAITING, TWO_BEEPS]
        assert house.plane.heard(B) == ["de/consent-ask"]
        assert house.joined
        assert not house.plane.hears(B)
        house.plane.press(B, "1")
        await asyncio.sleep(3)
        row = await house.hang_up(alice, outside)
        assert not house.plane.recorded
        assert house.evidence == [("consent", "cancelled")]
    assert (row.outcome, row.outcome_reason) == ("not_wanted", "not_started")


@virtual
async def test_the_key_pressed_during_the_answer_to_a_no_asks_anew(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        house.plane.press(B, "2")
        await asyncio.sleep(1)
        house.plane.dial_code(A)
        await asyncio.sleep(5)
        assert house.plane.heard(B) == ["de/consent-ask", "de/consent-refused", "de/consent-ask"]
        assert house.plane.heard(A) == [WAITING, WAITING]
        assert not house.joined
        assert house.plane.hears(A)
        assert house.plane.hears(B)
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        assert house.plane.heard(A)[-1] == house.plane.heard(B)[-1] == BEEP
        assert (await house.hang_up(alice, outside)).outcome == "recorded"


@virtual
async def test_an_attested_start_during_the_answer_to_a_no_sounds_like_one(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, extension("102", "automatic", consent="attested")) as house:
        alice, outside = await outgoing(house)
        await asyncio.sleep(6)
        house.plane.press(B, "2")
        await asyncio.sleep(1)
        house.plane.dial_code(A)
        await asyncio.sleep(5)
        assert house.plane.heard(B) == ["de/consent", "de/consent-refused", BEEP]
        assert house.plane.heard(A) == [WAITING, BEEP]
        assert house.joined, "they talk"
        stopped = [m.leg_id for m in house.plane.of(StopPlay)]
        assert stopped == [], "the beep is not cut off"
        await house.hang_up(alice, outside)


@virtual
async def test_a_side_that_hangs_up_on_the_question_has_said_no(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        row = await house.hang_up(outside, alice)
        assert house.evidence == [("consent", "refused")]
    assert (row.outcome, row.outcome_reason) == ("refused", "refused_by_leaving")


@virtual
async def test_an_asker_who_hangs_up_takes_the_question_back(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        row = await house.hang_up(alice, outside)
        assert house.evidence == [("consent", "cancelled")]
        assert not house.plane.recorded
    assert row.outcome == "not_wanted"


@virtual
async def test_a_refresh_passes_while_the_question_is_asked(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        outside.reinvite(sdp(TRUNK_HOST, version=2, port=4002))
        alice.accept(await alice.take(ReinviteReceived))
        assert (await outside.take(RequestCompleted)).code == 200
        assert not house.joined, "the question is not over"
        alice.reinvite(sdp(alice.host, version=2, port=4002))
        outside.accept(await outside.take(ReinviteReceived))
        assert (await alice.take(RequestCompleted)).code == 200
        assert house.evidence == []
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        assert (await house.hang_up(alice, outside)).outcome == "recorded"


@virtual
async def test_a_hold_of_the_asked_side_is_a_no_and_passes(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        outside.reinvite(sdp(TRUNK_HOST, direction="sendonly", version=2))
        held = await alice.take(ReinviteReceived)
        assert b"a=sendonly" in held.request.body
        alice.accept(held, body=sdp(alice.host, direction="recvonly", version=2))
        assert (await outside.take(RequestCompleted)).code == 200
        row = await house.hang_up(alice, outside)
        assert not house.plane.recorded
    assert (row.outcome, row.outcome_reason) == ("refused", "refused_by_leaving")


@virtual
async def test_pressed_on_hold_the_question_waits_for_the_end_of_the_hold(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await outgoing(house)
        await hold(alice, outside, "sendonly", 2)
        assert await alice.request("INFO", ("Record", "on")) == 200
        await asyncio.sleep(4)
        assert await alice.request("INFO", ("Record", "on")) == 200
        await asyncio.sleep(4)
        assert house.plane.heard(A) == ["de/recording-asked"] * 2
        assert house.plane.heard(B) == [MUSIC]
        await hold(alice, outside, "sendrecv", 3)
        await asyncio.sleep(5)
        assert house.plane.heard(B) == [MUSIC, "de/consent-ask"]
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        assert (await house.hang_up(alice, outside)).outcome == "recorded"
        assert house.journal.of(SegmentOpened)[0].started_by == "ext:102"


@virtual
async def test_a_question_that_waits_can_be_taken_back(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await outgoing(house)
        await hold(alice, outside, "sendonly", 2)
        house.plane.dial_code(A)
        await asyncio.sleep(4)
        house.plane.dial_code(A)
        await asyncio.sleep(4)
        assert house.plane.heard(A) == ["de/recording-asked", TWO_BEEPS]
        await hold(alice, outside, "sendrecv", 3)
        await asyncio.sleep(5)
        assert house.plane.heard(B) == [MUSIC]
        assert (await house.hang_up(alice, outside)).outcome == "not_wanted"


@virtual
async def test_attested_the_key_starts_at_once_and_both_hear_it(tmp_path: Path) -> None:
    async with open_house(tmp_path, ATTESTING) as house:
        alice, outside = await outgoing(house)
        house.plane.dial_code(A)
        await asyncio.sleep(5)
        assert house.plane.heard(A) == house.plane.heard(B) == [BEEP]
        assert ("attested", "granted") in house.evidence
        permits = [decode(tap.permit).basis for tap in house.plane.of(OpenTap)]
        assert permits == [Basis.OPT_IN, Basis.ATTESTED]
        attested = next(r for r in house.journal.of(EvidenceStored) if r.kind == "attested")
        assert attested.extension == "102"
        assert (await house.hang_up(alice, outside)).outcome == "recorded"


@virtual
async def test_who_can_not_be_asked_is_not_recorded(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice = house.phone("102")
        outside = house.outside(info=False)
        alice.dial("0301234")
        outside.answer(await outside.take(InviteOffered), sdp(TRUNK_HOST, formats="8"))
        await alice.take(InviteAnswered)
        await asyncio.sleep(1)
        house.plane.dial_code(A)
        await asyncio.sleep(5)
        assert (house.plane.heard(A), house.plane.heard(B)) == (["de/not-allowed"], [])
        row = await house.hang_up(alice, outside)
        assert not house.plane.recorded
    assert (row.outcome, row.outcome_reason) == ("blocked", "no_key")


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


# --- an outgoing call that is to be recorded from its begin


@virtual
async def test_the_other_side_is_asked_before_anybody_talks(tmp_path: Path) -> None:
    async with open_house(tmp_path, RECORDING) as house:
        alice, outside = house.phone("102"), house.outside()
        alice.dial("0301234", sdp(alice.host, formats="9 8 0 101"))
        offered = await outside.take(InviteOffered)
        formats = SessionDescription.parse(offered.request.body).media[0].formats
        assert "9" not in formats, "we are going to speak, so it has to be G.711"
        assert offered.request.uri.user == "301234"
        outside.answer(offered)
        await alice.take(InviteAnswered)
        await asyncio.sleep(6)
        assert (house.plane.heard(A), house.plane.heard(B)) == ([WAITING], ["de/consent"])
        assert not house.plane.recorded
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        assert house.plane.heard(A) == [WAITING], "no beep: nobody pressed a key"
        assert house.joined
        assert not house.plane.hears(A)
        assert not house.plane.hears(B)
        assert house.journal.of(SegmentOpened)[0].started_by == "automatic"
        assert (await house.hang_up(alice, outside)).outcome == "recorded"


@virtual
async def test_a_no_at_the_begin_connects_unrecorded(tmp_path: Path) -> None:
    async with open_house(tmp_path, RECORDING) as house:
        alice, outside = await outgoing(house)
        await asyncio.sleep(5)
        house.plane.press(B, "5")
        await asyncio.sleep(5)
        assert house.plane.heard(B) == ["de/consent", "de/consent-refused"]
        assert house.plane.heard(A) == [WAITING]
        assert not house.plane.hears(A)
        assert house.joined
        row = await house.hang_up(alice, outside)
        assert not house.plane.recorded
    assert (row.outcome, row.outcome_reason) == ("refused", "refused_by_key")


@virtual
async def test_an_asker_without_an_offer_of_its_own_is_recorded_whole(tmp_path: Path) -> None:
    """What it may send is known with its ACK; the taps must know it, too."""
    async with open_house(tmp_path, RECORDING) as house:
        alice, outside = house.phone("102"), house.outside()
        alice.dial("0301234", b"")
        outside.answer(await outside.take(InviteOffered))
        await alice.take(InviteAnswered)
        alice.ack()
        await asyncio.sleep(6)
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        for tap in house.plane.of(OpenTap):
            assert {f.payload_type for f in decode_tap(tap.spec).formats} == {0, 8, 101}
        assert (await house.hang_up(alice, outside)).outcome == "recorded"


@virtual
async def test_nobody_is_asked_before_the_asker_has_said_where_it_listens(tmp_path: Path) -> None:
    async with open_house(tmp_path, RECORDING) as house:
        alice, outside = house.phone("102"), house.outside()
        alice.dial("0301234", b"")
        outside.answer(await outside.take(InviteOffered))
        await alice.take(InviteAnswered)
        await asyncio.sleep(5)
        assert house.plane.heard(B) == [], "a yes now would tap a leg of which nothing is known"
        alice.ack()
        await asyncio.sleep(5)
        assert (house.plane.heard(A), house.plane.heard(B)) == ([WAITING], ["de/consent"])
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        assert (await house.hang_up(alice, outside)).outcome == "recorded"


# --- media that change


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


@virtual
async def test_a_refused_reinvite_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        told, joins = house.remotes(A), len(house.joins)
        alice.reinvite(sdp(alice.host, port=4444, version=2))
        bob.accept(await bob.take(ReinviteReceived), 488)
        assert (await alice.take(RequestCompleted)).code == 488
        assert (house.remotes(A), len(house.joins)) == (told, joins)
        alice.reinvite(sdp(alice.host, port=4444, version=3))
        bob.accept(await bob.take(ReinviteReceived))
        assert (await alice.take(RequestCompleted)).code == 200
        assert house.remotes(A) == [*told, 4444]
        await house.hang_up(alice, bob)


@pytest.mark.parametrize("body", [b"nonsense", b"v=0\r\n"])
@virtual
async def test_a_reinvite_that_can_not_be_used_goes_no_further(tmp_path: Path, body: bytes) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.reinvite(body)
        assert (await alice.take(RequestCompleted)).code == 488
        assert bob.untold == []
        await house.hang_up(alice, bob)


@virtual
async def test_an_answer_to_a_reinvite_that_can_not_be_used_is_488_to_who_offered(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.reinvite(sdp(alice.host, version=2, port=4002))
        bob.accept(await bob.take(ReinviteReceived), body=b"nonsense")
        assert (await alice.take(RequestCompleted)).code == 488
        await house.hang_up(alice, bob)


@virtual
async def test_a_codec_that_we_can_not_decode_makes_no_recording(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        alice.dial("103", sdp(alice.host, formats="18 101"))
        bob.answer(await bob.take(InviteOffered), sdp(bob.host, formats="18 101"))
        await alice.take(InviteAnswered)
        await asyncio.sleep(1)
        house.plane.dial_code(A)
        await asyncio.sleep(3)
        row = await house.hang_up(alice, bob)
        assert not house.plane.recorded
    assert (row.outcome, row.outcome_reason) == ("failed", "unknown_codec")
    assert row.outcome_params == {"codec": "G729"}


@virtual
async def test_who_has_gone_to_a_codec_that_we_do_not_speak_has_not_agreed(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await outgoing(house)
        outside.reinvite(sdp(TRUNK_HOST, formats="18 101", version=2))
        again = await alice.take(ReinviteReceived)
        alice.accept(again, body=sdp(alice.host, formats="18 101", version=2))
        assert (await outside.take(RequestCompleted)).code == 200
        house.plane.dial_code(A)
        await asyncio.sleep(1)
        assert house.plane.heard(B) == []
        row = await house.hang_up(alice, outside)
        assert house.evidence == [("consent", "timed_out")]
        assert not house.plane.recorded
    assert row.outcome == "refused"


@virtual
async def test_a_refresh_without_an_offer_gets_what_stands(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        told = house.remotes(A)
        alice.reinvite(b"")
        answered = await alice.take(RequestCompleted)
        assert answered.response is not None
        assert SessionDescription.parse(answered.response.body).media[0].port == 20002
        bob.reinvite(sdp(bob.host, version=2, port=4002))
        assert (await bob.take(RequestCompleted)).code == 491, "Alice's answer is under way"
        alice.ack(sdp(alice.host, port=4444, version=2))
        await asyncio.sleep(0.1)
        assert house.remotes(A) == [*told, 4444]
        bob.reinvite(sdp(bob.host, version=2, port=4002))
        alice.accept(await alice.take(ReinviteReceived))
        assert (await bob.take(RequestCompleted)).code == 200
        await house.hang_up(alice, bob)


@virtual
async def test_a_refresh_whose_answer_can_not_be_used_ends_the_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        alice.reinvite(b"")
        await alice.take(RequestCompleted)
        alice.ack(b"nonsense")
        await alice.take(UsageEnded)
        await bob.take(UsageEnded)
        assert (await house.over()).disposition == "ANSWERED"


@virtual
async def test_a_yes_in_the_call_without_a_healthy_journal_lets_them_talk_on(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        house.journal.healthy = False
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        assert house.joined
        assert (house.plane.heard(A)[1:], house.plane.heard(B)[1:]) == ([TWO_BEEPS], [])
        row = await house.hang_up(alice, outside)
        assert not house.plane.recorded
    assert (row.outcome, row.outcome_reason) == ("failed", "no_evidence")


@virtual
async def test_after_a_yes_that_could_not_be_used_the_key_asks_nobody_again(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ALICE) as house:
        alice, outside = await question(house)
        house.journal.healthy = False
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        house.journal.healthy = True
        house.plane.dial_code(A)
        await asyncio.sleep(5)
        assert house.plane.heard(B)[1:] == [BEEP]
        assert len(house.plane.of(OpenTap)) == 2
        row = await house.hang_up(alice, outside)
    assert row.outcome == "failed", "what was said before is missing"


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


# --- the star code dialled as a call of its own


async def dialled(house: House, phone: Phone, leg: int) -> str:
    """Dial the record key as a call; returns what that call was told."""
    talking = phone.usage
    phone.dial("*1")
    await phone.take(InviteAnswered)
    await phone.take(UsageEnded)
    phone.usage = talking
    (said,) = house.plane.heard(leg)
    return said


@virtual
async def test_dialled_it_is_the_key_of_the_other_call(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        assert await dialled(house, alice, 3) == "de/recording-on"
        assert len(house.plane.of(OpenTap)) == 2
        await asyncio.sleep(3)
        assert await dialled(house, alice, 4) == "de/recording-off"
        row = await house.hang_up(alice, bob)
        assert len(house.journal.of(CallEnded)) == 1, "the dialled key has no row"
    assert row.outcome == "recorded"


@virtual
async def test_dialled_by_who_may_not_it_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        assert await dialled(house, bob, 3) == "de/not-allowed"
        await house.hang_up(alice, bob)
        assert not house.plane.recorded


@virtual
async def test_dialled_without_a_call_it_says_so(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        assert await dialled(house, house.phone("102"), 1) == "de/no-call"
        assert house.journal.records == []


@virtual
async def test_dialled_it_means_the_call_that_is_held(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, outside = await outgoing(house)
        held = alice.usage
        await hold(alice, outside, "sendonly", 2)
        assert await dialled(house, alice, 3) == "de/recording-asked"
        assert house.plane.heard(B) == [MUSIC]
        alice.usage = held
        await hold(alice, outside, "sendrecv", 3)
        await asyncio.sleep(5)
        assert house.plane.heard(B) == [MUSIC, "de/consent-ask"]
        house.plane.press(B, "1")
        await asyncio.sleep(5)
        assert (await house.hang_up(alice, outside)).outcome == "recorded"


@virtual
async def test_dialled_by_a_phone_without_a_codec_of_ours_it_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102")
        alice.dial("*1", sdp(alice.host, formats="18"))
        assert (await alice.take(InviteFailed)).code == 488


@virtual
async def test_dialled_without_an_offer_it_works_all_the_same(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice = house.phone("102")
        alice.dial("*1", b"")
        await alice.take(InviteAnswered)
        alice.ack()
        await alice.take(UsageEnded)
        assert house.plane.heard(1) == ["de/no-call"]


@virtual
async def test_dialled_and_hung_up_at_once_it_does_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        house.plane.ports = 0
        alice = house.phone("102")
        alice.dial("*1")
        assert (await alice.take(InviteFailed)).code == 503
        house.plane.ports = 2
        alice.dial("*1")
        await alice.take(InviteAnswered)
        alice.bye()
        await asyncio.sleep(20)
        assert house.plane.lent == {}
