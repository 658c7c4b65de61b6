"""Keys as tones in the sound, heard within the limits of ITU-T Q.24.

For one party's G.711, packet by packet and without numpy: a media worker does it, only for legs
that need it. Nothing of the sound is kept. Of each 5 ms step there remain the outputs of eight
filters (a bank of Goertzel filters, that is single lines of a Fourier transform) and the energy,
and of those at most five steps.

What makes a key, measured over 15 ms windows: one tone of each group stands out, both together
are nearly all that is to be heard, both lie near their frequencies, neither is much louder than
the other, and all of this goes on for 35 ms. Speech does not do that: its energy is spread over
the harmonics of a voice, which move.
"""

import cmath
import math
import sys
from collections.abc import Iterable
from operator import mul
from typing import Final, NamedTuple

from codec.linear import TABLES, Law
from ivr.tones import FULL_SCALE_DBM0

SAMPLE_RATE: Final = 8000
LOW_HZ: Final = (697, 770, 852, 941)
HIGH_HZ: Final = (1209, 1336, 1477, 1633)
PAD: Final = ("123A", "456B", "789C", "*0#D")
"Rows by the low tone, columns by the high one."

STEP_SAMPLES: Final = 40
"5 ms."
WINDOW_STEPS: Final = 3
KEPT_STEPS: Final = 5
"Two windows that begin 10 ms apart: by how much a filter's phase turned meanwhile tells the pitch."
SHIFT_S: Final = (KEPT_STEPS - WINDOW_STEPS) * STEP_SAMPLES / SAMPLE_RATE
WINDOW_SAMPLES: Final = WINDOW_STEPS * STEP_SAMPLES
WINDOW_S: Final = WINDOW_SAMPLES / SAMPLE_RATE

LOWEST_DBM0: Final = -28.0
"Of each tone. Q.24: taken from -24 or -25, not below -29."
PURITY: Final = 0.85
"Share of both tones in all that is heard: 15 dB above the noise leaves 0.97."
STANDS_OUT: Final = 3.0
"The power of a tone beside the next one of its group."
OFF_PITCH: Final = 0.025
"Q.24: taken up to 1.8 %, not from 3.0 or 3.5 % on."
HIGH_LOUDER_DB: Final = 7.0
"Q.24: taken up to 4 or 5."
LOW_LOUDER_DB: Final = 10.5
"Q.24: taken up to 5 or 8. Both have room for what a loud tone leaves in the filters of the other."
EVENNESS: Final = 0.4
"Energy of the weakest step beside the strongest: two tones beat, a beginning is weaker."
HITS: Final = 3
"Steps in a row that have it, each for the 25 ms before: 35 ms. Q.24: 40 are taken, 24 are not."
HEARD_AFTER_S: Final = (KEPT_STEPS + HITS - 1) * STEP_SAMPLES / SAMPLE_RATE
"From the beginning of a tone to where it counts."
MISSES: Final = 8
"""Steps in a row without it that end a key. An interruption of 10 ms makes seven at most, a pause
of 30 ms at least nine, as the windows reach across both (Q.24)."""


if sys.version_info >= (3, 12):
    _dot = math.sumprod
else:

    def _dot(first: list[float], second: list[float]) -> float:
        return sum(map(mul, first, second), 0.0)


class _Step(NamedTuple):
    filters: tuple[complex, ...]
    "By tone, low ones first, against the tone's own phase since the beginning."
    energy: float


def _basis(frequency_hz: int) -> tuple[list[float], list[float]]:
    turn = 2 * math.pi * frequency_hz / SAMPLE_RATE
    samples = range(STEP_SAMPLES)
    return [math.cos(turn * n) for n in samples], [-math.sin(turn * n) for n in samples]


_FREQUENCIES: Final = (*LOW_HZ, *HIGH_HZ)
_BASES: Final = tuple(_basis(frequency) for frequency in _FREQUENCIES)
_TURNS: Final = tuple(
    cmath.exp(-2j * math.pi * frequency * STEP_SAMPLES / SAMPLE_RATE) for frequency in _FREQUENCIES
)
"By how much a tone's phase goes on in a step."


def _power(dbm0: float) -> float:
    """Return the mean square of a sine of this level, in units of 16 bits."""
    return 32768.0**2 / 2 * 10 ** ((dbm0 - FULL_SCALE_DBM0) / 10)


_LOWEST: Final = _power(LOWEST_DBM0)
_QUIET: Final = 1.2 * _LOWEST * STEP_SAMPLES
"Energy of a step that can't be two tones: beats taken into account."
_HIGH_LOUDER: Final = 10 ** (HIGH_LOUDER_DB / 10)
_LOW_LOUDER: Final = 10 ** (LOW_LOUDER_DB / 10)


def _samples(law: Law) -> tuple[float, ...]:
    """Return the samples by code."""
    decoded = memoryview(TABLES[law].decode(bytes(range(256)))).cast("h")
    return tuple(float(sample) for sample in decoded)


_SAMPLES: Final = {law: _samples(law) for law in ("PCMA", "PCMU")}


class ToneKeys:
    """One party's keys as tones."""

    __slots__ = (
        "_energy",
        "_expected",
        "_filled",
        "_heard",
        "_hits",
        "_imaginary",
        "_misses",
        "_phases",
        "_pressed",
        "_real",
        "_steps",
    )

    def __init__(self) -> None:
        self._expected: tuple[int, int] | None = None
        "SSRC and timestamp of the next packet."
        self._phases: list[complex] = []
        self._real = [0.0] * len(_BASES)
        self._imaginary = [0.0] * len(_BASES)
        self._energy = 0.0
        self._filled = 0
        "Samples of the step at hand."
        self._steps: list[_Step] = []
        "The last few; mostly none, and an empty `deque` takes 760 octets."
        self._heard = ""
        "The key that the newest steps sound like."
        self._hits = 0
        self._misses = 0
        self._pressed = ""
        "The key that is down."
        self._begin_anew()

    def hear(self, payload: bytes, law: Law, *, ssrc: int, timestamp: int) -> str:
        """Take a packet; return the keys that go down with it, mostly none.

        They did so `HEARD_AFTER_S` before. Where packets are missing a tone begins anew.
        """
        if self._expected != (ssrc, timestamp):
            self._begin_anew()
        self._expected = (ssrc, timestamp + len(payload) & 0xFFFFFFFF)
        samples = list(map(_SAMPLES[law].__getitem__, payload))
        keys, position = "", 0
        while position < len(samples):
            until = position + STEP_SAMPLES - self._filled
            part = samples[position:until]
            self._feed(part)
            position += len(part)
            if self._filled == STEP_SAMPLES:
                keys += self._step()
        return keys

    def _begin_anew(self) -> None:
        self._phases = [1 + 0j] * len(_BASES)
        self._steps.clear()
        self._empty()
        self._heard, self._hits = "", 0

    def _empty(self) -> None:
        self._energy, self._filled = 0.0, 0
        for tone in range(len(_BASES)):
            self._real[tone] = self._imaginary[tone] = 0.0

    def _feed(self, part: list[float]) -> None:
        """Run samples of one step through the filters."""
        start, end = self._filled, self._filled + len(part)
        self._filled = end
        self._energy += _dot(part, part)
        if end == STEP_SAMPLES and self._energy < _QUIET:
            return  # nobody will ask what the filters say
        for tone, (cosine, sine) in enumerate(_BASES):
            self._real[tone] += _dot(part, cosine[start:end])
            self._imaginary[tone] += _dot(part, sine[start:end])

    def _step(self) -> str:
        """Rule on what has been heard, at the end of a step; return the key that goes down."""
        filters = tuple(
            complex(re, im) * phase
            for re, im, phase in zip(self._real, self._imaginary, self._phases, strict=True)
        )
        self._phases = list(map(mul, self._phases, _TURNS))
        self._steps.append(_Step(filters, self._energy))
        del self._steps[:-KEPT_STEPS]
        self._empty()
        heard = _key_in(self._steps) if len(self._steps) == KEPT_STEPS else ""
        self._hits = self._hits + 1 if heard and heard == self._heard else int(bool(heard))
        self._heard = heard
        self._misses = 0 if heard and heard == self._pressed else self._misses + 1
        if self._misses >= MISSES:
            self._pressed = ""
        if self._hits == HITS and heard != self._pressed:
            self._pressed, self._misses = heard, 0
            return heard
        return ""


def _key_in(steps: Iterable[_Step]) -> str:
    """Return the key that sounds through all steps, or nothing."""
    filters, energies = zip(*steps, strict=True)
    weakest, strongest = min(energies), max(energies)
    if weakest < _QUIET or weakest < EVENNESS * strongest:
        return ""
    newest = _window(filters[-WINDOW_STEPS:])
    low = _loudest(newest, range(len(LOW_HZ)))
    high = _loudest(newest, range(len(LOW_HZ), len(_FREQUENCIES)))
    if low is None or high is None:
        return ""
    before = _window(filters[:WINDOW_STEPS])
    low_power, high_power = (
        _tone_power(newest[tone], before[tone], _FREQUENCIES[tone]) for tone in (low, high)
    )
    everything = sum(energies[-WINDOW_STEPS:]) / WINDOW_SAMPLES
    good = (
        min(low_power, high_power) >= _LOWEST
        and low_power + high_power >= PURITY * everything
        and high_power <= _HIGH_LOUDER * low_power
        and low_power <= _LOW_LOUDER * high_power
    )
    return PAD[low][high - len(LOW_HZ)] if good else ""


def _window(steps: Iterable[tuple[complex, ...]]) -> list[complex]:
    """Return what the filters say of several steps together."""
    return [sum(outputs) for outputs in zip(*steps, strict=True)]


def _loudest(window: list[complex], group: range) -> int | None:
    """Return the tone that stands out in its group."""
    ranked = sorted(group, key=lambda tone: abs(window[tone]), reverse=True)
    first, second = abs(window[ranked[0]]) ** 2, abs(window[ranked[1]]) ** 2
    return ranked[0] if first >= STANDS_OUT * second else None


def _tone_power(now: complex, before: complex, frequency_hz: int) -> float:
    """Return the mean square of a tone; 0 where it is too far from its frequency.

    Off its frequency a filter hears less of a tone; how much less follows from the pitch.
    """
    off_hz = cmath.phase(now * before.conjugate()) / (2 * math.pi * SHIFT_S)
    if abs(off_hz) > OFF_PITCH * frequency_hz:
        return 0.0
    blunted = math.pi * off_hz * WINDOW_S
    response = math.sin(blunted) / blunted if blunted else 1.0
    amplitude = 2 * abs(now) / WINDOW_SAMPLES / response
    return amplitude**2 / 2
