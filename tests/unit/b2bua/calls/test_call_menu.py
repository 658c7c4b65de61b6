"""An outside caller is asked before an extension that records by itself rings."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from b2bua.media.to_worker import CollectDigits, OpenTap
from cdr.records import CallIvrAnswered, CallRouted, EvidenceStored
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    RequestCompleted,
    UsageEnded,
)
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.call_rig import DID, TRUNK_HOST, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B, asked
from tests.unit.b2bua.calls.virtual_time import virtual

CLERK = extension("101", "automatic")

HOLD = sdp(TRUNK_HOST, direction="sendonly", version=2)


async def talked_unrecorded(house: House, caller: Phone, clerk: Phone) -> str:
    """Let the clerk answer, talk, and end it; returns why nothing was recorded."""
    clerk.answer(await clerk.take(InviteOffered))
    await asyncio.sleep(30)
    assert not house.plane.hears(A)
    row = await house.hang_up(caller, clerk)
    assert not house.plane.recorded
    return f"{row.outcome} {row.outcome_reason}"


@virtual
async def test_key_1_is_a_yes_and_only_then_is_anything_recorded(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        house.plane.press(A, "1")
        offered = await clerk.take(InviteOffered)
        assert house.evidence == [("consent", "granted")]
        assert not house.plane.recorded
        await asyncio.sleep(3)
        clerk.answer(offered)
        await asyncio.sleep(5)
        assert [tap.leg_id for tap in house.plane.of(OpenTap)] == [A, B]
        assert house.plane.heard(A) == ["de/consent", "tone/ringing"]
        assert not house.plane.hears(A)
        assert house.plane.heard(B) == []
        row = await house.hang_up(caller, clerk)
    assert (row.outcome, row.disposition, row.hangup_side) == ("recorded", "ANSWERED", "caller")
    assert row.recordingfile.endswith(".mp3")
    assert (row.duration, row.billsec) == (14, 5)
    assert house.evidence == [("consent", "granted"), ("opt_in", "granted")]
    (routed,) = house.journal.of(CallRouted)
    assert (routed.direction, routed.dst, routed.did) == ("incoming", "101", DID)
    assert len(house.journal.of(CallIvrAnswered)) == 1


@virtual
async def test_the_evidence_of_a_yes_holds_every_fact(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        house.plane.press(A, "1")
        await clerk.take(InviteOffered)
        row = house.journal.of(EvidenceStored)[0]
        assert (row.prompt_id, row.prompt_language, row.digit) == ("consent", "de", "1")
        assert (row.transport, row.rtp_ssrc, row.rtp_timestamp) == ("rfc4733", 0xABCD, 8000)
        assert row.prompt_played_ms == pytest.approx(5000, abs=20)
        assert row.prompt_completed is False
        assert row.prompt_sha256 is not None
        assert len(row.prompt_sha256) == 64
        assert row.sip_call_id == caller.endpoint.calls.dialog(caller.usage).call_id
        caller.bye()
        await clerk.take(InviteCancelled)


Act = Callable[[House, Phone], Awaitable[None]]


async def other_key(house: House, _caller: Phone) -> None:
    house.plane.press(A, "2")


async def silence(_house: House, _caller: Phone) -> None:
    await asyncio.sleep(9)


async def hold(_house: House, caller: Phone) -> None:
    caller.reinvite(HOLD)
    assert b"a=recvonly" in (await caller.response()).body


async def late_hold(_house: House, caller: Phone) -> None:
    """Hold by the answer to an offer of ours."""
    caller.reinvite(b"")
    answered = await caller.take(RequestCompleted)
    assert answered.code == 200
    caller.ack(HOLD)


async def transfer(_house: House, caller: Phone) -> None:
    assert await caller.request("REFER", ("Refer-To", "<sip:x@192.0.2.9>")) == 603


@pytest.mark.parametrize(
    ("act", "stored", "said", "reason"),
    [
        (other_key, ("refused", None), "consent-refused", "refused_by_key"),
        (silence, ("timed_out", None), "consent-timed-out", "refused_by_silence"),
        (hold, ("refused", "hold"), "consent-refused", "refused_by_leaving"),
        (late_hold, ("refused", "hold"), "consent-refused", "refused_by_leaving"),
        (transfer, ("refused", "transfer"), "consent-refused", "refused_by_leaving"),
    ],
)
@virtual
async def test_whatever_else_happens_is_a_no_and_the_call_goes_on(
    tmp_path: Path, act: Act, stored: tuple[str, str | None], said: str, reason: str
) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        await act(house, caller)
        outcome = await talked_unrecorded(house, caller, clerk)
        assert outcome == f"refused {reason}"
        assert house.plane.heard(A) == ["de/consent", f"de/{said}", "tone/ringing"]
        (row,) = house.journal.of(EvidenceStored)
        assert (row.decision, row.note) == stored


@virtual
async def test_a_caller_who_hangs_up_during_the_question_has_said_no(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        caller.bye()
        row = await house.over()
        assert clerk.untold == []
    assert (row.outcome, row.outcome_reason) == ("not_connected", "cancelled")
    assert (row.disposition, row.hangup_side) == ("NO ANSWER", "caller")
    assert house.evidence == [("consent", "refused")]
    assert house.journal.of(EvidenceStored)[0].note == "bye"


@virtual
async def test_a_refresh_of_the_session_is_no_answer(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        caller.reinvite(sdp(TRUNK_HOST))
        first = await caller.response()
        caller.reinvite(sdp(TRUNK_HOST))
        second = await caller.response()
        assert first.body == second.body, "nothing changed: the same version"
        assert house.evidence == []
        house.plane.press(A, "1")
        await clerk.take(InviteOffered)
        assert house.evidence == [("consent", "granted")]
        caller.bye()
        await clerk.take(InviteCancelled)


@virtual
async def test_a_refresh_without_an_offer_gets_ours_and_is_no_answer(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        caller.reinvite(b"")
        answer = (await caller.response()).body
        assert SessionDescription.parse(answer).media[0].port == 20002
        caller.ack()
        await asyncio.sleep(0.1)
        house.plane.press(A, "1")
        await clerk.take(InviteOffered)
        assert house.evidence == [("consent", "granted")]
        caller.bye()
        await clerk.take(InviteCancelled)


@virtual
async def test_a_reinvite_that_can_not_be_used_is_refused_and_changes_nothing(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        caller.reinvite(sdp(TRUNK_HOST, formats="18"))
        assert (await caller.take(RequestCompleted)).code == 488
        house.plane.press(A, "1")
        await clerk.take(InviteOffered)
        caller.bye()
        await clerk.take(InviteCancelled)


@virtual
async def test_a_key_as_info_counts(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        caller.info_key("1")
        await clerk.take(InviteOffered)
        row = house.journal.of(EvidenceStored)[0]
        assert (row.decision, row.digit, row.transport) == ("granted", "1", "info")
        assert (await caller.take(RequestCompleted)).code == 200
        caller.bye()
        await clerk.take(InviteCancelled)


@virtual
async def test_info_without_a_key_is_no_answer(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        assert await caller.request("INFO") == 415
        assert await caller.request("INFO", ("Record", "on")) == 480
        assert await caller.request("OPTIONS") == 200
        assert house.evidence == []
        caller.bye()
        await house.over()
        assert clerk.untold == []


@virtual
async def test_a_key_of_another_leg_is_no_answer(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        house.plane.press(B, "1")
        await asyncio.sleep(0.1)
        assert house.evidence == []
        outcome = await talked_unrecorded(house, caller, clerk)
    assert outcome == "refused refused_by_silence"


@virtual
async def test_a_key_counts_only_when_it_is_clear_what_is_asked(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = house.outside(), house.phone("101")
        caller.dial(DID)
        await caller.take(InviteAnswered)
        await asyncio.sleep(4)  # 3 s of the prompt; the set point is at 3.7 s
        house.plane.press(A, "1")
        outcome = await talked_unrecorded(house, caller, clerk)
    assert outcome == "refused refused_by_silence"


@virtual
async def test_keys_of_the_asked_party_are_heard_and_not_passed_on(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        (listening,) = house.plane.of(CollectDigits)
        assert (listening.leg_id, listening.payload_types, listening.forward) == (A, (101,), False)
        caller.bye()
        await house.over()
        assert clerk.untold == []


@pytest.mark.parametrize("packet_after", [None, 0.0, 0.5, 5.0])
def test_the_question_begins_when_the_ear_is_open(
    tmp_path: Path, packet_after: float | None
) -> None:
    """300 ms after the first packet, but at the latest 1 s after the ACK."""

    @virtual
    async def run() -> None:
        async with open_house(tmp_path, CLERK) as house:
            caller = house.outside()
            house.phone("101")
            caller.dial(DID)
            await caller.take(InviteAnswered)
            await asyncio.sleep(0.001)
            began = house.now
            if packet_after is not None:
                await asyncio.sleep(packet_after)
                house.plane.packet(A)
            await asyncio.sleep(2)
            due = 1.0 if packet_after is None else min(1.0, packet_after + 0.3)
            assert house.plane.began[A] - began == pytest.approx(due, abs=0.01)
            assert house.plane.heard(A) == ["de/consent"]
            caller.bye()
            await house.over()

    run()


@pytest.mark.parametrize("law", ["8", "0"])
@virtual
async def test_who_has_no_keys_is_not_asked_and_not_recorded(tmp_path: Path, law: str) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = house.outside(info=False), house.phone("101")
        caller.dial(DID, sdp(TRUNK_HOST, formats=law))
        await caller.take(InviteAnswered)
        outcome = await talked_unrecorded(house, caller, clerk)
        assert outcome == "blocked no_key"
        assert house.plane.heard(A) == ["tone/ringing"]
        assert house.evidence == []


@virtual
async def test_a_caller_without_a_codec_of_ours_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = house.outside(), house.phone("101")
        caller.dial(DID, sdp(TRUNK_HOST, formats="18 101"))
        assert (await caller.take(InviteFailed)).code == 488
        row = await house.over()
        assert clerk.untold == []
    assert (row.disposition, row.outcome) == ("FAILED", "not_connected")


@virtual
async def test_a_caller_without_an_offer_gets_ours_and_is_asked(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = house.outside(), house.phone("101")
        caller.dial(DID, b"")
        answered = await caller.take(InviteAnswered)
        formats = SessionDescription.parse(answered.response.body).media[0].formats
        assert set(formats) == {"8", "0", "101"}
        await asyncio.sleep(3)
        assert house.plane.heard(A) == [], "it has not said yet where it listens"
        caller.ack()
        await asyncio.sleep(6)
        house.plane.press(A, "1")
        clerk.answer(await clerk.take(InviteOffered))
        await asyncio.sleep(5)
        caller.bye()
        assert (await house.over()).outcome == "recorded"
        await clerk.take(UsageEnded)


@pytest.mark.parametrize("answer", [b"", b"nonsense", sdp(TRUNK_HOST, formats="9")])
@virtual
async def test_an_answer_that_can_not_be_used_ends_the_call(tmp_path: Path, answer: bytes) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = house.outside(), house.phone("101")
        caller.dial(DID, b"")
        await caller.take(InviteAnswered)
        caller.ack(answer)
        await caller.take(UsageEnded)
        row = await house.over()
        assert (row.disposition, row.outcome) == ("FAILED", "not_connected")
        assert clerk.untold == []


@virtual
async def test_a_caller_who_never_acknowledges_is_given_up(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = house.outside(), house.phone("101")
        house.lose = lambda data, _to: data.startswith(b"ACK ")
        caller.dial(DID)
        await caller.take(InviteAnswered)
        row = await house.over()
        assert row.outcome == "not_connected"
        assert house.plane.heard(A) == []
        assert clerk.untold == []


@virtual
async def test_a_worker_that_tells_nothing_of_the_prompt_means_no(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        house.plane.silent = True
        caller, clerk = house.outside(), house.phone("101")
        caller.dial(DID)
        await caller.take(InviteAnswered)
        outcome = await talked_unrecorded(house, caller, clerk)
    assert outcome == "refused refused_by_silence"


@virtual
async def test_the_operator_chooses_the_longer_announcement(tmp_path: Path) -> None:
    toml = '[consent]\nprompt = "consent-otherwise"\n'
    async with open_house(tmp_path, CLERK, toml=toml) as house:
        caller, clerk = house.outside(), house.phone("101")
        caller.dial(DID)
        await caller.take(InviteAnswered)
        outcome = await talked_unrecorded(house, caller, clerk)
        assert house.plane.heard(A)[0] == "de/consent-otherwise"
        assert house.journal.of(EvidenceStored)[0].prompt_id == "consent-otherwise"
    assert outcome == "refused refused_by_silence"


@virtual
async def test_a_yes_without_a_healthy_journal_records_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path, CLERK) as house:
        caller, clerk = await asked(house)
        house.journal.healthy = False
        house.plane.press(A, "1")
        clerk.answer(await clerk.take(InviteOffered))
        await asyncio.sleep(5)
        house.plane.dial_code(B)
        await asyncio.sleep(5)
        assert house.plane.heard(B) == ["de/not-allowed"]
        assert not house.plane.recorded
        row = await house.hang_up(caller, clerk)
    assert (row.outcome, row.outcome_reason) == ("failed", "no_evidence")
