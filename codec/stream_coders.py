"""Coders of one stream, for transcoding while people talk: octets in, samples out, and back.

Without numpy and without waiting: a packet at a time, some 10 to 100 µs each. Both ends of a
conversion work at the same rate, so nothing is resampled here: libopus and G.722 know 8 kHz and
16 kHz themselves (G.722 at 8 kHz is its lower band, with the transition of its own filters).

Samples are octets in the order of this machine, 16 bits, mono. Raises `ImportError` or `OSError`
where a library is missing.
"""

import contextlib
import ctypes
import importlib
import weakref
from array import array
from collections.abc import Callable
from typing import Any, Final, Protocol

from codec import libopus
from codec.linear import TABLES, Law
from codec.optional import G722_MODULE

NARROW: Final = 8000
WIDE: Final = 16000

FADE: Final = (0.8, 0.5, 0.2)
"""How loud a packet is played again for each that is missing; behind them is silence."""

OPUS_COMPLEXITY: Final = 3
"Of 0 to 10: some 75 µs for 20 ms of wideband; 10 costs 200 and is little better for speech."

OPUS_BIT_RATE: Final = {NARROW: 16000, WIDE: 24000}
"bit/s, by Hz: what RFC 7587 section 3.1.1 recommends for speech, upper end."

LONGEST_OPUS_MS: Final = 120
MAX_PACKET: Final = 1275
"Octets of an Opus frame."


class StreamDecoder(Protocol):
    """One stream that comes in."""

    def decode(self, payload: bytes) -> bytes:
        """Return the samples of the packet that follows; none of one that is broken."""

    def conceal(self, samples: int) -> bytes:
        """Return as many samples for packets that did not come."""


class StreamEncoder(Protocol):
    """One stream that goes out."""

    def encode(self, pcm: bytes) -> bytes:
        """Return the payload of the packet that follows."""


class _Repeater:
    """What is heard in a gap: the last packet again, more and more quietly."""

    __slots__ = ("_last", "_times")

    def __init__(self) -> None:
        self._last = b""
        self._times = 0

    def heard(self, pcm: bytes) -> None:
        self._last = pcm
        self._times = 0

    def conceal(self, samples: int) -> bytes:
        out = b""
        while len(out) < 2 * samples and self._last and self._times < len(FADE):
            gain = FADE[self._times]
            self._times += 1
            loud = memoryview(self._last).cast("h")
            out += array("h", [int(sample * gain) for sample in loud]).tobytes()
        return out[: 2 * samples].ljust(2 * samples, b"\0")


class LawDecoder:
    """G.711."""

    def __init__(self, law: Law) -> None:
        self._decode = TABLES[law].decode
        self._repeater = _Repeater()

    def decode(self, payload: bytes) -> bytes:
        """Return one sample of 8 kHz per octet."""
        pcm = self._decode(payload)
        self._repeater.heard(pcm)
        return pcm

    def conceal(self, samples: int) -> bytes:
        """Return the last packet again, fading."""
        return self._repeater.conceal(samples)


class G722StreamDecoder:
    """G.722 at 64 kbit/s; at 8 kHz its lower band."""

    def __init__(self, rate: int) -> None:
        self._decoder: Any = importlib.import_module(G722_MODULE).G722(rate, 64000)
        self._repeater = _Repeater()

    def decode(self, payload: bytes) -> bytes:
        """Return one or two samples per octet."""
        pcm: bytes = self._decoder.decode(payload).tobytes()
        self._repeater.heard(pcm)
        return pcm

    def conceal(self, samples: int) -> bytes:
        """Return the last packet again, fading."""
        return self._repeater.conceal(samples)


class OpusStreamDecoder:
    """Opus; libopus conceals by itself."""

    def __init__(self, rate: int) -> None:
        self._library = libopus.library()
        self._state = libopus.make_decoder(rate)
        self._longest = LONGEST_OPUS_MS * rate // 1000
        self._pcm = ctypes.create_string_buffer(2 * self._longest)
        weakref.finalize(self, self._library.opus_decoder_destroy, self._state)

    def decode(self, payload: bytes) -> bytes:
        """Return the samples of a packet."""
        return self._run(payload, len(payload), self._longest)

    def conceal(self, samples: int) -> bytes:
        """Return what libopus makes of nothing, in pieces of 20 ms."""
        return self._run(None, 0, min(samples, self._longest))

    def _run(self, payload: bytes | None, octets: int, longest: int) -> bytes:
        count = self._library.opus_decode(self._state, payload, octets, self._pcm, longest, 0)
        return self._pcm.raw[: 2 * max(0, count)]


class LawEncoder:
    """G.711."""

    def __init__(self, law: Law) -> None:
        self.encode = TABLES[law].encode


class G722StreamEncoder:
    """G.722 at 64 kbit/s."""

    def __init__(self, rate: int) -> None:
        self._encoder: Any = importlib.import_module(G722_MODULE).G722(rate, 64000)

    def encode(self, pcm: bytes) -> bytes:
        """Return one octet for each sample of 8 kHz, or for two of 16 kHz."""
        samples = array("h")
        samples.frombytes(pcm)
        return bytes(self._encoder.encode(samples))


class OpusStreamEncoder:
    """Opus for speech, at one bit rate, with what helps against some loss."""

    def __init__(self, rate: int) -> None:
        self._library = libopus.library()
        self._state = libopus.make_encoder(rate)
        weakref.finalize(self, self._library.opus_encoder_destroy, self._state)
        for request, value in (
            (libopus.SET_COMPLEXITY, OPUS_COMPLEXITY),
            (libopus.SET_BITRATE, OPUS_BIT_RATE[rate]),
            (libopus.SET_INBAND_FEC, 1),
            (libopus.SET_PACKET_LOSS, 2),
        ):
            self._library.opus_encoder_ctl(self._state, request, ctypes.c_int(value))
        self._out = ctypes.create_string_buffer(MAX_PACKET)

    def encode(self, pcm: bytes) -> bytes:
        """Return a packet of 10, 20, 40 or 60 ms; empty where libopus could not."""
        count = self._library.opus_encode(self._state, pcm, len(pcm) // 2, self._out, MAX_PACKET)
        return self._out.raw[: max(0, count)]


_DECODERS: Final[dict[str, Callable[[int], StreamDecoder]]] = {
    "PCMA": lambda _: LawDecoder("PCMA"),
    "PCMU": lambda _: LawDecoder("PCMU"),
    "G722": G722StreamDecoder,
    "OPUS": OpusStreamDecoder,
}

_ENCODERS: Final[dict[str, Callable[[int], StreamEncoder]]] = {
    "PCMA": lambda _: LawEncoder("PCMA"),
    "PCMU": lambda _: LawEncoder("PCMU"),
    "G722": G722StreamEncoder,
    "OPUS": OpusStreamEncoder,
}

CLOCK_RATES: Final = {"PCMA": 8000, "PCMU": 8000, "G722": 8000, "OPUS": 48000}
"Hz of the RTP timestamps; G.722's is an old mistake that stays."


def working_rate(source: str, target: str) -> int:
    """Return the Hz at which to go from one codec to the other: wide where both are."""
    return NARROW if {source, target} & {"PCMA", "PCMU"} else WIDE


def make_stream_decoder(codec: str, rate: int) -> StreamDecoder:
    """Return a decoder to `rate` Hz; raises `KeyError` for a codec that there is none of."""
    return _DECODERS[codec](rate)


def make_stream_encoder(codec: str, rate: int) -> StreamEncoder:
    """Return an encoder from `rate` Hz; raises `KeyError` for a codec that there is none of."""
    return _ENCODERS[codec](rate)


def warm_up() -> None:
    """Load the libraries that there are, so that no call has to wait for that."""
    for codec in _DECODERS:
        with contextlib.suppress(ImportError, OSError):
            make_stream_decoder(codec, NARROW).conceal(160)
            make_stream_encoder(codec, NARROW).encode(bytes(320))
