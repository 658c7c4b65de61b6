"""Offers in every form, between scripted telephones, and what their recording holds."""

import asyncio
import itertools
import time

import pytest

from tests.e2e.recorded import BOTH_RECORDED
from tests.e2e.voices import assert_speaks, assert_unheard, first, voice
from tests.support import audio
from tests.support.phones.phone import PhoneError, talk
from tests.support.phones.wire import ALLOW, WirePhone, extension_phone
from tests.support.server import server

ALICE_HZ, BOB_HZ = 500.0, 700.0

KNOWS_ALL = ALLOW.replace("\r\n", ", PRACK, UPDATE\r\n")
RELIABLE = "Supported: 100rel, timer\r\n"

SHORT_FILES = "[recording]\nmin_duration_s = 0.3\n"

HELD_S = 1.0


def direction(message: str) -> str:
    (found,) = {"sendrecv", "sendonly", "recvonly", "inactive"} & {
        line.removeprefix("a=") for line in message.split("\r\n")
    }
    return found


async def connect(alice: WirePhone, bob: WirePhone) -> None:
    await alice.dial("102")
    await bob.ringing()
    await bob.answer()
    await alice.established()


@pytest.mark.peer("ffmpeg")
async def test_early_media_is_promised_reliably_and_the_recording_begins_with_the_answer() -> None:
    async with (
        server(SHORT_FILES, BOTH_RECORDED) as under_test,
        extension_phone(under_test, "101", voice(ALICE_HZ)) as alice,
        extension_phone(under_test, "102", voice(BOB_HZ)) as bob,
    ):
        alice.allow = bob.allow = KNOWS_ALL
        alice.wishes = RELIABLE
        await alice.dial("102")
        await bob.ringing()
        bob.early_reliably()
        await alice.rtp.hears(BOB_HZ)
        assert bob.requests == ["INVITE", "PRACK"]
        await bob.answer(again=False)
        await alice.established()
        assert not alice.requests, "the early description was the answer"
        await talk(1.5)
        await alice.hang_up()
        await bob.closed()
        row = await under_test.the_call()
        assert (row["disposition"], row["outcome"]) == ("ANSWERED", "recorded")
        recording = audio.decode(under_test.recording(row))
        for hz in (ALICE_HZ, BOB_HZ):
            assert_speaks(recording, hz, 0.4, 1.4)
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize("bob_knows", [KNOWS_ALL, ALLOW], ids=["UPDATE", "re-INVITE"])
async def test_a_hold_by_update_ends_by_a_late_offer_in_the_same_file(bob_knows: str) -> None:
    """In the old spelling; Bob, who is held, says nothing meanwhile that anybody hears."""
    async with (
        server(SHORT_FILES, BOTH_RECORDED) as under_test,
        extension_phone(under_test, "101", voice(ALICE_HZ)) as alice,
        extension_phone(under_test, "102", voice(BOB_HZ)) as bob,
    ):
        alice.allow, bob.allow = KNOWS_ALL, bob_knows
        await connect(alice, bob)
        await alice.rtp.hears(BOB_HZ)
        await bob.rtp.hears(ALICE_HZ)
        await talk(1.0)
        answer = await alice.update("sendonly", address="0.0.0.0")  # noqa: S104 - a hold
        assert direction(answer) == "recvonly"
        changed = "UPDATE" if bob_knows == KNOWS_ALL else "INVITE"
        assert bob.requests[-1 if changed == "UPDATE" else -2] == changed
        alice.rtp.say(audio.silence(1.0))
        await talk(HELD_S)
        alice.rtp.say(voice(ALICE_HZ))
        offer = await alice.ask_for_an_offer()
        assert direction(offer) == "sendrecv"
        back = time.monotonic()
        await alice.rtp.hears(BOB_HZ, since=back)
        await bob.rtp.hears(ALICE_HZ, since=back)
        assert bob.requests[-2:] == ["INVITE", "ACK"], "and Bob was told"
        await talk(1.0)
        await alice.hang_up()
        await bob.closed()
        row = await under_test.the_call()
        assert row["outcome"] == "recorded"
        assert under_test.files() == [under_test.recording(row)]
        recording = audio.decode(under_test.recording(row))
        spoken = audio.tone_intervals(recording, ALICE_HZ)
        pauses = [after[0] - before[1] for before, after in itertools.pairwise(spoken)]
        assert any(abs(pause - HELD_S) < 0.4 for pause in pauses), spoken
        await under_test.stop()


@pytest.mark.peer("ffmpeg")
async def test_a_late_caller_who_wants_too_short_a_session_and_two_offers_at_once() -> None:
    async with (
        server(SHORT_FILES, BOTH_RECORDED) as under_test,
        extension_phone(under_test, "101", voice(ALICE_HZ)) as alice,
        extension_phone(under_test, "102", voice(BOB_HZ)) as bob,
    ):
        alice.wishes = f"{RELIABLE}Session-Expires: 30\r\n"
        await alice.dial("102", late=True)
        with pytest.raises(PhoneError, match="422"):
            await alice.established()
        alice.wishes = f"{RELIABLE}Session-Expires: 90\r\n"
        await alice.dial("102", late=True)
        await bob.ringing()
        await bob.answer()
        await alice.established()
        await alice.rtp.hears(BOB_HZ)
        await bob.rtp.hears(ALICE_HZ)
        answers = await asyncio.gather(alice.offer("sendonly"), bob.offer("sendonly"))
        codes = [answer[8:11] for answer in answers]
        assert "491" in codes, codes
        await talk(0.3)
        assert direction(await alice.renegotiate()) in {"sendrecv", "recvonly"}
        assert direction(await bob.renegotiate()) == "sendrecv"
        since = time.monotonic()
        await alice.rtp.hears(BOB_HZ, since=since)
        await bob.rtp.hears(ALICE_HZ, since=since)
        await talk(0.5)
        await bob.hang_up()
        await alice.closed()
        row = await under_test.the_call()
        assert row["outcome"] == "recorded"
        recording = audio.decode(under_test.recording(row))
        assert_unheard(recording, 2000.0)
        assert first(recording, ALICE_HZ) < 0.5
        await under_test.stop()
