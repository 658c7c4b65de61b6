"""What a recorder must know to record one party: the message inside a tap mark.

The signalling process writes it, the media worker puts it into the ring unread, and the
recorder obeys it in ring order. So a recording needs no other announcement, and nothing
can overtake it.
"""

from typing import Final

import msgspec

OURS: Final = 2
"The side of what we say to a party: in stereo it is on both."

OUR_VOICE: Final = 1 << 31
"Added to a leg's number in the ring for what we say to its party."


class StreamFormat(msgspec.Struct, frozen=True):
    """One payload type of a stream, in the words of SDP (:rfc:`8866#section-6.6`)."""

    payload_type: int
    encoding: str
    "Encoding name in capitals, e.g. `PCMA`, `telephone-event`."
    clock_rate: int
    "Hz."
    channels: int = 1


class RecordingSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One recording (segment) as its first tap announces it; each further tap repeats it."""

    recording_id: int
    "Unique while any process of the installation runs."
    relative_path: str
    "Of the finished file, below the recordings' folder; `.part` is appended while open."
    started_at: float
    "Wall clock (Unix seconds) that belongs to `started_mono`."
    started_mono: float
    "CLOCK_MONOTONIC seconds at which the axis would begin if the mark came at once."
    sample_rate: int = 8000
    "Hz, of the file."
    mix_rate: int = 8000
    "Hz, of the sum of the parties: 8,000 or 16,000."
    channels: int = 1
    level: bool = False
    "Bring each party's speech to about the same level (`mixer/levelling.py`)."
    blank_dtmf: bool = True
    "Keep the tones of keys out that a party sends beside its telephone events."
    title: str = ""
    "For the file's tag."


class TapSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One party joining a recording."""

    recording: RecordingSpec
    leg_id: int
    side: int
    "0 caller (left in stereo), 1 callee (right), or `OURS`."
    formats: tuple[StreamFormat, ...]
    "What the party may send; everything else is silence."
    permit: bytes
    "As `recording.permit.encode` wrote it."


def encode_tap(spec: TapSpec) -> bytes:
    """Return the spec as MessagePack."""
    return msgspec.msgpack.encode(spec)


def decode_tap(data: bytes) -> TapSpec:
    """Return the spec; raises `msgspec.MsgspecError` where the bytes are none."""
    return msgspec.msgpack.decode(data, type=TapSpec)


def encode_formats(formats: tuple[StreamFormat, ...]) -> bytes:
    """Return the data of a FORMAT_CHANGED mark: what the leg may send from there on."""
    return msgspec.msgpack.encode(formats)


def decode_formats(data: bytes) -> tuple[StreamFormat, ...]:
    """Return what `encode_formats` wrote; raises `msgspec.MsgspecError`."""
    return msgspec.msgpack.decode(data, type=tuple[StreamFormat, ...])
