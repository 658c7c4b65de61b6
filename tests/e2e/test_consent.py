"""Callers from outside who are asked: judged by the MP3, and by what both telephones heard."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codec.g711 import decode_alaw, decode_mulaw
from ivr.prompts import SHIPPED, PromptId
from tests.e2e.scripted import scripted_caller, scripted_extension
from tests.support import audio, ports
from tests.support.audio import Pcm
from tests.support.phones.baresip import Baresip, baresip
from tests.support.phones.phone import talk
from tests.support.prompts import HZ, QUESTION_S, SENTENCE_S
from tests.support.server import Server, server
from tests.support.trunk import (
    CALLER,
    DID,
    OTHER_HOST,
    dialled,
    outside_baresip,
    outside_pyvoip,
    trunk_settings,
)

AUTOMATIC = (("101", "automatic", True),)
MARKER_HZ = 520.0
"Said before the key: nobody may ever find it."
MARKER_S = 1.9
MARKER_LEVEL = -12.0
CALLER_HZ = 440.0
CLERK_HZ = 620.0
CALLER_SAYS = np.concatenate(
    (audio.tone(MARKER_HZ, MARKER_S, level=MARKER_LEVEL), audio.tone(CALLER_HZ, 60.0))
)
CLERK_SAYS = audio.tone(CLERK_HZ, 60.0)

QUESTION_HZ = HZ[PromptId.CONSENT]
RINGING_HZ = 425.0


@contextlib.asynccontextmanager
async def outside_call(
    *,
    mode: tuple[str, str, bool] = AUTOMATIC[0],
    settings: str = "",
) -> AsyncIterator[tuple[Server, Baresip, Baresip]]:
    """Start server, clerk and an outside caller whose call is under way."""
    port = ports.take(2)
    async with (
        server(settings + trunk_settings(port), (mode,), short=True) as under_test,
        baresip(under_test.setup("101", CLERK_SAYS)) as clerk,
        outside_baresip(under_test.folder / "out", CALLER_SAYS, port=port) as caller,
    ):
        await caller.dial(dialled(under_test.sip))
        yield under_test, clerk, caller


async def press(caller: Baresip, key: str) -> None:
    """Press a key when the question has said what it is about."""
    await caller.established()
    await talk(1.5)
    await caller.digit(key)


async def talk_and_end(clerk: Baresip, caller: Baresip) -> None:
    """Answer, when the marker has been said, and hang up."""
    await clerk.ringing()
    await talk(0.6)
    await clerk.answer()
    await clerk.established()
    await clerk.hears()
    await talk(2.5)
    await clerk.hang_up()
    await caller.closed()


def evidence(under_test: Server) -> list[dict[str, Any]]:
    """Return what an auditor finds about consent by key."""
    address = f"file:{under_test.data / 'mitschnitt.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
        database.row_factory = sqlite3.Row
        found = database.execute("SELECT * FROM evidence WHERE kind = 'consent'")
        return [dict(row) for row in found]


def assert_nowhere(folder: Path, hz: float) -> None:
    """Assert that no file below a folder holds a tone, whatever its octets are taken for."""
    for path in folder.rglob("*"):
        if not path.is_file() or path.stat().st_size < 2000 or "prompts" in path.parts:
            continue
        octets = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        readings: list[Pcm] = [decode_alaw(octets), decode_mulaw(octets)]
        readings.append(octets[: octets.size & ~1].view("<i2").astype(np.int16))
        if ".mp3" in path.name:
            readings.append(audio.decode(path))
        for pcm in readings:
            # The octets of a database may hum a little; what was said was loud.
            loud = [
                interval
                for interval in audio.tone_intervals(pcm, hz)
                if audio.tone_level(pcm, hz, *interval) > MARKER_LEVEL - 6.0
            ]
            assert not loud, f"{path} holds {hz} Hz at {loud}"


def assert_heard(pcm: Pcm, prompt: PromptId) -> None:
    assert audio.tone_intervals(pcm, HZ[prompt]), f"{prompt} was not heard"


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_caller_who_presses_1_is_recorded_from_the_answer_on() -> None:
    async with outside_call() as (under_test, clerk, caller):
        await press(caller, "1")
        await talk_and_end(clerk, caller)
        row = await under_test.the_call()
        assert (row["src"], row["dst"], row["disposition"]) == (CALLER, "101", "ANSWERED")
        assert row["outcome"] == "recorded", row
        assert row["billsec"] < row["duration"]
        pcm = audio.decode(under_test.recording(row))
        for hz in (CALLER_HZ, CLERK_HZ):
            (interval,) = audio.tone_intervals(pcm, hz)
            assert interval[1] - interval[0] > 2.0
        assert_nowhere(under_test.data, MARKER_HZ)
        heard = caller.heard()
        assert_heard(heard, PromptId.CONSENT)
        assert audio.tone_intervals(heard, RINGING_HZ), "the ringing tone is ours to make"
        audio.assert_no_tone(clerk.heard(), MARKER_HZ)
        (proof,) = evidence(under_test)
        assert (proof["decision"], proof["digit"], proof["transport"]) == (
            "granted",
            "1",
            "rfc4733",
        )
        assert (proof["prompt_id"], proof["prompt_language"]) == ("consent", "de")
        assert len(proof["prompt_sha256"]) == 64
        assert proof["rtp_ssrc"] is not None
        grounds = await under_test.rows("audit", "grounds")
        told = {ground["party"]: (ground["basis"], ground["how"]) for ground in grounds}
        assert told[CALLER] == ("consent", "heard consent (de) whole, pressed 1 (rfc4733)")
        assert told["101"][0] == "opt_in"
        assert all(check["ok"] for check in await under_test.rows("audit", "verify"))


@pytest.mark.peer("baresip", "ffmpeg")
async def test_another_key_is_a_no_at_once_and_the_call_is_connected() -> None:
    async with outside_call() as (under_test, clerk, caller):
        await press(caller, "2")
        await talk_and_end(clerk, caller)
        row = await under_test.the_call()
        assert (row["outcome"], row["outcome_reason"]) == ("refused", "refused_by_key")
        assert (row["disposition"], row["recordingfile"]) == ("ANSWERED", "")
        assert under_test.files() == []
        assert_heard(caller.heard(), PromptId.CONSENT_REFUSED)
        assert audio.tone_intervals(caller.heard(), CLERK_HZ)
        assert audio.tone_intervals(clerk.heard(), CALLER_HZ)
        (proof,) = evidence(under_test)
        assert (proof["decision"], proof["digit"]) == ("refused", "2")


@pytest.mark.peer("baresip", "ffmpeg")
async def test_silence_is_a_no() -> None:
    clock = asyncio.get_running_loop().time
    async with outside_call() as (under_test, clerk, caller):
        await caller.established()
        answered_at = clock()
        await clerk.ringing()
        # 0.3 s until it begins, the question, 5 s of patience, and the sentence about it.
        assert QUESTION_S + 5.0 + SENTENCE_S < clock() - answered_at < 12.0
        await clerk.answer()
        await clerk.hears()
        await talk(0.5)
        await clerk.hang_up()
        await caller.closed()
        row = await under_test.the_call()
        assert (row["outcome"], row["outcome_reason"]) == ("refused", "refused_by_silence")
        assert_heard(caller.heard(), PromptId.CONSENT)
        assert_heard(caller.heard(), PromptId.CONSENT_TIMED_OUT)
        assert under_test.files() == []


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_caller_who_leaves_during_the_question_rings_nobody() -> None:
    async with outside_call() as (under_test, clerk, caller):
        await caller.established()
        await talk(1.0)
        await caller.hang_up()
        await caller.closed()
        row = await under_test.the_call()
        assert (row["disposition"], row["outcome"]) == ("NO ANSWER", "not_connected")
        assert (row["billsec"], row["hangup_side"]) == (0, "caller")
        assert not clerk.has_seen("CALL_INCOMING")
        assert under_test.files() == []


@pytest.mark.peer("baresip", "sipp", "ffmpeg")
async def test_a_busy_extension_is_heard_as_busy() -> None:
    port = ports.take(2)
    async with (
        server(trunk_settings(port), AUTOMATIC, short=True) as under_test,
        scripted_extension(under_test, "101", "uas_busy") as clerk,
        outside_baresip(under_test.folder / "out", CALLER_SAYS, port=port) as caller,
    ):
        await caller.dial(dialled(under_test.sip))
        await press(caller, "1")
        await caller.closed()
        await clerk.finished()
        busy = audio.find_busy(caller.heard(), bursts=4)
        assert busy is not None
        row = await under_test.the_call()
        assert (row["disposition"], row["outcome"]) == ("BUSY", "not_connected")
        assert (row["hangup_side"], row["outcome_reason"]) == ("callee", "busy")
        assert under_test.files() == []


@pytest.mark.peer("baresip", "ffmpeg")
async def test_an_extension_that_does_not_answer_is_heard_as_not_available() -> None:
    async with outside_call(settings="[sip]\nring_timeout_s = 5\n") as (under_test, clerk, caller):
        await press(caller, "1")
        await clerk.ringing()
        await caller.closed()
        await clerk.closed()
        heard = caller.heard()
        assert_heard(heard, PromptId.NOT_AVAILABLE)
        assert audio.find_ringing(heard) is not None
        row = await under_test.the_call()
        assert (row["disposition"], row["outcome_reason"]) == ("NO ANSWER", "not_answered")
        assert under_test.files() == []


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_caller_who_leaves_while_it_rings_cancels_the_extension() -> None:
    async with outside_call() as (under_test, clerk, caller):
        await press(caller, "1")
        await clerk.ringing()
        await caller.hang_up()
        await clerk.closed()
        row = await under_test.the_call()
        assert (row["disposition"], row["outcome_reason"]) == ("NO ANSWER", "cancelled")
        assert under_test.files() == []


@pytest.mark.peer("baresip", "ffmpeg")
async def test_who_can_not_be_reached_is_refused_before_the_caller_pays() -> None:
    port = ports.take(2)
    limited = "[sip]\nmax_calls_per_extension = 1\n"
    dids = {DID: "101", "4930123451": "102"}
    async with (
        server(
            limited + trunk_settings(port, dids=dids),
            (*AUTOMATIC, ("102", "automatic", True), ("103", "off", False)),
            short=True,
        ) as under_test,
        baresip(under_test.setup("101", CLERK_SAYS)) as clerk,
        baresip(under_test.setup("103", CLERK_SAYS)) as colleague,
        outside_baresip(under_test.folder / "out", CALLER_SAYS, port=port) as caller,
    ):
        for number, status in (("4930999999", "404"), ("4930123451", "480")):
            seen = len(caller.events)
            await caller.dial(dialled(under_test.sip, number))
            closed = await caller.wait_event("CALL_CLOSED", after=seen)
            assert status in closed["param"]
        await clerk.dial(dialled(under_test.sip, "103"))
        await colleague.ringing()
        seen = len(caller.events)
        await caller.dial(dialled(under_test.sip))
        closed = await caller.wait_event("CALL_CLOSED", after=seen)
        assert "486" in closed["param"]
        assert not caller.has_seen("CALL_ESTABLISHED")


@pytest.mark.peer("baresip", "sipp", "ffmpeg")
@pytest.mark.parametrize(
    ("scenario", "outcome", "why"),
    [
        ("trunk_presses_by_info", "recorded", "recorded"),
        ("trunk_refreshes", "recorded", "recorded"),
        ("trunk_without_offer", "recorded", "recorded"),
        ("trunk_without_keys", "blocked", "no_key"),
        ("trunk_holds", "refused", "refused_by_leaving"),
    ],
)
async def test_what_callers_do_while_they_are_asked(scenario: str, outcome: str, why: str) -> None:
    port = ports.take(2)
    values = {"KEY_AFTER_MS": "1500", "AFTER_MS": "1000"}
    async with (
        server(trunk_settings(port), AUTOMATIC, short=True) as under_test,
        baresip(under_test.setup("101", CLERK_SAYS)) as clerk,
        scripted_caller(under_test, scenario, port=port, values=values) as caller,
    ):
        await clerk.ringing()
        await clerk.answer()
        await clerk.established()
        await talk(2.5)
        await clerk.hang_up()
        await caller.finished()
        row = await under_test.the_call()
        assert (row["outcome"], row["outcome_reason"]) == (outcome, why), row
        if outcome == "recorded":
            pcm = audio.decode(under_test.recording(row))
            assert audio.tone_intervals(pcm, CLERK_HZ)
        else:
            assert under_test.files() == []


@pytest.mark.peer("baresip", "ffmpeg")
@pytest.mark.parametrize(
    ("mode", "outcome"),
    [(("101", "off", False), "not_wanted"), (("101", "never", True), "not_wanted")],
)
async def test_nobody_is_asked_where_nothing_is_to_be_recorded(
    mode: tuple[str, str, bool], outcome: str
) -> None:
    async with outside_call(mode=mode) as (under_test, clerk, caller):
        await clerk.ringing()
        await clerk.answer()
        await caller.established()
        await clerk.hears()
        await talk(1.0)
        await clerk.hang_up()
        await caller.closed()
        row = await under_test.the_call()
        assert row["outcome"] == outcome, row
        audio.assert_no_tone(caller.heard(), QUESTION_HZ)
        assert under_test.files() == []


@pytest.mark.peer("baresip", "pyVoIP", "ffmpeg")
async def test_the_shipped_sentences_ask_a_pyvoip_caller() -> None:
    async with (
        server(trunk_settings(0, host=OTHER_HOST), AUTOMATIC) as under_test,
        baresip(under_test.setup("101", CLERK_SAYS)) as clerk,
        outside_pyvoip(under_test.folder / "out", CALLER_SAYS, server=under_test.sip) as caller,
    ):
        await caller.dial(DID)
        await caller.established()
        await talk(5.0)
        await caller.digit("1")
        await clerk.ringing()
        await clerk.answer()
        await clerk.established()
        await talk(2.5)
        await caller.hang_up()
        await clerk.closed()
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        question = audio.read_wav(SHIPPED / "de" / "consent.wav")[: 4 * audio.RATE]
        assert audio.find_sound(caller.heard(), question) is not None
        pcm = audio.decode(under_test.recording(row))
        assert audio.tone_intervals(pcm, CALLER_HZ)
        assert audio.tone_intervals(pcm, CLERK_HZ)
        assert_nowhere(under_test.data, MARKER_HZ)
