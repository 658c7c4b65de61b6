"""The record key towards somebody outside: the other side is asked, and has the last word."""

import asyncio
from pathlib import Path

import pytest

from b2bua.media.to_worker import OpenTap, SendDigits, StopPlay
from cdr.records import EvidenceStored, SegmentOpened
from recording.permit import Basis, decode
from recording.spec import decode_tap
from sip.events import InviteAnswered, InviteOffered, ReinviteReceived, RequestCompleted
from sip.sdp import SessionDescription
from tests.unit.b2bua.calls.call_rig import TRUNK_HOST, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import A, B, hold, outgoing
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE = extension("102", "manual")
ATTESTING = extension("102", "manual", consent="attested")
RECORDING = extension("102", "automatic")

BEEP, TWO_BEEPS, WAITING = "tone/beep", "tone/two-beeps", "tone/waiting"
MUSIC = "music/hold"


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


# --- a call that is to be recorded from its begin


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


# --- a yes that can not be kept


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
