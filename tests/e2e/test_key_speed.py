"""How soon a key is obeyed, measured in the audio alone.

The party that presses says noise of which every place is known, so the file tells to the
millisecond with which sample it begins and ends; the key's place in the same stream is that of
its first packet. Bounds are wide, for busy machines; the figures are printed (`pytest -s`).
"""

from pathlib import Path

import numpy as np
import pytest

from ivr.prompts import PromptId
from tests.e2e.calls import call, end
from tests.support import audio, ports
from tests.support.audio import Pcm
from tests.support.phones.phone import talk
from tests.support.phones.rtp_wire import Pressed
from tests.support.phones.wire import WirePhone, extension_phone, wire_phone
from tests.support.prompts import HZ
from tests.support.server import server
from tests.support.trunk import OUTGOING, trunk_settings

SHORT_FILES = "[recording]\nmin_duration_s = 0.3\n"
NUMBER = "4989555"

NOISE = audio.noise(30.0, seed=5)
NOTHING = audio.silence(1.0)

SAMPLE_S = (0.1, 1.1)
"Part of a file that is looked for in the noise."

BUSY_S = 0.3
"Within this a key is obeyed on any machine; on an idle one see the figures."


def extent(path: Path, said_from: float) -> tuple[float, float]:
    """Return with which place of the speaker's stream a file begins and ends (s)."""
    pcm = audio.decode(path)
    low, high = (round(place * audio.RATE) for place in SAMPLE_S)
    found = audio.find_sound(NOISE, pcm[low:high])
    assert found is not None, "the file has another voice"
    begin = said_from + found - SAMPLE_S[0]
    return begin, begin + _last_sound(pcm)


def _last_sound(pcm: Pcm) -> float:
    """Return where the sound ends: the last sample that is no rounding of the codec."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 400)
    return float(loud[-1] + 1) / audio.RATE


def tell(what: str, seconds: float) -> float:
    print(f"{what}: {seconds * 1000:.0f} ms")
    return seconds


def beep_after(phone: WirePhone, pressed: Pressed) -> float:
    """Return how long after a key the phone heard the next beep."""
    heard = phone.rtp.heard(since=pressed.at)
    (start, _), *_ = audio.tone_intervals(heard, audio.BEEP_HZ, shortest=0.04)
    return start - audio.WINDOW_S / 2


@pytest.mark.peer("ffmpeg")
async def test_star_1_begins_and_ends_where_it_is_pressed() -> None:
    extensions = (("101", "manual", True), ("102", "off", True))
    async with (
        server(SHORT_FILES, extensions) as under_test,
        extension_phone(under_test, "101", NOISE) as alice,
        extension_phone(under_test, "102", NOTHING) as bob,
    ):
        await call(alice, bob)
        await talk(0.3)
        said_from = alice.rtp.say(NOISE)
        on = (await alice.rtp.press("*1"))[-1]
        await talk(1.5)
        off = (await alice.rtp.press("*1"))[-1]
        await talk(0.6)
        await end(alice, bob)
        row = await under_test.the_call()
        begin, after = extent(under_test.recording(row), said_from)
        assert -0.02 <= tell("*1 to the first sample", begin - on.place) <= BUSY_S
        assert -0.1 <= tell("*1 to the last sample", after - off.place) <= BUSY_S
        for phone in (alice, bob):
            assert tell(f"*1 to the beep at {phone.number}", beep_after(phone, on)) <= BUSY_S


@pytest.mark.peer("ffmpeg")
async def test_an_attested_consent_begins_within_300_ms() -> None:
    port = ports.take(2)
    settings = trunk_settings(port, routes=(OUTGOING,)) + SHORT_FILES
    async with server(settings) as under_test:
        await under_test.add_extension("101", mode="manual", opt_in=True, manual_consent="attested")
        async with (
            extension_phone(under_test, "101", NOISE) as alice,
            wire_phone(NUMBER, under_test.sip, NOTHING, port=port) as bob,
        ):
            await call(alice, bob, number=f"0{NUMBER}")
            await talk(0.3)
            said_from = alice.rtp.say(NOISE)
            on = (await alice.rtp.press("*1"))[-1]
            await talk(1.5)
            await end(alice, bob)
            row = await under_test.the_call()
            begin, _ = extent(under_test.recording(row), said_from)
            assert -0.02 <= tell("attested *1 to the first sample", begin - on.place) <= 0.3
            for phone in (alice, bob):
                assert tell(f"*1 to the beep at {phone.number}", beep_after(phone, on)) <= 0.3


@pytest.mark.peer("ffmpeg")
async def test_the_tap_opens_with_the_key_of_the_asked_party() -> None:
    port = ports.take(2)
    settings = trunk_settings(port, routes=(OUTGOING,)) + SHORT_FILES
    async with (
        server(settings, (("101", "automatic", True),), short=True) as under_test,
        extension_phone(under_test, "101", NOTHING) as alice,
        wire_phone(NUMBER, under_test.sip, NOISE, port=port) as bob,
    ):
        await call(alice, bob, number=f"0{NUMBER}")
        await bob.rtp.hears(HZ[PromptId.CONSENT])
        await talk(0.6)
        said_from = bob.rtp.say(NOISE)
        (key,) = await bob.rtp.press("1")
        await talk(1.5)
        await end(alice, bob)
        row = await under_test.the_call()
        begin, _ = extent(under_test.recording(row), said_from)
        # Not before the key, but for the packet that was on its way with it.
        assert -0.02 <= tell("key 1 to the first sample", begin - key.place) <= BUSY_S
