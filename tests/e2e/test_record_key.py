"""The record key of an extension: star code, INFO and a call of its own, and what each hears.

Who is called is 102 or, outside, NUMBER; 101 presses. Voices change while the recording is off,
so that the files themselves tell when it was on.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ivr.prompts import PromptId
from tests.e2e.calls import call, end
from tests.e2e.scripted import scripted_extension
from tests.e2e.voices import assert_speaks, assert_unheard, first, shipped, voice
from tests.support import audio, ports
from tests.support.audio import Pcm
from tests.support.phones.baresip import Baresip, baresip
from tests.support.phones.phone import talk
from tests.support.phones.wire import extension_phone, wire_phone
from tests.support.prompts import HZ
from tests.support.server import Server, server
from tests.support.trunk import OUTGOING, outside_baresip, trunk_settings

MANUAL = (("101", "manual", True), ("102", "off", True))
NUMBER = "4989555"
DIALLED = f"0{NUMBER}"

OURS_BEFORE, OURS = 500.0, 2300.0
"Hz, of the extension that presses, before and while the recording is on."

THEIRS_BEFORE, THEIRS = 600.0, 2600.0
"Hz, of the other party."

WITHOUT_MUSIC = "[music]\non_hold = false\n"
"Its notes would be taken for short prompts."

SHORT_FILES = "[recording]\nmin_duration_s = 0.3\n"


async def press(phone: Baresip, keys: str) -> None:
    for key in keys:
        await phone.digit(key)
        await talk(0.25)


async def say(ours: Baresip, our_hz: float, theirs: Baresip, their_hz: float) -> None:
    """Have both say something else; what was said before is through by then."""
    await ours.say(voice(our_hz))
    await theirs.say(voice(their_hz))
    await talk(0.4)


def beeps(pcm: Pcm) -> list[int]:
    """Return how often the recorder beeped each time: 1 for on, 2 for off."""
    return [count for _, count in audio.find_beeps(pcm)]


def evidence(under_test: Server) -> list[tuple[str, str, str | None]]:
    """Return (kind, decision, key) of all evidence, oldest first."""
    address = f"file:{under_test.data / 'mitschnitt.db'}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as database:
        return database.execute(
            "SELECT kind, decision, digit FROM evidence ORDER BY decided_at"
        ).fetchall()


@pytest.mark.peer("baresip", "ffmpeg")
async def test_star_1_starts_and_stops_and_the_next_start_is_a_second_file() -> None:
    async with (
        server(SHORT_FILES, MANUAL) as under_test,
        baresip(under_test.setup("101", voice(OURS_BEFORE))) as alice,
        baresip(under_test.setup("102", voice(THEIRS_BEFORE))) as bob,
    ):
        await call(alice, bob)
        await alice.hears()
        for _ in range(2):
            await say(alice, OURS, bob, THEIRS)
            await press(alice, "*1")
            await talk(0.8)
            await press(alice, "*1")
            await talk(0.2)
            await say(alice, OURS_BEFORE, bob, THEIRS_BEFORE)
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        files = under_test.files()
        assert len(files) == 2
        assert under_test.recording(row) in files
        for path in files:
            pcm = audio.decode(path)
            assert 0.8 <= audio.seconds(pcm) <= 3.0
            for before in (OURS_BEFORE, THEIRS_BEFORE):
                assert_unheard(pcm, before)
            # Whoever presses a key is blanked in the file meanwhile: its end at the begin of the
            # recording, and the `*` right before the end.
            assert_speaks(pcm, OURS, 0.25, audio.seconds(pcm) - 0.45)
            assert_speaks(pcm, THEIRS, 0.1, audio.seconds(pcm) - 0.2)
            assert_unheard(pcm, audio.BEEP_HZ)
        assert beeps(alice.heard()) == beeps(bob.heard()) == [1, 2, 1, 2]


@pytest.mark.peer("baresip", "ffmpeg")
async def test_where_it_is_wanted_the_beep_is_in_the_file() -> None:
    async with (
        server(SHORT_FILES + "announcements = true\n", MANUAL) as under_test,
        baresip(under_test.setup("101", voice(OURS))) as alice,
        baresip(under_test.setup("102", voice(THEIRS))) as bob,
    ):
        await call(alice, bob)
        await alice.hears()
        await press(alice, "*1")
        await talk(1.5)
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        pcm = audio.decode(under_test.recording(row))
        ((place, count),) = audio.find_beeps(pcm)
        assert count == 1
        assert place < 0.2
        assert_speaks(pcm, THEIRS, 0.3, audio.seconds(pcm) - 0.2)
        assert beeps(alice.heard()) == beeps(bob.heard()) == [1]


@pytest.mark.peer("baresip", "ffmpeg")
async def test_the_code_stays_here_and_all_other_keys_go_on_in_their_order() -> None:
    async with (
        server(SHORT_FILES, MANUAL) as under_test,
        baresip(under_test.setup("101", voice(OURS))) as alice,
        extension_phone(under_test, "102", voice(THEIRS)) as bob,
    ):
        await call(alice, bob)
        await bob.rtp.hears(OURS)
        await press(alice, "5*7*12*")
        await talk(1.5)  # the last star might have begun a code for so long
        await press(alice, "*1")
        await talk(0.3)
        await end(alice, bob)
        assert bob.rtp.keys() == "5*72*"
        assert beeps(bob.heard()) == beeps(alice.heard()) == [1, 2]


@pytest.mark.peer("baresip", "ffmpeg")
async def test_the_outside_party_is_asked_and_a_second_press_takes_it_back(tmp_path: Path) -> None:
    port = ports.take(2)
    async with (
        server(
            trunk_settings(port, routes=(OUTGOING,)) + SHORT_FILES, MANUAL, short=True
        ) as under_test,
        baresip(under_test.setup("101", voice(OURS_BEFORE))) as alice,
        outside_baresip(tmp_path, voice(THEIRS_BEFORE), port=port, number=NUMBER) as bob,
    ):
        await call(alice, bob, number=DIALLED)
        await bob.hears()
        await press(alice, "*1")
        await talk(0.6)
        await press(alice, "*1")
        await talk(0.8)
        await press(alice, "*1")
        await talk(0.9)
        await say(alice, OURS, bob, THEIRS)
        await bob.digit("1")
        await talk(1.5)
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        consent = [found for found in evidence(under_test) if found[0] == "consent"]
        assert consent == [("consent", "cancelled", None), ("consent", "granted", "1")]
        pcm = audio.decode(under_test.recording(row))
        for before, on in ((OURS_BEFORE, OURS), (THEIRS_BEFORE, THEIRS)):
            assert_unheard(pcm, before)
            assert_speaks(pcm, on, 0.1, 1.3)
        _assert_asked_twice(alice.heard(), bob.heard())


def _assert_asked_twice(alice: Pcm, bob: Pcm) -> None:
    """Assert that both questions were put in private, and what each side heard else."""
    questions = audio.tone_intervals(bob, HZ[PromptId.CONSENT_ASK])
    assert len(questions) == 2
    for start, after in questions:
        assert_unheard(bob, OURS_BEFORE, start + 0.1, after - 0.1)
    assert_speaks(bob, OURS_BEFORE, questions[0][1] + 0.1, questions[1][0] - 0.1)
    # From the second question on until the answer: neither the old voice nor a packet of it.
    assert_unheard(bob, OURS_BEFORE, questions[1][0] + 0.1)
    waiting = audio.tone_intervals(alice, audio.NETWORK_HZ)
    assert waiting
    for start, after in waiting:
        assert_unheard(alice, THEIRS_BEFORE, start, after)
    assert beeps(alice) == [2, 1]
    assert beeps(bob) == [1]


@pytest.mark.peer("baresip", "ffmpeg")
async def test_an_outside_party_that_says_no_is_not_recorded(tmp_path: Path) -> None:
    port = ports.take(2)
    async with (
        server(trunk_settings(port, routes=(OUTGOING,)), MANUAL, short=True) as under_test,
        baresip(under_test.setup("101", voice(OURS_BEFORE))) as alice,
        outside_baresip(tmp_path, voice(THEIRS_BEFORE), port=port, number=NUMBER) as bob,
    ):
        await call(alice, bob, number=DIALLED)
        await bob.hears()
        await press(alice, "*1")
        await talk(1.2)
        await say(alice, OURS, bob, THEIRS)
        await bob.digit("5")
        await talk(1.8)
        await end(alice, bob)
        row = await under_test.the_call()
        assert (row["outcome"], row["outcome_reason"]) == ("refused", "refused_by_key"), row
        assert under_test.files() == []
        heard = bob.heard()
        question, answer = HZ[PromptId.CONSENT_ASK], HZ[PromptId.CONSENT_REFUSED]
        assert first(heard, question) < first(heard, answer) < first(heard, OURS)
        assert beeps(alice.heard()) == [2]
        assert beeps(heard) == []


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_call_on_hold_is_asked_when_it_is_resumed() -> None:
    port = ports.take(2)
    async with (
        server(
            trunk_settings(port, routes=(OUTGOING,)) + SHORT_FILES + WITHOUT_MUSIC,
            MANUAL,
            short=True,
        ) as under_test,
        baresip(under_test.setup("101", voice(OURS))) as alice,
        extension_phone(under_test, "101", voice(700.0)) as second,
        wire_phone(NUMBER, under_test.sip, voice(THEIRS), port=port) as bob,
    ):
        await call(alice, bob, number=DIALLED)
        await bob.rtp.hears(OURS)
        await bob.rtp.press("*1")  # an outside party's is no record key
        await alice.wait_event("CALL_DTMF_START", param="1")
        await alice.command("hold")
        await talk(0.4)
        await second.dial("*1")
        await second.established()
        await second.closed()
        assert_speaks(second.heard(), HZ[PromptId.RECORDING_ASKED], 0.3, 0.6)
        assert_unheard(bob.heard(), HZ[PromptId.CONSENT_ASK])
        await alice.command("resume")
        await bob.rtp.hears(HZ[PromptId.CONSENT_ASK])
        await talk(0.6)
        await bob.rtp.press("1")
        await talk(1.2)
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        pressed = [event["param"] for event in alice.events if event["type"] == "CALL_DTMF_START"]
        assert pressed == ["*", "1"], "the key that answers is nobody else's"
        bob.rtp.assert_one_stream()
        pcm = audio.decode(under_test.recording(row))
        assert_speaks(pcm, OURS, 0.1, 1.0)
        assert_speaks(pcm, THEIRS, 0.1, 1.0)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_an_attested_consent_starts_at_once_with_a_beep_to_both(tmp_path: Path) -> None:
    port = ports.take(2)
    async with (
        server(trunk_settings(port, routes=(OUTGOING,)) + SHORT_FILES, short=True) as under_test,
        outside_baresip(tmp_path, voice(THEIRS_BEFORE), port=port, number=NUMBER) as bob,
    ):
        extension = await under_test.add_extension(
            "101", mode="manual", opt_in=True, manual_consent="attested"
        )
        async with baresip(under_test.setup(extension, voice(OURS_BEFORE))) as alice:
            await call(alice, bob, number=DIALLED)
            await bob.hears()
            await say(alice, OURS, bob, THEIRS)
            await press(alice, "*1")
            await talk(1.5)
            await end(alice, bob)
            row = await under_test.the_call()
            assert row["outcome"] == "recorded", row
            assert ("attested", "granted", None) in evidence(under_test)
            pcm = audio.decode(under_test.recording(row))
            for before, on in ((OURS_BEFORE, OURS), (THEIRS_BEFORE, THEIRS)):
                assert_unheard(pcm, before)
                assert_speaks(pcm, on, 0.1, 1.2)
            assert beeps(alice.heard()) == beeps(bob.heard()) == [1]
            assert_unheard(bob.heard(), HZ[PromptId.CONSENT_ASK])


@pytest.mark.peer("baresip", "ffmpeg")
async def test_info_starts_and_stops_and_is_refused_to_who_may_not() -> None:
    async with (
        server(SHORT_FILES, MANUAL) as under_test,
        extension_phone(under_test, "101", voice(OURS)) as alice,
        extension_phone(under_test, "102", voice(THEIRS)) as bob,
    ):
        await call(alice, bob)
        await alice.rtp.hears(THEIRS)
        assert await bob.info("Record: on") == "SIP/2.0 403 Forbidden"
        assert under_test.files() == []
        assert await alice.info("Record: on") == "SIP/2.0 200 OK"
        await talk(1.2)
        assert await alice.info("Record: off") == "SIP/2.0 200 OK"
        await talk(0.6)
        await end(alice, bob)
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        pcm = audio.decode(under_test.recording(row))
        assert audio.seconds(pcm) < 2.0
        assert_speaks(pcm, OURS, 0.1, 1.0)
        assert_speaks(pcm, THEIRS, 0.1, 1.0)
        assert beeps(alice.heard()) == [1, 2]


@pytest.mark.peer("baresip", "sipp")
async def test_a_scripted_record_key_is_answered_at_once() -> None:
    extensions = (("101", "off", True), ("102", "manual", True), ("103", "off", True))
    async with (
        server(extensions=extensions) as under_test,
        baresip(under_test.setup("101", voice(OURS))) as alice,
    ):
        for number, status in (("102", "200"), ("103", "403")):
            known = len(alice.events)
            values = {"AFTER_MS": "300", "STATUS": status}
            async with scripted_extension(under_test, number, "uas_record_by_info", values) as key:
                await alice.dial(number)
                await alice.wait_event("CALL_ESTABLISHED", after=known)
                await key.saw(rf"SIP/2.0 {status} .*\r?\n(?:.*\r?\n)*?CSeq: 1 INFO")
                await alice.hang_up()
                await key.finished()
                await alice.wait_event("CALL_CLOSED", after=known)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_the_code_as_a_call_of_its_own_is_a_record_key_that_speaks() -> None:
    async with (
        server(SHORT_FILES, MANUAL) as under_test,
        baresip(under_test.setup("101", voice(OURS))) as alice,
        baresip(under_test.setup("101", voice(700.0), folder="second")) as second,
        baresip(under_test.setup("102", voice(THEIRS))) as bob,
    ):
        await call(alice, bob)
        await alice.hears()
        await _dialled_key(second, PromptId.RECORDING_ON)
        await talk(0.5)
        await _dialled_key(second, PromptId.RECORDING_OFF)
        await end(alice, bob)
        await _dialled_key(second, PromptId.NO_CALL)
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        pcm = audio.decode(under_test.recording(row))
        assert_speaks(pcm, OURS, 0.1, 1.5)
        assert_speaks(pcm, THEIRS, 0.1, 1.5)
        assert_unheard(pcm, 700.0)
        assert beeps(bob.heard()) == [1, 2]
        assert len(await under_test.rows("calls")) == 1, "a record key is nobody's conversation"


async def _dialled_key(phone: Baresip, says: PromptId) -> None:
    """Dial the star code and assert that we say this, and then hang up."""
    known = len(phone.events)
    await phone.dial("*1")
    await phone.wait_event("CALL_ESTABLISHED", after=known)
    await phone.wait_event("CALL_CLOSED", after=known)
    assert audio.find_sound(phone.heard(), shipped(says)) is not None, says
