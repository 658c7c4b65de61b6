"""What the recorder can decode, and what it says of everything else.

G.711 has no memory: a table decodes the packets of all legs at once, in whatever order. The
others are decoded in order, stream by stream (`recording/in_order.py`). No numpy here: the
signalling asks whether a call can be recorded at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from codec import optional
from recording.reasons import Reason, ReasonKey, because
from recording.spec import StreamFormat

UNKNOWN: Final = 0
PCMA: Final = 1
PCMU: Final = 2
NOT_AUDIO: Final = 3
"Telephone events, comfort noise: silence in the file, and no fault."

KEY: Final = 4
"Telephone events that blank what is heard meanwhile (`recording/pressed_keys.py`)."

KEY_48: Final = 5
"The same on the clock of Opus, 48 kHz."

G722: Final = 8
"From here on: with a memory."

OPUS: Final = 9

IS_WIDE: Final = tuple(codec in (G722, OPUS) for codec in range(OPUS + 1))
"By codec: whether it says more than 8 kHz can hold."


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
    "G722": _Codec(number=G722, is_installed=optional.has_g722, needs="mitschnitt[wideband]"),
    "OPUS": _Codec(number=OPUS, clock=(48000, 2), is_installed=optional.has_opus, needs="libopus0"),
    "TELEPHONE-EVENT": _Codec(number=NOT_AUDIO, clock=None),
    "CN": _Codec(number=NOT_AUDIO, clock=None),
}


def codec_of(stream_format: StreamFormat) -> int:
    """Return how packets of this format are decoded."""
    codec = _find(stream_format)
    return codec.number if codec is not None and codec.is_installed() else UNKNOWN


def is_wide(stream_format: StreamFormat) -> bool:
    """Tell whether sound of this format deserves a file of 16 kHz, and can be decoded."""
    return IS_WIDE[codec_of(stream_format)]


def refusal(stream_format: StreamFormat) -> Reason | None:
    """Return why sound of this format can't be recorded; None: it can."""
    known = codec_of(stream_format) != UNKNOWN
    return None if known else why_not(stream_format.encoding)


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
