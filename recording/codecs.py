"""What the recorder can decode, and what it says of everything else.

G.711 has no memory: a table decodes the packets of all legs at once, in whatever order. The
others are decoded in order, stream by stream (`recording/in_order.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from codec import g722, opus
from recording.reasons import Reason, ReasonKey, because
from recording.spec import StreamFormat

UNKNOWN: Final = 0
PCMA: Final = 1
PCMU: Final = 2
NOT_AUDIO: Final = 3
"Telephone events, comfort noise: silence in the file, and no fault."

G722: Final = 8
"From here on: with a memory."

OPUS: Final = 9

IS_AUDIO: Final = np.isin(np.arange(OPUS + 1), (PCMA, PCMU, G722, OPUS))
"By codec."


class Decoder(Protocol):
    """One stream of a codec with a memory."""

    def decode(self, payload: bytes) -> NDArray[np.int16]:
        """Return the samples of the packet that follows, 8 kHz, never `UNWRITTEN`.

        None of a packet that is broken.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class _Codec:
    """One encoding name."""

    number: int
    clock: tuple[int, int] | None = (8000, 1)
    "Clock rate and channels as SDP has them; None: any."
    is_installed: Callable[[], bool] = lambda: True
    needs: str = ""
    "What an operator installs where it isn't."


_CODECS: Final = {
    "PCMA": _Codec(number=PCMA),
    "PCMU": _Codec(number=PCMU),
    "G722": _Codec(number=G722, is_installed=g722.is_installed, needs="mitschnitt[wideband]"),
    "OPUS": _Codec(number=OPUS, clock=(48000, 2), is_installed=opus.is_installed, needs="libopus0"),
    "TELEPHONE-EVENT": _Codec(number=NOT_AUDIO, clock=None),
    "CN": _Codec(number=NOT_AUDIO, clock=None),
}

DECODERS: Final[dict[int, Callable[[], Decoder]]] = {
    G722: g722.G722Decoder,
    OPUS: opus.OpusDecoder,
}


def codec_table(formats: tuple[StreamFormat, ...]) -> NDArray[np.uint8]:
    """Return the codec of each payload type, shape (128,)."""
    table = np.zeros(128, dtype=np.uint8)
    for each in formats:
        codec = _find(each)
        if codec is not None and codec.is_installed():
            table[each.payload_type & 0x7F] = codec.number
    return table


def refusal(stream_format: StreamFormat) -> Reason | None:
    """Return why sound of this format can't be recorded; None: it can."""
    codec = _find(stream_format)
    return None if codec is not None and codec.is_installed() else why_not(stream_format.encoding)


def why_not(encoding: str) -> Reason:
    """Return what there is to say of a codec that was not decoded."""
    codec = _CODECS.get(encoding.upper())
    if codec is not None and not codec.is_installed():
        return because(ReasonKey.CODEC_NOT_INSTALLED, codec=encoding, needs=codec.needs)
    return because(ReasonKey.UNKNOWN_CODEC, codec=encoding)


def _find(stream_format: StreamFormat) -> _Codec | None:
    codec = _CODECS.get(stream_format.encoding.upper())
    clock = (stream_format.clock_rate, stream_format.channels)
    return codec if codec is not None and codec.clock in {None, clock} else None
