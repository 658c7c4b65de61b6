"""Opus (:rfc:`6716`, :rfc:`7587`), decoded to mono for recordings.

The clock of its RTP runs at 48 kHz whatever is inside, so a tick is a sixth of a sample of 8 kHz.
SDP always says two channels; each packet says for itself whether it has one or two, how long it is
and in which mode, and the decoder follows and mixes down. A sender in silence (DTX) sends next to
nothing: what it leaves out is a gap in its timestamps.

The arithmetic is libopus (BSD), the system's own: it is looked for when the first such stream is
offered, and without it nothing else misses it.
"""

import weakref
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec import libopus

RATE: Final = 8000
"Hz, in which places and lengths are counted."

TICKS_PER_SAMPLE: Final = 6

LONGEST_MS: Final = 120
"Of a packet."

LONGEST_SAMPLES: Final = LONGEST_MS * RATE // 1000


def samples_of(payload: bytes) -> int:
    """Return how many samples of 8 kHz a packet has; 0 where it contradicts itself."""
    try:
        return libopus.samples_of(payload, RATE)
    except OSError:
        return 0


class OpusDecoder:
    """One stream. Raises `OSError` without the library."""

    def __init__(self, rate: int = RATE) -> None:
        """`rate`: Hz of what is decoded; libopus itself leaves out what lies above its half."""
        self._longest = LONGEST_MS * rate // 1000
        self._library = libopus.library()
        self._state = libopus.make_decoder(rate)
        weakref.finalize(self, self._library.opus_decoder_destroy, self._state)

    def decode(self, payload: bytes) -> NDArray[np.int16]:
        """Return the samples of the packet that follows; none of one that is broken."""
        pcm = np.empty(self._longest, dtype=np.int16)
        count = self._library.opus_decode(
            self._state, payload, len(payload), pcm.ctypes.data, self._longest, 0
        )
        return np.maximum(pcm[: max(0, count)], -32767)
