"""Calls from an extension to the outside: asked after the answer, or not allowed to be.

Each party says something else before the key than after it, so that the file itself tells
whether anything in it was said before.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ivr.prompts import PromptId
from tests.e2e.voices import assert_speaks, assert_unheard, first, shipped, voice
from tests.support import audio, ports
from tests.support.audio import Pcm
from tests.support.phones.baresip import Baresip, baresip
from tests.support.phones.phone import talk
from tests.support.phones.wire import extension_phone, wire_phone
from tests.support.prompts import HZ
from tests.support.server import Server, server
from tests.support.trunk import OUTGOING, outside_baresip, trunk_settings

AUTOMATIC = (("101", "automatic", True),)
NUMBER = "4989555"
DIALLED = f"0{NUMBER}"

OURS_BEFORE, OURS = 500.0, 2300.0
"Hz, of the extension before the key and after it."

THEIRS_BEFORE, THEIRS = 600.0, 2600.0
"Hz, of the outside party."

WAITING_HZ = audio.NETWORK_HZ
PROMPT_S = 1.2
"From the answer until a short prompt is over."


@contextlib.asynccontextmanager
async def a_trunk_between(
    folder: Path, *, short: bool
) -> AsyncIterator[tuple[Server, Baresip, Baresip]]:
    """Run a server, the telephone of 101, and one behind the trunk; `short`: its sentences."""
    port = ports.take(2)
    settings = trunk_settings(port, routes=(OUTGOING,))
    async with (
        server(settings, AUTOMATIC, short=short) as under_test,
        baresip(under_test.setup("101", voice(OURS_BEFORE))) as alice,
        outside_baresip(folder, voice(THEIRS_BEFORE), port=port, number=NUMBER) as bob,
    ):
        yield under_test, alice, bob


async def call_outside(alice: Baresip, bob: Baresip) -> None:
    """Call until the outside party hears the question."""
    await alice.dial(DIALLED)
    await bob.ringing()
    await bob.answer()
    await alice.established()
    await bob.hears()


async def speak_anew(alice: Baresip, bob: Baresip) -> None:
    """Have both say what they say after the key; what was said before is through by then."""
    await alice.say(voice(OURS))
    await bob.say(voice(THEIRS))
    await talk(0.4)


async def hung_up(under_test: Server, alice: Baresip, bob: Baresip) -> dict[str, Any]:
    await alice.hang_up()
    await bob.closed()
    await alice.closed()
    row = await under_test.the_call()
    assert (row["src"], row["dst"], row["disposition"]) == ("101", DIALLED, "ANSWERED")
    return row


def assert_asked_in_private(alice: Pcm, bob: Pcm, question_hz: float) -> None:
    """Assert that the bridge was closed: the question there, the soft tone here, no voices."""
    assert first(bob, question_hz) < first(bob, OURS)
    assert first(alice, WAITING_HZ) < first(alice, THEIRS)
    assert_unheard(bob, OURS_BEFORE)
    assert_unheard(alice, THEIRS_BEFORE)
    assert_unheard(alice, question_hz)
    assert_unheard(bob, WAITING_HZ)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_who_presses_1_is_recorded_from_the_key_on(tmp_path: Path) -> None:
    async with a_trunk_between(tmp_path, short=True) as (under_test, alice, bob):
        await call_outside(alice, bob)
        await talk(PROMPT_S)
        await speak_anew(alice, bob)
        await bob.digit("1")
        await talk(3.0)
        row = await hung_up(under_test, alice, bob)
        assert row["outcome"] == "recorded", row
        pcm = audio.decode(under_test.recording(row))
        assert 2.6 <= audio.seconds(pcm) <= 4.5
        end = audio.seconds(pcm) - 0.3
        for before, after in ((OURS_BEFORE, OURS), (THEIRS_BEFORE, THEIRS)):
            assert_unheard(pcm, before)
            assert_speaks(pcm, after, 0.1, end)
        assert_unheard(pcm, HZ[PromptId.CONSENT])
        assert_asked_in_private(alice.heard(), bob.heard(), HZ[PromptId.CONSENT])


@pytest.mark.peer("baresip", "ffmpeg")
async def test_another_key_connects_unrecorded_and_a_sentence_says_so(tmp_path: Path) -> None:
    async with a_trunk_between(tmp_path, short=False) as (under_test, alice, bob):
        await call_outside(alice, bob)
        await talk(4.2)  # the shipped prompt says what it is about in 3.7 s
        await bob.digit("2")
        await talk(1.0)
        await speak_anew(alice, bob)
        await talk(2.4)
        row = await hung_up(under_test, alice, bob)
        assert (row["outcome"], row["outcome_reason"]) == ("refused", "refused_by_key"), row
        assert under_test.files() == []
        heard = bob.heard()
        question = audio.read_wav(shipped(PromptId.CONSENT))[: round(3.6 * audio.RATE)]
        asked = audio.find_sound(heard, question)
        answered = audio.find_sound(heard, shipped(PromptId.CONSENT_REFUSED))
        assert asked is not None
        assert answered is not None
        assert asked < answered < first(heard, OURS)
        assert first(alice.heard(), WAITING_HZ) < first(alice.heard(), THEIRS)
        assert_unheard(alice.heard(), THEIRS_BEFORE)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_machine_that_presses_nothing_is_connected_unrecorded(tmp_path: Path) -> None:
    async with a_trunk_between(tmp_path, short=True) as (under_test, alice, bob):
        await call_outside(alice, bob)
        await talk(PROMPT_S)
        await speak_anew(alice, bob)
        await talk(5.6)
        row = await hung_up(under_test, alice, bob)
        assert (row["outcome"], row["outcome_reason"]) == ("refused", "refused_by_silence"), row
        assert under_test.files() == []
        assert_asked_in_private(alice.heard(), bob.heard(), HZ[PromptId.CONSENT])
        said = first(bob.heard(), HZ[PromptId.CONSENT_TIMED_OUT])
        assert said < first(bob.heard(), OURS)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_early_media_reaches_the_caller_and_no_file() -> None:
    port = ports.take(2)
    settings = trunk_settings(port, routes=(OUTGOING,))
    async with (
        server(settings, AUTOMATIC, short=True) as under_test,
        baresip(under_test.setup("101", voice(OURS))) as alice,
        wire_phone(NUMBER, under_test.sip, voice(THEIRS_BEFORE), port=port) as bob,
    ):
        await alice.dial(DIALLED)
        await bob.ringing()
        bob.early()
        await alice.hears()
        await talk(0.8)
        bob.rtp.say(voice(THEIRS))
        await talk(0.2)
        await bob.answer()
        await bob.rtp.hears(HZ[PromptId.CONSENT])
        await talk(PROMPT_S)
        await bob.rtp.press("1")
        await talk(2.5)
        await alice.hang_up()
        await bob.closed()
        await alice.closed()
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        heard = alice.heard()
        (early,) = audio.tone_intervals(heard, THEIRS_BEFORE)
        assert early[1] - early[0] > 0.5
        assert early[1] < first(heard, WAITING_HZ)
        pcm = audio.decode(under_test.recording(row))
        assert_unheard(pcm, THEIRS_BEFORE)
        assert_speaks(pcm, THEIRS, 0.1, 2.2)


@pytest.mark.peer("baresip")
async def test_what_no_rule_allows_never_reaches_the_trunk() -> None:
    port = ports.take(2)
    for_another = {"pattern": "0Z.", "strip": 1, "extensions": ["102"]}
    settings = trunk_settings(port, routes=(for_another, {"pattern": "7X."}))
    async with (
        server(settings, AUTOMATIC) as under_test,
        baresip(under_test.setup("101", voice(OURS))) as alice,
        wire_phone("71234", under_test.sip, voice(THEIRS), port=port) as bob,
    ):
        for number, status in ((DIALLED, "403"), ("99", "404"), ("00491", "404")):
            known = len(alice.events)
            await alice.dial(number)
            closed = await alice.wait_event("CALL_CLOSED", after=known)
            assert status in closed["param"]
        assert bob.requests == []
        await alice.dial("71234")
        await bob.ringing()
        assert bob.requests == ["INVITE"]
        await alice.hang_up()
        await bob.closed()
        rows = await under_test.calls_closed(4)
        assert {row["outcome"] for row in rows} == {"not_connected"}


@pytest.mark.peer("baresip", "ffmpeg")
async def test_an_emergency_call_goes_before_every_limit_and_is_never_recorded() -> None:
    port = ports.take(2)
    everybody = (*AUTOMATIC, ("102", "off", False), ("103", "off", False))
    settings = trunk_settings(port, routes=(OUTGOING,)) + "[media]\nmax_calls = 1\n"
    async with (
        server(settings, everybody, short=True) as under_test,
        baresip(under_test.setup("101", voice(OURS))) as alice,
        extension_phone(under_test, "102", voice(700.0)) as carol,
        extension_phone(under_test, "103", voice(700.0)) as dan,
        wire_phone("110", under_test.sip, voice(THEIRS), port=port) as police,
    ):
        await carol.dial("103")
        await dan.ringing()
        await dan.answer()
        await carol.established()
        await alice.dial(DIALLED)
        assert "503" in await alice.closed()
        for number in ("110", "0112"):
            known = len(alice.events)
            await alice.dial(number)
            await police.ringing()
            await police.answer()
            await alice.wait_event("CALL_ESTABLISHED", after=known)
            await police.rtp.hears(OURS)
            await talk(0.5)
            for key in "*1":
                await alice.digit(key)
                await talk(0.2)
            await talk(0.5)
            await alice.hang_up()
            await police.closed()
            await alice.wait_event("CALL_CLOSED", after=known)
            assert police.rtp.keys() == "*1"
            assert_speaks(police.heard(), OURS, 0.1, 0.8)
            for unwanted in (HZ[PromptId.CONSENT], audio.BEEP_HZ, WAITING_HZ):
                assert_unheard(alice.heard(), unwanted)
                assert_unheard(police.heard(), unwanted)
            assert first(alice.heard(), THEIRS) < 0.3
        rows = await under_test.calls_closed(2)
        assert {row["dst"] for row in rows} == {"110", "0112"}
        for row in rows:
            assert (row["outcome"], row["outcome_reason"]) == ("blocked", "emergency"), row
            assert "Notruf" in row["why"] or "mergency" in row["why"]
        assert under_test.files() == []
