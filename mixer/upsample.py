"""The sum of all parties at a higher rate, for an encoder that sounds better there."""

from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.banded import Floats, filtered

_HALF: Final = 24
"Input samples on each side of an output sample."

_TAPS: Final = 2 * _HALF

_BETA: Final = 6.0
"Of the Kaiser window: what is mirrored at the half of the old rate is 50 dB down 300 Hz behind it."

_STRETCH: Final = 32
"Input samples from which one row of a product of matrices makes output."

Samples = NDArray[np.int16]


@lru_cache(maxsize=8)
def _bands(up: int, down: int) -> Floats:
    """Return what makes `up` samples of each `down`: (inputs around a stretch, outputs)."""
    bands = np.zeros((_STRETCH + _TAPS - 1, _STRETCH * up // down))
    for column in range(bands.shape[1]):
        at = column * down / up
        first = column * down // up
        distance = np.arange(first - _HALF + 1, first + _HALF + 1) - at
        window = np.i0(_BETA * np.sqrt(1 - (distance / _HALF) ** 2))
        weights = np.sinc(distance) * window
        bands[first : first + _TAPS, column] = weights / weights.sum()
    return bands


class Upsampler:
    """A stream at `rate` Hz that goes on at `to` Hz, three times or three halves of it.

    Nothing is delayed on the axis: sample n of the input is where sample n * to / rate of the
    output is. The filter is a windowed sinc.
    """

    def __init__(self, rate: int, to: int, channels: int = 1) -> None:
        common = gcd(rate, to)
        self._up, self._down = to // common, rate // common
        if to <= rate or _STRETCH % self._down:
            raise ValueError(f"no way from {rate} Hz to {to} Hz")
        shape = (_HALF - 1,) if channels == 1 else (_HALF - 1, channels)
        self._past: Samples = np.zeros(shape, dtype=np.int16)
        "What is needed of the past, and what is not complete yet."

    def take(self, pcm: Samples) -> Samples:
        """Take the next samples, shape (n,) or (n, channels); return those that are complete.

        The last 24 (3 ms at 8 kHz) wait for what comes behind them.
        """
        around = np.concatenate((self._past, pcm))
        count = len(around) - _TAPS + 1
        count -= count % self._down
        if count <= 0:
            self._past = around
            return np.zeros((0, *pcm.shape[1:]), dtype=np.int16)
        self._past = around[count:]
        around = around[: count + _TAPS - 1]
        if around.ndim == 1:
            return self._raise(around, count)
        return np.stack([self._raise(side, count) for side in around.T], axis=1)

    def rest(self) -> Samples:
        """Return the samples that still wait, as if there was silence behind them."""
        waiting = len(self._past) - _HALF + 1
        missing = _HALF + -waiting % self._down
        return self.take(np.zeros((missing, *self._past.shape[1:]), dtype=np.int16))

    def _raise(self, around: Samples, count: int) -> Samples:
        out = filtered(around, count, _bands(self._up, self._down), _STRETCH)
        told = np.clip(np.rint(out, out=out), -32768, 32767, out=out).astype(np.int16)
        return told[: count * self._up // self._down]
