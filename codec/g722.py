"""G.722 at 64 kbit/s (ITU-T G.722, 09/2012, mode 1), decoded for recordings.

Each octet is two samples of 16 kHz, and one tick of a clock that :rfc:`3551#section-4.5.2` keeps
at 8,000 Hz by an old mistake. So an octet is also one sample of 8 kHz, and a packet is as long in
the file as it is in octets.

The decoder remembers: what it makes of an octet depends on all octets before it. It must see
packets in the order of their timestamps, each once, and that is known only when no earlier one can
come any more. `recording/in_order.py` keeps them till then. What gets lost is left out: the
prediction leaks, so within some 10 ms of sound both ends are in step again, and a reset would cost
as much. Only a new stream (another SSRC) has a new decoder.

The arithmetic is libg722's (PyPI `G722`, public domain; extra `wideband`), imported when the first
such stream comes: without it nothing else misses it.
"""

import importlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codec.half_band import Halver
from codec.optional import G722_MODULE

RATE: Final = 16000
"Hz, of the sound; it can be had at half of it."

BIT_RATE: Final = 64000


class G722Decoder:
    """One stream. Raises `ImportError` without the library."""

    __slots__ = ("_decoder", "_halver")

    def __init__(self, rate: int = RATE // 2) -> None:
        """`rate`: Hz of what is decoded: `RATE`, or half of it."""
        self._decoder: Any = importlib.import_module(G722_MODULE).G722(RATE, BIT_RATE)
        self._halver = Halver() if rate != RATE else None

    def decode(self, payload: bytes) -> NDArray[np.int16]:
        """Return the samples of the packet that follows, one or two for each octet."""
        wide = np.frombuffer(self._decoder.decode(payload), dtype=np.int16)
        return np.maximum(wide, -32767) if self._halver is None else self._halver.halve(wide)
