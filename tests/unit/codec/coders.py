"""The sending side of the codecs with a memory: what telephones do, for tests."""

import ctypes
import weakref
from typing import Any, Protocol

import G722
import numpy as np
from numpy.typing import NDArray

from codec.optional import OPUS_LIBRARY


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


VOIP, SET_DTX = 2048, 4016
"Of opus_defines.h."


class OpusCoder:
    """Two channels with the same in both, or one; `dtx`: says little in silence."""

    rate = 48000

    def __init__(self, channels: int = 1, *, dtx: bool = False) -> None:
        library = ctypes.CDLL(OPUS_LIBRARY)
        library.opus_encoder_create.restype = ctypes.c_void_p
        error = ctypes.c_int()
        state = library.opus_encoder_create(self.rate, channels, VOIP, ctypes.byref(error))
        assert error.value == 0
        self._library, self._state, self._channels = library, ctypes.c_void_p(state), channels
        weakref.finalize(self, library.opus_encoder_destroy, self._state)
        library.opus_encoder_ctl(self._state, SET_DTX, ctypes.c_int(dtx))

    def encode(self, pcm: NDArray[np.int16]) -> bytes:
        sound = np.ascontiguousarray(np.repeat(pcm, self._channels))
        out = ctypes.create_string_buffer(1500)
        count = self._library.opus_encode(
            self._state, ctypes.c_void_p(sound.ctypes.data), len(pcm), out, len(out)
        )
        assert count > 0, count
        return out.raw[:count]
