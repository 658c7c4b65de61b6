"""The tones that a telephone network makes: ringing, busy, please wait, and the beeps.

Frequencies and cadences of ringing and busy are the German ones (ITU-T E.180 supplement 2:
425 Hz, 1 s on and 4 s off; 480 ms on and 480 ms off). A tone is one period, to be looped,
but for the beeps, which are played once.
"""

import math
from array import array
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ivr.sound import SAMPLE_RATE, SAMPLES_PER_MS, Sound

FULL_SCALE_DBM0: Final = 3.14
"Level of a sine of full scale in A-law, ITU-T G.711 table 5."

RAMP_MS: Final = 5
"Each tone rises and falls in this time, so that it does not click."


class Tone(StrEnum):
    """What can be heard; the values serve as names of sounds."""

    RINGING = "tone/ringing"
    BUSY = "tone/busy"
    WAITING = "tone/waiting"
    "Soft, for an extension whose partner is being asked."
    BEEP = "tone/beep"
    "Recording is on."
    TWO_BEEPS = "tone/two-beeps"
    "Recording is off."


@dataclass(frozen=True, slots=True)
class Cadence:
    """A sine switched on and off."""

    frequency_hz: int
    level_dbm0: float
    on_off_ms: tuple[tuple[int, int], ...]
    loops: bool


CADENCES: Final = {
    Tone.RINGING: Cadence(425, -20.0, ((1000, 4000),), loops=True),
    Tone.BUSY: Cadence(425, -20.0, ((480, 480),), loops=True),
    Tone.WAITING: Cadence(425, -30.0, ((200, 1800),), loops=True),
    Tone.BEEP: Cadence(1000, -20.0, ((200, 0),), loops=False),
    Tone.TWO_BEEPS: Cadence(1000, -20.0, ((150, 120), (150, 0)), loops=False),
}


def pcm(tone: Tone) -> "array[int]":
    """Return the samples of one period, an array of type `h`, 8 kHz."""
    cadence = CADENCES[tone]
    peak = 32767 * 10 ** ((cadence.level_dbm0 - FULL_SCALE_DBM0) / 20)
    samples = array("h")
    for on_ms, off_ms in cadence.on_off_ms:
        samples.extend(_burst(cadence.frequency_hz, peak, on_ms * SAMPLES_PER_MS))
        samples.extend([0] * (off_ms * SAMPLES_PER_MS))
    return samples


def sound(tone: Tone) -> Sound:
    """Return one period in both laws."""
    return Sound.from_pcm(pcm(tone))


def _burst(frequency_hz: int, peak: float, length: int) -> list[int]:
    """Return `length` samples of a sine that rises and falls as half a cosine."""
    ramp = RAMP_MS * SAMPLES_PER_MS
    step = 2 * math.pi * frequency_hz / SAMPLE_RATE
    out = []
    for n in range(length):
        edge = min(n, length - 1 - n)
        gain = 1.0 if edge >= ramp else 0.5 - 0.5 * math.cos(math.pi * edge / ramp)
        out.append(round(gain * peak * math.sin(step * n)))
    return out
