"""Opus (:rfc:`6716`, :rfc:`7587`), decoded to mono at 8 kHz; for recordings only.

The clock of its RTP runs at 48 kHz whatever is inside, so a tick is a sixth of a sample here. SDP
always says two channels; each packet says for itself whether it has one or two, how long it is and
in which mode, and the decoder follows and mixes down. A sender in silence (DTX) sends next to
nothing: what it leaves out is a gap in its timestamps.

The arithmetic is libopus (BSD), the system's own: it is looked for when the first such stream is
offered, and without it nothing else misses it.
"""

import ctypes
import weakref
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec.optional import OPUS_LIBRARY, opus_library

RATE: Final = 8000
"Hz, of what is decoded: libopus itself leaves out what lies above 4 kHz."

TICKS_PER_SAMPLE: Final = 6

LONGEST_SAMPLES: Final = 120 * RATE // 1000
"Of a packet."


@cache
def _library() -> ctypes.CDLL | None:
    library = opus_library()
    if library is None:
        return None
    library.opus_decoder_create.restype = ctypes.c_void_p
    library.opus_decoder_destroy.argtypes = [ctypes.c_void_p]
    library.opus_decode.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int32,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_int,
    ]
    library.opus_packet_get_nb_samples.argtypes = [ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32]
    return library


def samples_of(payload: bytes) -> int:
    """Return how many samples of 8 kHz a packet has; 0 where it contradicts itself."""
    library = _library()
    if library is None:
        return 0
    return max(0, int(library.opus_packet_get_nb_samples(payload, len(payload), RATE)))


class OpusDecoder:
    """One stream. Raises `OSError` without the library."""

    def __init__(self) -> None:
        library = _library()
        if library is None:
            raise OSError(f"{OPUS_LIBRARY} is not installed")
        error = ctypes.c_int()
        self._library = library
        self._state = library.opus_decoder_create(RATE, 1, ctypes.byref(error))
        if not self._state:
            raise OSError(f"{OPUS_LIBRARY} makes no decoder: {error.value}")
        weakref.finalize(self, library.opus_decoder_destroy, self._state)

    def decode(self, payload: bytes) -> NDArray[np.int16]:
        """Return the samples of the packet that follows, 8 kHz; none of one that is broken."""
        pcm = np.empty(LONGEST_SAMPLES, dtype=np.int16)
        count = self._library.opus_decode(
            self._state, payload, len(payload), pcm.ctypes.data, LONGEST_SAMPLES, 0
        )
        return np.maximum(pcm[: max(0, count)], -32767)
