"""How loud: figures for decisions and for the record, never a change of the samples."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FULL_SCALE: Final = 32768.0
SILENT_DB: Final = -120.0
"dBFS that stands for no sound at all."


def level_db(pcm: NDArray[np.int16]) -> float:
    """Return the level in dBFS, where a square wave of full scale has 0; shape (n,)."""
    if not pcm.size:
        return SILENT_DB
    samples = pcm.astype(np.float32)
    power = float(samples @ samples) / samples.size
    if power <= 0:
        return SILENT_DB
    return max(SILENT_DB, 10 * float(np.log10(power / FULL_SCALE**2)))


def peak(pcm: NDArray[np.int16]) -> int:
    """Return the greatest magnitude, 0 to 32,768."""
    if not pcm.size:
        return 0
    return max(int(pcm.max()), -int(pcm.min()))
