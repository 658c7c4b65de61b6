"""From 16 kHz to 8 kHz, piece by piece: what lies above 4 kHz goes before every other sample does.

A half-band filter of 47 coefficients (windowed sinc, Kaiser): flat to 3.4 kHz, 6 dB down at
4 kHz, and what would fold back below 3.4 kHz, all above 4.6 kHz, is 60 dB down. All coefficients
at an even distance from the middle one are zero, so the even samples are only delayed.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_HALF: Final = 12
"Odd samples on each side of the even one that is kept."

DELAY_SAMPLES: Final = _HALF - 1
"At 8 kHz: 1.4 ms."

Samples = NDArray[np.int16]


def _beside() -> NDArray[np.float32]:
    """Return the weights of the odd samples, shape (24,); their sum is a half."""
    distance = np.arange(-_HALF, _HALF) + 0.5
    weights = np.sinc(distance) * np.kaiser(2 * _HALF, 6.0)
    beside: NDArray[np.float32] = (weights / (2 * weights.sum())).astype(np.float32)
    return beside


_BESIDE: Final = _beside()


class Halver:
    """One stream's memory from piece to piece."""

    __slots__ = ("_even", "_odd")

    def __init__(self) -> None:
        self._even = np.zeros(2 * _HALF - 1, dtype=np.float32)
        self._odd = np.zeros(2 * _HALF - 1, dtype=np.float32)

    def halve(self, pcm: Samples) -> Samples:
        """Return shape (n,) for `pcm` of shape (2 n,), `DELAY_SAMPLES` later."""
        even = np.concatenate((self._even, pcm[::2].astype(np.float32)))
        odd = np.concatenate((self._odd, pcm[1::2].astype(np.float32)))
        self._even, self._odd = even[1 - 2 * _HALF :], odd[1 - 2 * _HALF :]
        out = 0.5 * even[_HALF : _HALF + len(pcm) // 2] + np.convolve(odd, _BESIDE, "valid")
        halved: Samples = np.clip(np.rint(out), -32767, 32767).astype(np.int16)
        return halved
