"""Narrow-band audio in a wideband file."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.banded import Floats, filtered
from mixer.jitter_buffer import UNWRITTEN

_HALF: Final = 12
"Input samples on each side of an interpolated one."

LOOK_AHEAD: Final = _HALF
"Samples of 8 kHz that have to be known behind one before what follows it can be told: 1.5 ms."

_TAPS: Final = 2 * _HALF

_STRETCH: Final = 40
"Samples that one row of a product of matrices gives."

Samples = NDArray[np.int16]


def _between() -> Floats:
    """Return the weights that give the sample in the middle: a windowed sinc, shape (24,)."""
    distance = np.arange(-_HALF, _HALF) + 0.5
    weights = np.sinc(distance) * np.kaiser(_TAPS, 6.0)
    between: Floats = weights / weights.sum()
    return between


def _bands() -> Floats:
    """Return what makes `_STRETCH` such samples of those around them, one column for each."""
    bands = np.zeros((_STRETCH + _TAPS - 1, _STRETCH))
    for column in range(_STRETCH):
        bands[column : column + _TAPS, column] = _between()
    return bands


_BANDS: Final = _bands()


def _middle(around: Samples | NDArray[np.bool_], count: int) -> Floats:
    """Return the `count` samples between those `around`, with zeros where these end too early."""
    return filtered(around, count, _BANDS, _STRETCH)[:count]


class Widener:
    """One leg at 16 kHz, of which packets of some codecs bring only every other sample.

    Sample n of 8 kHz is sample 2 n of 16 kHz; between two of them lies what a wideband codec said
    or, where there was none, what a half-band filter makes of the samples around. What no packet
    brought stays `UNWRITTEN`.
    """

    __slots__ = ("_even", "_odd", "_start")

    def __init__(self) -> None:
        self._even: Samples = np.full(_HALF - 1, UNWRITTEN)
        self._odd: Samples = self._even
        "What is needed of the past, and what was not given out yet."
        self._start = _HALF - 1
        "Of the next sample that is given out, in these."

    def widen(self, even: Samples, odd: Samples | None, *, last: bool = False) -> Samples:
        """Take the next samples, shape (n,) each; return those that are ready, two for each.

        `odd` None: no wideband codec. All but `LOOK_AHEAD`; `last`: all.
        """
        self._even = np.concatenate((self._even, even))
        odd = np.full(len(even), UNWRITTEN) if odd is None else odd
        self._odd = np.concatenate((self._odd, odd))
        end = len(self._even) - (0 if last else LOOK_AHEAD)
        if end <= self._start:
            return np.zeros(0, dtype=np.int16)
        out = np.empty(2 * (end - self._start), dtype=np.int16)
        out[::2] = self._even[self._start : end]
        out[1::2] = self._between(self._start, end)
        keep = end - (_HALF - 1)
        self._even, self._odd = self._even[keep:], self._odd[keep:]
        self._start = _HALF - 1
        return out

    def forget(self) -> None:
        """Let nothing be known of what was taken: it must not be heard."""
        self._even = self._odd = np.full(len(self._even), UNWRITTEN)

    def _between(self, start: int, end: int) -> Samples:
        """Return the samples behind those from `start` to `end`."""
        even, odd = self._even, self._odd[start:end]
        narrow = (odd == UNWRITTEN) & (even[start:end] != UNWRITTEN)
        if not narrow.any():
            return odd
        around = even[start - (_HALF - 1) : end + _HALF]
        known = around != UNWRITTEN
        middle = _middle(around * known, end - start)
        if len(around) < end - start + _TAPS - 1 or not known.all():
            # Whatever is missing has no weight, so that a hole is not taken for a step to zero.
            middle /= np.maximum(_middle(known, end - start), 0.2)
        told = np.clip(np.rint(middle), -32767, 32767).astype(np.int16)
        if narrow.all():
            return told
        filled: Samples = np.where(narrow, told, odd)
        return filled
