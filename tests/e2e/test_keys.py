"""Keys in three ways, and the lamp on the record key: with telephones that know only some of it."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from ivr.prompts import PromptId
from tests.e2e.calls import call, end
from tests.e2e.voices import assert_speaks, assert_unheard, voice
from tests.support import audio, ports
from tests.support.audio import Pcm
from tests.support.phones.baresip import baresip
from tests.support.phones.lamp import lamps
from tests.support.phones.linphone import linphone
from tests.support.phones.phone import talk
from tests.support.phones.sipp import sipp
from tests.support.phones.wire import extension_phone, wire_phone
from tests.support.prompts import HZ
from tests.support.server import Server, server
from tests.support.trunk import DID, OUTGOING, trunk_settings

MANUAL = (("101", "manual", True), ("102", "off", True))
NUMBER = "4989555"
DIALLED = f"0{NUMBER}"
OURS, THEIRS, MARKER = 2300.0, 2600.0, 500.0
"Hz. The marker is said before the key: nobody may ever find it."

SHORT_FILES = "[recording]\nmin_duration_s = 0.3\n"
WITHOUT_INFO = "Allow: INVITE, ACK, BYE, CANCEL\r\n"

TONES = {
    "1": (697.0, 1209.0),
    "5": (770.0, 1336.0),
    "9": (852.0, 1477.0),
    "*": (941.0, 1209.0),
}


def pressed(key: str) -> Pcm:
    """A key as a telephone without telephone events presses it: 80 ms, and 80 ms of nothing."""
    low, high = (audio.tone(hz, 0.08, level=-9.0).astype(np.int32) for hz in TONES[key])
    return np.concatenate(((low + high).astype(np.int16), audio.silence(0.08)))


def key_tones(pcm: Pcm) -> list[str]:
    """Which keys are to be heard as tones."""
    return [
        key
        for key, pair in TONES.items()
        if all(audio.tone_intervals(pcm, hz, shortest=0.05) for hz in pair)
    ]


def consents(under_test: Server) -> list[tuple[str, str, str]]:
    """Return (decision, key, way) of what outside parties have answered."""
    address = f"file:{under_test.data / 'mitschnitt.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
        return database.execute(
            "SELECT decision, digit, transport FROM evidence WHERE kind = 'consent'"
        ).fetchall()


@pytest.mark.peer("baresip", "ffmpeg")
async def test_a_caller_who_has_nothing_but_tones_agrees() -> None:
    port = ports.take(2)
    trunk = trunk_settings(port, dtmf=["rfc4733", "info", "in_band"])
    async with (
        server(SHORT_FILES + trunk, (("101", "automatic", True),), short=True) as under_test,
        baresip(under_test.setup("101", voice(OURS))) as clerk,
        wire_phone("493098765", under_test.sip, voice(MARKER), port=port) as caller,
    ):
        caller.knows_events, caller.allow = False, WITHOUT_INFO
        await caller.dial(DID)
        await caller.established()
        await caller.rtp.hears(HZ[PromptId.CONSENT])
        await talk(0.6)
        caller.rtp.say(np.concatenate((pressed("1"), voice(THEIRS))))
        await clerk.ringing()
        await talk(0.3)  # the tone counts while it lasts, and would be in the file
        await clerk.answer()
        await clerk.established()
        await clerk.hears()
        await talk(1.5)
        await end(clerk, caller)
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        assert consents(under_test) == [("granted", "1", "in_band")]
        pcm = audio.decode(under_test.recording(row))
        assert_speaks(pcm, OURS, 0.2, 1.2)
        assert_speaks(pcm, THEIRS, 0.2, 1.2)
        for before in (MARKER, *TONES["1"]):
            assert_unheard(pcm, before)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_events_become_tones_or_info_for_who_knows_no_events() -> None:
    port = ports.take(2)
    trunk = trunk_settings(port, routes=(OUTGOING,))
    async with (
        server(SHORT_FILES + trunk, MANUAL) as under_test,
        baresip(under_test.setup("101", voice(OURS))) as alice,
        wire_phone(NUMBER, under_test.sip, voice(THEIRS), port=port) as bob,
    ):
        bob.knows_events = False
        for allow, sounds, infos in ((WITHOUT_INFO, ["5", "9"], ""), (bob.allow, [], "59")):
            bob.allow, bob.info_keys = allow, ""
            known = len(alice.events)
            await alice.dial(DIALLED)
            await bob.ringing()
            await bob.answer()
            await alice.wait_event("CALL_ESTABLISHED", after=known)
            await bob.rtp.hears(OURS)
            for key in "59":
                await alice.digit(key)
                await talk(0.4)
            await talk(0.3)
            await bob.rtp.hears(OURS)
            await alice.hang_up()
            await bob.closed()
            assert (key_tones(bob.heard()), bob.info_keys) == (sounds, infos)
            bob.rtp.assert_one_stream()


@pytest.mark.peer("linphonec")
async def test_keys_of_linphonec_that_come_as_event_and_much_later_as_info_count_once() -> None:
    async with (
        server(extensions=MANUAL) as under_test,
        linphone(under_test.setup("101", voice(OURS)), keys="both") as alice,
        extension_phone(under_test, "102", voice(THEIRS)) as bob,
    ):
        await call(alice, bob)
        await bob.rtp.hears(OURS)
        for key in "57":
            await alice.digit(key)
            await talk(0.3)
        await talk(5.0)  # its INFO for the second key is 2 to 3 s late
        assert bob.rtp.keys() == "57"
        await end(bob, alice)


@pytest.mark.peer("linphonec", "ffmpeg")
async def test_info_of_linphonec_is_the_record_key_and_becomes_events() -> None:
    async with (
        server(SHORT_FILES, MANUAL) as under_test,
        linphone(under_test.setup("101", voice(OURS)), keys="info") as alice,
        extension_phone(under_test, "102", voice(THEIRS)) as bob,
    ):
        await call(alice, bob)
        await bob.rtp.hears(OURS)
        for key in "5*1":
            await alice.digit(key)
            await talk(0.3)
        await bob.rtp.hears(audio.BEEP_HZ)
        await talk(1.5)
        await end(bob, alice)
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        assert bob.rtp.keys() == "5", "a star code is for us, and each key counts once"
        assert len(under_test.files()) == 1
        pcm = audio.decode(under_test.recording(row))
        assert_speaks(pcm, OURS, 0.2, 1.2)
        assert_speaks(pcm, THEIRS, 0.2, 1.2)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_tones_become_events_and_dial_no_star_code_unless_that_is_wanted() -> None:
    for wanted in (False, True):
        codes = f"in_band_codes = {str(wanted).lower()}\n"
        ways = 'extensions = ["rfc4733", "in_band"]\nextension = { "102" = ["rfc4733"] }\n'
        async with (
            server(f"{SHORT_FILES}[dtmf]\n{ways}{codes}", MANUAL) as under_test,
            extension_phone(under_test, "101", voice(OURS)) as alice,
            baresip(under_test.setup("102", voice(THEIRS))) as bob,
        ):
            alice.knows_events = False
            await call(alice, bob)
            await alice.rtp.hears(THEIRS)
            for key in "9*1":
                alice.rtp.say(np.concatenate((pressed(key), voice(OURS))))
                await talk(0.3)
            await talk(1.2)
            await end(alice, bob)
            keys = [event["param"] for event in bob.events if event["type"] == "CALL_DTMF_START"]
            assert keys == (["9"] if wanted else ["9", "*", "1"])
            row = await under_test.the_call()
            assert (row["outcome"] == "recorded") == wanted, row
            if wanted:
                assert_speaks(audio.decode(under_test.recording(row)), OURS, 0.2, 0.8)


@pytest.mark.peer("baresip", "ffmpeg")
async def test_the_lamp_blinks_while_it_is_asked_and_is_lit_while_it_is_recorded() -> None:
    port = ports.take(2)
    trunk = trunk_settings(port, routes=(OUTGOING,))
    extensions = (*MANUAL, ("103", "off", False))
    async with (
        server(SHORT_FILES + trunk, extensions, short=True) as under_test,
        baresip(under_test.setup("101", voice(OURS))) as alice,
        wire_phone(NUMBER, under_test.sip, voice(THEIRS), port=port) as bob,
        lamps(under_test, "101") as lamp,
        lamps(under_test, "103") as colleague,
    ):
        assert await lamp.watch("*1") == "SIP/2.0 200 OK"
        assert await colleague.watch("101") == "SIP/2.0 200 OK"
        assert await colleague.watch("*1") == "SIP/2.0 200 OK"
        assert await colleague.watch("999") == "SIP/2.0 404 Not Found"
        assert await lamp.watch("101", event="Event: presence\r\n") == "SIP/2.0 489 Bad Event"
        assert (await under_test.status())["lamps"] == 3
        await lamp.shows("*1", "terminated")
        await call(alice, bob, number=DIALLED)
        await bob.rtp.hears(OURS)
        await colleague.shows("101", "terminated", "confirmed")
        for key in "*1":
            await alice.digit(key)
            await talk(0.25)
        await lamp.shows("*1", "terminated", "early")
        await bob.rtp.hears(HZ[PromptId.CONSENT_ASK])
        await talk(0.6)
        await bob.rtp.press("1")
        await lamp.shows("*1", "terminated", "early", "confirmed")
        await talk(1.2)
        await end(alice, bob)
        await lamp.shows("*1", "terminated", "early", "confirmed", "terminated")
        await colleague.shows("101", "terminated", "confirmed", "terminated")
        assert colleague.told["*1"] == ["terminated"], "it is the lamp of the own key"
        assert lamp.versions["*1"] == [0, 1, 2, 3]
        row = await under_test.the_call()
        assert row["outcome"] == "recorded", row
        assert_speaks(audio.decode(under_test.recording(row)), THEIRS, 0.2, 1.0)


async def test_a_lamp_over_tcp_ends_with_its_connection() -> None:
    async with (
        server(extensions=MANUAL) as under_test,
        extension_phone(under_test, "101", voice(OURS)) as alice,
        extension_phone(under_test, "102", voice(THEIRS)) as bob,
        lamps(under_test, "102") as other,
    ):
        assert await other.watch("101") == "SIP/2.0 200 OK"
        async with lamps(under_test, "101", "TCP") as lamp:
            for watched in ("*1", "102"):
                assert await lamp.watch(watched) == "SIP/2.0 200 OK"
            assert (await under_test.status())["lamps"] == 3
            await alice.dial("102")
            await bob.ringing()
            await lamp.shows("102", "terminated", "early")
            await bob.answer()
            await alice.established()
            await lamp.shows("102", "terminated", "early", "confirmed")
        async with asyncio.timeout(10.0):
            while (await under_test.status())["lamps"] != 1:  # noqa: ASYNC110 - told to nobody
                await asyncio.sleep(0.05)
        await end(bob, alice)
        await other.shows("101", "terminated", "confirmed", "terminated")


@pytest.mark.peer("sipp")
async def test_sipp_watches_and_takes_it_back(tmp_path: Path) -> None:
    async with server(extensions=MANUAL) as under_test:
        account = under_test.extension("101")
        fields = {
            "number": "101",
            "proof": f"[authentication username=101 password={account.password}]",
        }
        for number in ("*1", "102"):
            folder = tmp_path / number.strip("*")
            async with sipp(
                "uac_watch", folder, target=under_test.sip, number=number, fields=fields
            ) as watcher:
                await watcher.finished()
