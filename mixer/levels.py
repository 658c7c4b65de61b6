"""How loud: figures for decisions, never a change of the samples."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FULL_SCALE: Final = 32768.0
SILENT_DB: Final = -120.0
"dBFS that stands for no sound at all."


def levels_db(frames: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return the level of each frame in dBFS, shape (n,) for (n, length).

    A square wave of full scale has 0.
    """
    samples = frames.astype(np.float32)
    power = np.einsum("ij,ij->i", samples, samples) / np.float32(max(frames.shape[1], 1))
    quietest = np.float32(10 ** (SILENT_DB / 10))
    decibel: NDArray[np.float32] = 10 * np.log10(
        np.maximum(power / np.float32(FULL_SCALE**2), quietest)
    )
    return decibel


def peak(pcm: NDArray[np.int16]) -> int:
    """Return the greatest magnitude, 0 to 32,768."""
    if not pcm.size:
        return 0
    return max(int(pcm.max()), -int(pcm.min()))
