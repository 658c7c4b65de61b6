"""What a recorder's successor must know, in memory that outlives both.

A checkpoint describes the open recordings as they were at one place of each ring. Whoever
reads the rings again from there, obeying the marks on the way, comes to the state that was
lost; what the files already hold is told by `progress` (and by the files themselves, which
may be further). The ring's `safe` cursor moves to that place only after the checkpoint is
written.

Two slots take turns, each with a length, a sequence number and a checksum. So a process
that is killed while it writes leaves the older checkpoint whole.
"""

import struct
import zlib
from typing import Final

import msgspec

from recording.spec import RecordingSpec, StreamFormat

_SLOT: Final = struct.Struct("<QII")
"Sequence number, length in octets, CRC-32 of both and the data."

_LENGTHS: Final = struct.Struct("<QI")


class CheckpointError(Exception):
    """The checkpoint doesn't fit into the memory."""


class TrackState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A party of an open recording."""

    leg_id: int
    side: int
    permit: bytes
    "As `recording.permit.encode` wrote it."
    formats: tuple[StreamFormat, ...]
    floor: int
    "Nothing before this place may enter."
    until: int | None
    "Where the tap was closed."
    offset: int
    newest: int
    ssrc: int
    "These three: the anchor, as `mixer.jitter_buffer` has it."
    gain_db: float = 0.0
    "Where levelling was."


class RecordingState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An open recording. Places are samples of 8 kHz on its axis."""

    spec: RecordingSpec
    ring: int
    origin_ns: int
    "Monotonic instant of place 0; moves with each pause."
    place: int
    "No packet that was read before the checkpoint's place in the ring is needed behind it."
    tracks: tuple[TrackState, ...]
    masks: tuple[tuple[int, int], ...]
    masked_since: int | None
    paused_ns: int | None
    missing_samples: int
    lost_packets: int
    undecoded: tuple[str, ...] = ()
    "Codecs that came so far and could not be decoded."


class Progress(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a recording's file is."""

    path: str
    "Of the finished file; may differ from the specified one where that was taken."
    octets: int
    "Of whole frames."
    frames: int


class Checkpoint(msgspec.Struct, frozen=True, array_like=True):
    positions: tuple[int, ...]
    "Entries read, for each ring."
    recordings: tuple[RecordingState, ...]
    progress: dict[int, Progress]
    "By recording_id."


class CheckpointStore:
    """Two slots in a piece of shared memory that the parent made (zeros: no checkpoint)."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._slot_size = len(memory) // 2
        self._encoder = msgspec.msgpack.Encoder()
        self._sequence = max(self._sequence_of(slot) for slot in (0, 1))

    def save(self, checkpoint: Checkpoint) -> None:
        """Write to the slot of the older checkpoint; raises `CheckpointError` if too long."""
        data = self._encoder.encode(checkpoint)
        if _SLOT.size + len(data) > self._slot_size:
            raise CheckpointError(f"{len(data)} octets in slots of {self._slot_size}")
        sequence = self._sequence + 1
        start = sequence % 2 * self._slot_size
        self._memory[start + _SLOT.size : start + _SLOT.size + len(data)] = data
        _SLOT.pack_into(self._memory, start, sequence, len(data), _checksum(sequence, data))
        self._sequence = sequence

    def load(self) -> Checkpoint | None:
        """Return the newest whole checkpoint, or None."""
        for slot in sorted((0, 1), key=self._sequence_of, reverse=True):
            data = self._data_of(slot)
            if data is not None:
                return msgspec.msgpack.decode(data, type=Checkpoint)
        return None

    def _sequence_of(self, slot: int) -> int:
        """Return the sequence number of a slot, 0 where it holds nothing whole."""
        if self._data_of(slot) is None:
            return 0
        sequence: int = _SLOT.unpack_from(self._memory, slot * self._slot_size)[0]
        return sequence

    def _data_of(self, slot: int) -> bytes | None:
        start = slot * self._slot_size
        sequence, length, checksum = _SLOT.unpack_from(self._memory, start)
        if not sequence or length > self._slot_size - _SLOT.size:
            return None
        data = bytes(self._memory[start + _SLOT.size : start + _SLOT.size + length])
        return data if checksum == _checksum(sequence, data) else None


def _checksum(sequence: int, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(_LENGTHS.pack(sequence, len(data))))
