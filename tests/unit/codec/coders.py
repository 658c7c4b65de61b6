"""The sending side of the codecs with a memory: what telephones do, for tests."""

from typing import Any, Protocol

import G722
import numpy as np
from numpy.typing import NDArray


class Coder(Protocol):
    """One stream."""

    rate: int
    "Hz, of the samples that it takes."

    def encode(self, pcm: NDArray[np.int16]) -> bytes:
        """Return the payload of the packet that follows."""


class G722Coder:
    rate = 16000

    def __init__(self) -> None:
        self._encoder: Any = G722.G722(self.rate, 64000)

    def encode(self, pcm: NDArray[np.int16]) -> bytes:
        return bytes(self._encoder.encode(pcm))
