"""The rings of a media worker: one to each recorder, and what did not find room in them."""

import mmap
import struct
from collections.abc import Sequence
from typing import Final

from rtp.ring import Kind, RingWriter

RECORDING_ID: Final = struct.Struct("<I")


class UnknownRecorderError(Exception):
    """A message names a recorder that there is none of."""


class Rings:
    """All rings of one process. They outlive it, and its totals must not begin with theirs."""

    def __init__(self, rings: Sequence[RingWriter]) -> None:
        self._rings = rings
        self._before = [_lost(ring) for ring in rings]

    def to(self, recorder: int) -> RingWriter:
        """Return the ring to a recorder; raises `UnknownRecorderError`."""
        if not 0 <= recorder < len(self._rings):
            raise UnknownRecorderError(f"there is no recorder {recorder}")
        return self._rings[recorder]

    def mark_stopped(self, recorder: int, recording_id: int, now: int) -> None:
        """Mark the end of a recording; raises `UnknownRecorderError`."""
        self.to(recorder).mark(Kind.STOPPED, 0, now, RECORDING_ID.pack(recording_id))

    def flush(self, now: int) -> None:
        """Write what waits for room in them."""
        for ring in self._rings:
            ring.flush(now)

    @property
    def totals(self) -> dict[str, float]:
        """What was lost since the process started, by name."""
        lost = gaps = marks_lost = 0
        for ring, before in zip(self._rings, self._before, strict=True):
            after = _lost(ring)
            lost += after[0] - before[0]
            gaps += after[1] - before[1]
            marks_lost += after[2] - before[2]
        return {"ring_packets_lost": lost, "ring_gaps": gaps, "ring_marks_lost": marks_lost}


def attach(fd: int) -> RingWriter:
    """Return the writer of the ring in the shared memory `fd`."""
    return RingWriter(memoryview(mmap.mmap(fd, 0)))


def _lost(ring: RingWriter) -> tuple[int, int, int]:
    return ring.lost_packets, ring.gaps, ring.marks_lost
