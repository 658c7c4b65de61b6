"""The sum of all parties at a higher rate, for an encoder that sounds better there."""

from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

_HALF: Final = 24
"Input samples on each side of an output sample."

_TAPS: Final = 2 * _HALF

_BETA: Final = 6.0
"Of the Kaiser window: what is mirrored at the half of the old rate is 50 dB down 300 Hz behind it."

_STRETCH: Final = 32
"Input samples from which one row of a product of matrices makes output."

_ROWS: Final = 100
"Of one product: with more, OpenBLAS would wake threads of its own."

Samples = NDArray[np.int16]
Floats = NDArray[np.float64]


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
    output is. A windowed sinc, in double precision, so that no sample depends on where it lies
    in a chunk.
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
        bands = _bands(self._up, self._down)
        rows = -(-count // _STRETCH)
        padded = np.zeros(rows * _STRETCH + _TAPS - 1)
        padded[: len(around)] = around
        step = padded.itemsize
        stretches = np.lib.stride_tricks.as_strided(
            padded, (rows, len(bands)), (_STRETCH * step, step), writeable=False
        )
        out = np.empty((rows, bands.shape[1]))
        for row in range(0, rows, _ROWS):
            np.matmul(stretches[row : row + _ROWS], bands, out=out[row : row + _ROWS])
        told = np.clip(np.rint(out, out=out), -32768, 32767, out=out).astype(np.int16)
        return told.reshape(-1)[: count * self._up // self._down]
