"""The ring between a media worker and a recorder: its layout, and the producer's side.

Shared memory, one producer, one consumer, no lock. It is handed in as a plain memoryview;
who maps it is not this module's business, and no numpy is imported here, so that a media
worker stays small. `rtp/ring_reader.py` is the other side.

    | header page, 4,096 octets | segments | table: 4 octets a segment |
    a segment: | granules, 192 octets each | guard |

Each packet or mark is one entry: 16 octets that say what it is (`ENTRY`), and behind them the
datagram *as it arrived*, or the mark's data. It begins a granule and takes as many as it needs,
contiguous: what begins in one of a segment's last granules runs on into the guard, so that nothing
is ever cut in two. So a packet is written by one `pack_into`, into three cache lines where it is
G.711 of 20 ms, and `head`, which counts granules, is moved behind it.

Granules are counted on and on; which segment those of a count lie in, the table tells. The
producer takes the segment that became free last, so that the memory that is ever touched is not
what the ring could hold but what the consumer was ever behind.

Two cursors belong to the consumer. `read` is how far it has looked, `safe` how far
everything is in the file; only segments that lie before `safe` are used again, so a consumer that
was killed finds the rest again. A full ring loses packets, counts them and says so with
one GAP mark per leg when there is room again; it never waits. Marks may use a reserve that
packets may not touch. Should even that be full, marks queue here, in their order, and no
packet overtakes them.

Cursors are written as aligned 8-octet words (a memoryview cast does one store). The
consumer reads only up to the head that it saw one tick earlier, therefore a processor that
reorders stores does no harm either.
"""

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

HEADER_PAGE: Final = 4096
"Octets before the first granule."

ENTRY: Final = struct.Struct("QIHBx")
"arrival_ns, leg, length, kind, (spare)."

GRANULE: Final = 192
"Octets: three cache lines. A packet of 20 ms of G.711 takes one, all of it but four octets."

USUAL: Final = GRANULE - ENTRY.size
"Octets of a packet or mark that takes one granule, at most."

LONGEST: Final = 2048
"Octets of a packet or mark."

GUARD: Final = -(-(LONGEST + ENTRY.size) // GRANULE) - 1
"Granules after the last one of a segment: with that one, room for the longest entry."

SEGMENT: Final = 330
"Granules: 64 KB with the guard. A small ring has smaller segments: sixteen are always for packets."

MAGIC: Final = 0x3330474E4952534D
"`MSRING03` on a little-endian machine: on another byte order it doesn't match."

_GEOMETRY = struct.Struct("QIII")
_COUNT = struct.Struct("<I")

# Words of the header page, by their index as 8-octet words. Producer and consumer write
# into different cache lines.
HEAD: Final = 8
LOST_PACKETS: Final = 9
GAPS: Final = 10
MARKS_LOST: Final = 11
READ: Final = 16
SAFE: Final = 17

PackInto = Callable[..., None]
"`pack_into` of a `struct.Struct`."

MAX_PENDING_MARKS: Final = 65536
"A recorder that is away this long has lost its recordings anyway."


class Kind(IntEnum):
    """What an entry is; everything but a packet is a mark."""

    PACKET = 0
    TAP_OPENED = 1
    TAP_CLOSED = 2
    STOPPED = 3
    GAP = 4
    FORMAT_CHANGED = 5
    MASKED = 6
    UNMASKED = 7
    PAUSED = 8
    RESUMED = 9


class RingError(Exception):
    """The memory is no ring, or its content contradicts itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingLayout:
    """The geometry of a ring."""

    segments: int
    reserved: int
    "Segments left to marks."

    segment: int = SEGMENT
    "Granules of a segment; more than `GUARD`."

    @classmethod
    def for_calls(
        cls, calls: int, seconds: float = 4.0, granules_per_second: int = 140
    ) -> "RingLayout":
        """Return a ring that bridges `seconds` of `calls`.

        `granules_per_second` is that of a call, both directions: 100 with G.711 of 20 ms, 133
        with 30 ms.
        """
        packets = max(256, int(calls * seconds * granules_per_second))
        # A call's marks: two taps opened (7 granules each), two closed, one stop, and a
        # mask or pause on top.
        marks = 64 + 20 * calls
        segment = min(SEGMENT, packets // 16)
        reserved = -(-marks // segment)
        return cls(segments=-(-packets // segment) + reserved, reserved=reserved, segment=segment)

    @classmethod
    def read(cls, memory: memoryview) -> "RingLayout":
        """Return the geometry of the ring in `memory`; raises `RingError`."""
        if len(memory) < HEADER_PAGE:
            raise RingError("the memory holds no ring")
        magic, segments, reserved, segment = _GEOMETRY.unpack_from(memory)
        layout = cls(segments=segments, reserved=reserved, segment=segment)
        if magic != MAGIC:
            raise RingError("the memory holds no ring")
        if not segments or segment <= GUARD or len(memory) < layout.size:
            raise RingError(f"a ring of {layout.size} octets in {len(memory)} octets of memory")
        return layout

    @property
    def granules(self) -> int:
        """Granules that the ring holds."""
        return self.segments * self.segment

    @property
    def for_packets(self) -> int:
        """Granules of them that packets may take."""
        return (self.segments - self.reserved) * self.segment

    @property
    def stride(self) -> int:
        """Granules from one segment to the next."""
        return self.segment + GUARD

    @property
    def table(self) -> int:
        """Where the table begins, in octets."""
        return HEADER_PAGE + self.segments * self.stride * GRANULE

    @property
    def size(self) -> int:
        """Octets of the whole ring, in whole pages."""
        return (self.table + 4 * self.segments + 4095) & ~4095


def granules_of(length: int) -> int:
    """Return how many granules an entry with so many octets behind its head takes."""
    return (length + ENTRY.size + GRANULE - 1) // GRANULE


def initialise(memory: memoryview, layout: RingLayout) -> None:
    """Make `memory` an empty ring: the creator's duty, before anyone attaches."""
    if len(memory) < layout.size:
        raise RingError(f"a ring of {layout.size} octets in {len(memory)} octets of memory")
    memory[:HEADER_PAGE] = bytes(HEADER_PAGE)
    memory[layout.table : layout.size] = bytes(layout.size - layout.table)
    _GEOMETRY.pack_into(memory, 0, MAGIC, layout.segments, layout.reserved, layout.segment)


class RingWriter:
    """The producer. Attaches to a ring as it is, also to that of a producer that was killed."""

    __slots__ = (
        "_at",
        "_end",
        "_free",
        "_freed",
        "_head",
        "_layout",
        "_lost",
        "_memory",
        "_packers",
        "_pending",
        "_room",
        "_table",
        "_words",
    )

    def __init__(self, memory: memoryview) -> None:
        self._layout = RingLayout.read(memory)
        self._memory = memory
        self._words = memory[:HEADER_PAGE].cast("Q")
        self._table = memory[self._layout.table :][: 4 * self._layout.segments].cast("I")
        segment = self._layout.segment
        self._head: int = self._words[HEAD]
        self._end = -(-self._head // segment) * segment
        "Granules published or to be, up to which the table tells where they lie."
        self._at = 0
        "Where the next entry begins, in octets, where there is room."
        self._freed = min(self._words[SAFE], self._head) // segment
        "Segments whose content need not stay, counted since the ring exists."
        self._free = self._unused()
        "Segments of the memory, the one to be taken first at the end."
        self._packers: list[PackInto | None] = [None] * (LONGEST + 1)
        "By length: what writes an entry, head and octets, in one go."
        self._lost: dict[int, int] = {}
        self._pending: deque[tuple[Kind, int, int, bytes]] = deque()
        self._room = 0
        self._update_room(1)

    @property
    def lost_packets(self) -> int:
        """Packets that found the ring full, since it exists."""
        return int(self._words[LOST_PACKETS])

    @property
    def gaps(self) -> int:
        """GAP marks written, since the ring exists."""
        return int(self._words[GAPS])

    @property
    def marks_lost(self) -> int:
        """Marks given up because the consumer is away for good, since the ring exists."""
        return int(self._words[MARKS_LOST])

    @property
    def pending_marks(self) -> int:
        """Marks that wait for room."""
        return len(self._pending)

    def packet(self, octets: bytes | bytearray, length: int, leg: int, arrival_ns: int) -> None:
        """Publish a packet, or count it as lost.

        `octets` begin with the datagram as it arrived, which has `length` octets, at most
        `LONGEST`; `arrival_ns` is on the monotonic clock. This is the fast path: it stays
        free of anything that can wait till later.
        """
        granules = 1 if length <= USUAL else granules_of(length)
        if self._room < granules and not self._make_room(leg, granules, arrival_ns):
            return
        pack = self._packers[length] or self._packer(length)
        pack(self._memory, self._at, arrival_ns, leg, length, 0, octets)
        self._at += granules * GRANULE
        self._room -= granules
        self._words[HEAD] = self._head = self._head + granules

    def mark(self, kind: Kind, leg: int, arrival_ns: int, data: bytes = b"") -> None:
        """Publish a mark behind everything that was handed in before it."""
        if len(data) > LONGEST:
            raise ValueError(f"a mark of {len(data)} octets")
        self.flush(arrival_ns)
        if leg in self._lost:
            self._pending.append((Kind.GAP, leg, arrival_ns, _COUNT.pack(self._lost.pop(leg))))
        self._pending.append((kind, leg, arrival_ns, data))
        if len(self._pending) > MAX_PENDING_MARKS:
            self._pending.popleft()
            self._words[MARKS_LOST] += 1
        self.flush(arrival_ns)

    def flush(self, arrival_ns: int) -> None:
        """Write what waits: marks first, then gaps that ended. Call it once in a while."""
        self._write_waiting(arrival_ns)
        self._update_room(1)

    def _write_waiting(self, arrival_ns: int) -> None:
        self._collect()
        self._put_marks()
        if self._lost and not self._pending and self._spare > self._resume_spare:
            for leg, count in self._lost.items():
                self._pending.append((Kind.GAP, leg, arrival_ns, _COUNT.pack(count)))
            self._lost.clear()
            self._put_marks()

    def _put_marks(self) -> None:
        while self._pending and self._put_mark(*self._pending[0]):
            self._pending.popleft()

    def _put_mark(self, kind: Kind, leg: int, arrival_ns: int, data: bytes) -> bool:
        """Write a mark, into the reserve if need be; tell whether there was room."""
        granules = granules_of(len(data))
        if not self._open(granules, keep=0):
            return False
        pack = self._packer(len(data))
        pack(self._memory, self._at, arrival_ns, leg, len(data), kind, data)
        self._head += granules
        self._words[HEAD] = self._head
        if kind is Kind.GAP:
            self._words[GAPS] += 1
        return True

    def _packer(self, length: int) -> PackInto:
        """Return what writes an entry with so many octets."""
        pack = self._packers[length] = struct.Struct(f"{ENTRY.format}{length}s").pack_into
        return pack

    # --- room

    def _make_room(self, leg: int, granules: int, arrival_ns: int) -> bool:
        """Look where the consumer is now; count the packet as lost where nothing is free."""
        self._write_waiting(arrival_ns)
        self._update_room(granules)
        if not self._room:
            self._lost[leg] = self._lost.get(leg, 0) + 1
            self._words[LOST_PACKETS] += 1
        return self._room > 0

    def _update_room(self, granules: int) -> None:
        """Set how many granules packets may take before anyone must look again.

        None where the next packet, of so many granules, has no room; else the rest of a segment,
        beyond which that packet may reach.
        """
        self._room = 0
        if not self._pending and not self._lost and self._open(granules, self._layout.reserved):
            self._room = self._layout.segment - self._head % self._layout.segment

    def _open(self, granules: int, keep: int) -> bool:
        """Find a place for an entry, with `keep` segments left free; tell whether there is one.

        Where it begins in one segment and ends in the next one's count, both must be had.
        """
        segments, segment = self._layout.segments, self._layout.segment
        if self._head + granules > self._end:
            if len(self._free) <= keep:
                return False
            self._table[self._end // segment % segments] = self._free.pop()
            self._end += segment
        elif len(self._free) < keep:
            return False
        number, granule = divmod(self._head, segment)
        granule += self._table[number % segments] * self._layout.stride
        self._at = HEADER_PAGE + granule * GRANULE
        return True

    def _collect(self) -> None:
        """Take back the segments that the consumer has released."""
        released = min(self._words[SAFE], self._head) // self._layout.segment
        while self._freed < released:
            self._free.append(self._table[self._freed % self._layout.segments])
            self._freed += 1

    def _unused(self) -> list[int]:
        """Return the segments that hold nothing, the first ones at the end."""
        segments = self._layout.segments
        numbers = range(self._freed, self._end // self._layout.segment)
        used = {self._table[number % segments] for number in numbers}
        return [each for each in reversed(range(segments)) if each not in used]

    @property
    def _spare(self) -> int:
        """Granules that packets may still take."""
        segments = len(self._free) - self._layout.reserved
        return segments * self._layout.segment + self._end - self._head

    @property
    def _resume_spare(self) -> int:
        """Granules that must be free before a gap ends: not a gap mark for each packet."""
        return len(self._lost) + self._layout.granules // 64
