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
    """Return how long after a key the first packet of the next beep came to the phone."""
    beeps = (p.at for p in phone.rtp.packets if p.at > pressed.at and _is_beep(p.samples))
    return next(beeps) - pressed.at


def _is_beep(samples: Pcm) -> bool:
    level = audio.tone_level(samples, audio.BEEP_HZ)
    return level > -35.0 and level > audio.rms_level(samples) - 3.0


@pytest.mark.peer("ffmpeg")
async def test_star_1_begins_and_ends_where_it_is_pressed() -> None:
    port = ports.take(2)
    settings = trunk_settings(port, routes=(OUTGOING,)) + SHORT_FILES
    async with server(settings, (("102", "off", True),)) as under_test:
        await under_test.add_extension("101", mode="manual", opt_in=True, manual_consent="attested")
        async with (
            extension_phone(under_test, "101", NOISE) as alice,
            extension_phone(under_test, "102", NOTHING) as bob,
            wire_phone(NUMBER, under_test.sip, NOTHING, port=port) as outside,
        ):
            for other, number in ((bob, "102"), (outside, f"0{NUMBER}")):
                await call(alice, other, number=number)
                await talk(0.3)
                said_from = alice.rtp.say(NOISE)
                on = (await alice.rtp.press("*1"))[-1]
                await talk(1.5)
                off = (await alice.rtp.press("*1"))[-1]
                await talk(0.6)
                await end(alice, other)
                count = 1 if other is bob else 2
                row = (await under_test.calls_closed(count))[0]
                begin, after = extent(under_test.recording(row), said_from)
                with_whom = f"with {other.number}, *1 to"
                assert -0.02 <= tell(f"{with_whom} the first sample", begin - on.place) <= BUSY_S
                assert -0.1 <= tell(f"{with_whom} the last sample", after - off.place) <= BUSY_S
                for phone in (alice, other):
                    heard_after = beep_after(phone, on)
                    assert tell(f"{with_whom} the beep at {phone.number}", heard_after) <= BUSY_S
                    phone.rtp.assert_one_stream()


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
