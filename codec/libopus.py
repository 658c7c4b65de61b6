"""libopus through ctypes: the few functions that we call, with their types.

No numpy, so that a media worker can use it too. The library is the system's own and looked for
when the first such stream comes. A call into it releases the interpreter lock.
"""

import ctypes
from functools import cache
from typing import Final

from codec.optional import OPUS_LIBRARY, opus_library

APPLICATION_VOIP: Final = 2048
SET_BITRATE: Final = 4002
SET_COMPLEXITY: Final = 4010
SET_INBAND_FEC: Final = 4012
SET_PACKET_LOSS: Final = 4014
"Requests of opus_defines.h."


@cache
def library() -> ctypes.CDLL:
    """Return the library; raises `OSError` where there is none."""
    found = opus_library()
    if found is None:
        raise OSError(f"{OPUS_LIBRARY} is not installed")
    found.opus_decoder_create.restype = ctypes.c_void_p
    found.opus_decoder_destroy.argtypes = [ctypes.c_void_p]
    found.opus_decode.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int32,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_int,
    ]
    found.opus_packet_get_nb_samples.argtypes = [ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32]
    found.opus_encoder_create.restype = ctypes.c_void_p
    found.opus_encoder_destroy.argtypes = [ctypes.c_void_p]
    found.opus_encode.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int32,
    ]
    found.opus_encoder_ctl.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return found


def make_decoder(rate: int) -> int:
    """Return the state of a mono decoder to `rate` Hz; raises `OSError`."""
    error = ctypes.c_int()
    state = library().opus_decoder_create(rate, 1, ctypes.byref(error))
    if not state:
        raise OSError(f"{OPUS_LIBRARY} makes no decoder: {error.value}")
    return int(state)


def make_encoder(rate: int) -> int:
    """Return the state of a mono encoder of speech from `rate` Hz; raises `OSError`."""
    error = ctypes.c_int()
    state = library().opus_encoder_create(rate, 1, APPLICATION_VOIP, ctypes.byref(error))
    if not state:
        raise OSError(f"{OPUS_LIBRARY} makes no encoder: {error.value}")
    return int(state)


def samples_of(payload: bytes, rate: int) -> int:
    """Return how many samples of `rate` Hz a packet has; 0 where it contradicts itself."""
    return max(0, int(library().opus_packet_get_nb_samples(payload, len(payload), rate)))
