"""A gap of a packet, filled by linear prediction from both sides.

Speech of some hundredths of a second is well described by a filter that predicts each sample from
those before it, pitch included. One such filter goes on with what was heard before the gap, a
second one, that runs backwards, with what was heard behind it, and in the gap the one goes over
into the other. Each is fitted by the autocorrelation method, whose filters are always stable: what
is predicted dies away, it never grows.

A predictor is right for the time that the speech stays as it is: beyond a packet or two repeated
periods (`mixer/gaps.py`) are better.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

CONTEXT_MS: Final = 24
"What a filter is fitted to: more is older than the sound in the gap, less does not show a pitch."

ORDER_MS: Final = 8
"How far back a filter reaches."

LONGEST_MS: Final = 30
"Of a gap: a packet of any usual size."

_NOISE: Final = 1e-9
"Added to a signal, relative to its power: it keeps a filter for a pure tone in bounds."

_VANISHED: Final = 1e-9
"What remains of a filter's answer where the transform begins anew."

Floats = NDArray[np.float64]


def across(
    before: NDArray[np.float32], behind: NDArray[np.float32], count: int, order: int
) -> Floats:
    """Return `count` samples between what was `before` and `behind`, of equal lengths.

    `order`: of the filters, less than the length.
    """
    sides = np.stack((before, behind[::-1])).astype(np.float64)
    forwards, backwards = _continued(sides, _filters(sides, order), count)
    leave, enter = _weights(count)
    joined: Floats = forwards * leave + backwards[::-1] * enter
    return joined


def _filters(sides: Floats, order: int) -> Floats:
    """Fit a filter to each row; return them with their leading 1, shape (2, order + 1)."""
    length = sides.shape[1]
    spectra = np.fft.rfft(sides * _taper(length), 2 * length)
    likeness = np.fft.irfft(spectra.real**2 + spectra.imag**2)[:, : order + 1]
    likeness[:, 0] += _NOISE * likeness[:, 0] + 1.0
    predicted = np.linalg.solve(_toeplitz(likeness[:, :order]), likeness[:, 1:, np.newaxis])
    return np.concatenate((np.ones((2, 1)), -predicted[:, :, 0]), axis=1)


def _toeplitz(rows: Floats) -> Floats:
    """Return a symmetric matrix for each row: what stands n beside the diagonal is its item n."""
    mirrored = np.concatenate((rows[:, :0:-1], rows), axis=1)
    count = rows.shape[1]
    by_row, by_item = mirrored.strides
    return np.lib.stride_tricks.as_strided(
        mirrored[:, count - 1 :],
        (len(rows), count, count),
        (by_row, -by_item, by_item),
        writeable=False,
    )


def _continued(sides: Floats, filters: Floats, count: int) -> Floats:
    """Let each filter go on by itself behind its row, for `count` samples."""
    order = filters.shape[1] - 1
    heard = sides[:, -order:]
    # What the row still says through the filter, sample by sample, until it is left behind.
    rest = [-np.convolve(*pair)[order : 2 * order] for pair in zip(filters, heard, strict=True)]
    # A division of power series, by a transform: it is periodic, so both are damped until
    # nothing is left at the period's end, and the quotient is undamped again.
    size = 1 << (2 * max(count, order)).bit_length()
    damping = _damping(size)
    answers = np.fft.rfft(rest * damping[:order], size)
    answers /= np.fft.rfft(filters * damping[: order + 1], size)
    return np.fft.irfft(answers)[:, :count] / damping[:count]


@lru_cache(maxsize=8)
def _taper(length: int) -> Floats:
    """Return weights that rise slowly, and fall quickly where the gap is near."""
    fall = length // 12
    rise = length - fall
    return np.concatenate(
        (
            np.sin(np.pi / 2 * np.arange(1, rise + 1) / rise),
            np.cos(np.pi / 2 * np.arange(1, fall + 1) / (fall + 1)),
        )
    )


@lru_cache(maxsize=8)
def _damping(size: int) -> Floats:
    damping: Floats = _VANISHED ** (np.arange(size) / size)
    return damping


@lru_cache(maxsize=64)
def _weights(count: int) -> tuple[Floats, Floats]:
    """Return those of both sides: predictions know nothing of each other, so powers add up."""
    angle = np.pi / 2 * np.arange(1, count + 1) / (count + 1)
    return np.cos(angle), np.sin(angle)
