"""The ring between a media worker and a recorder: its layout, and the producer's side.

Shared memory, one producer, one consumer, no lock. It is handed in as a plain memoryview;
who maps it is not this module's business, and no numpy is imported here, so that a media
worker stays small. `rtp/ring_reader.py` is the other side.

    | header page, 4,096 octets | granules, 288 octets each | guard |

Each packet or mark is one entry: 16 octets that say what it is (`ENTRY`), and behind them the
datagram *as it arrived*, or the mark's data. It begins a granule and takes as many as it needs,
contiguous: what begins in one of the last granules runs on into the guard, so that nothing is
ever cut in two. So a packet is written by one `pack_into`, into three or four cache lines
where it is G.711 of 20 ms, and `head`, which counts granules, is moved behind it.

Two cursors belong to the consumer. `read` is how far it has looked, `safe` how far
everything is in the file; only what lies before `safe` is overwritten, so a consumer that
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

GRANULE: Final = 288
"Octets. A packet of 30 ms of G.711 takes one, even with a short header extension."

USUAL: Final = GRANULE - ENTRY.size
"Octets of a packet or mark that takes one granule, at most."

LONGEST: Final = 2048
"Octets of a packet or mark."

GUARD: Final = 2048
"Octets after the last granule: with that granule, room for the longest entry."

MAGIC: Final = 0x3230474E4952534D
"`MSRING02` on a little-endian machine: on another byte order it doesn't match."

_GEOMETRY = struct.Struct("QII")
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

    granules: int
    reserved: int
    "Granules left to marks."

    @classmethod
    def for_calls(
        cls, calls: int, seconds: float = 4.0, packets_per_second: int = 100
    ) -> "RingLayout":
        """Return a ring that bridges `seconds` of `calls`.

        `packets_per_second` is that of a call, both directions, one granule per packet.
        """
        packets = max(256, int(calls * seconds * packets_per_second))
        # A call's marks: two taps opened (5 granules each), two closed, one stop, and a
        # mask or pause on top.
        reserved = 64 + 16 * calls
        return cls(granules=packets + reserved, reserved=reserved)

    @classmethod
    def read(cls, memory: memoryview) -> "RingLayout":
        """Return the geometry of the ring in `memory`; raises `RingError`."""
        if len(memory) < HEADER_PAGE:
            raise RingError("the memory holds no ring")
        magic, granules, reserved = _GEOMETRY.unpack_from(memory)
        layout = cls(granules=granules, reserved=reserved)
        if magic != MAGIC:
            raise RingError("the memory holds no ring")
        if not granules or len(memory) < layout.size:
            raise RingError(f"a ring of {layout.size} octets in {len(memory)} octets of memory")
        return layout

    @property
    def size(self) -> int:
        """Octets of the whole ring, in whole pages."""
        return (HEADER_PAGE + self.granules * GRANULE + GUARD + 4095) & ~4095


def granules_of(length: int) -> int:
    """Return how many granules an entry with so many octets behind its head takes."""
    return (length + ENTRY.size + GRANULE - 1) // GRANULE


def initialise(memory: memoryview, layout: RingLayout) -> None:
    """Make `memory` an empty ring: the creator's duty, before anyone attaches."""
    if len(memory) < layout.size:
        raise RingError(f"a ring of {layout.size} octets in {len(memory)} octets of memory")
    memory[:HEADER_PAGE] = bytes(HEADER_PAGE)
    _GEOMETRY.pack_into(memory, 0, MAGIC, layout.granules, layout.reserved)


class RingWriter:
    """The producer. Attaches to a ring as it is, also to that of a producer that was killed."""

    __slots__ = (
        "_granules",
        "_head",
        "_layout",
        "_lost",
        "_memory",
        "_packers",
        "_pending",
        "_room",
        "_words",
    )

    def __init__(self, memory: memoryview) -> None:
        self._layout = RingLayout.read(memory)
        self._memory = memory
        self._words = memory[:HEADER_PAGE].cast("Q")
        self._granules = self._layout.granules
        self._head: int = self._words[HEAD]
        self._packers: list[PackInto | None] = [None] * (LONGEST + 1)
        "By length: what writes an entry, head and octets, in one go."
        self._lost: dict[int, int] = {}
        self._pending: deque[tuple[Kind, int, int, bytes]] = deque()
        self._room = 0
        self._update_room()

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
        head = self._head
        pack = self._packers[length] or self._packer(length)
        start = HEADER_PAGE + head % self._granules * GRANULE
        pack(self._memory, start, arrival_ns, leg, length, 0, octets)
        self._room -= granules
        self._words[HEAD] = self._head = head + granules

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
        while self._pending and self._put_mark(*self._pending[0]):
            self._pending.popleft()
        self._update_room()
        if self._lost and self._room > self._resume_room:
            for leg, count in self._lost.items():
                self._pending.append((Kind.GAP, leg, arrival_ns, _COUNT.pack(count)))
            self._lost.clear()
            self.flush(arrival_ns)

    @property
    def _resume_room(self) -> int:
        """Granules that must be free before a gap ends: not a gap mark for each packet."""
        return len(self._lost) + self._granules // 64

    def _make_room(self, leg: int, granules: int, arrival_ns: int) -> bool:
        """Look where the consumer is now; count the packet as lost where nothing is free."""
        self.flush(arrival_ns)
        if self._lost or self._room < granules:
            self._lost[leg] = self._lost.get(leg, 0) + 1
            self._words[LOST_PACKETS] += 1
            self._room = 0
            return False
        return True

    def _put_mark(self, kind: Kind, leg: int, arrival_ns: int, data: bytes) -> bool:
        """Write a mark, into the reserve if need be; tell whether there was room."""
        granules = granules_of(len(data))
        if self._free() < granules:
            return False
        start = HEADER_PAGE + self._head % self._granules * GRANULE
        self._packer(len(data))(self._memory, start, arrival_ns, leg, len(data), kind, data)
        self._head += granules
        self._words[HEAD] = self._head
        if kind is Kind.GAP:
            self._words[GAPS] += 1
        return True

    def _packer(self, length: int) -> PackInto:
        """Return what writes an entry with so many octets."""
        pack = self._packers[length] = struct.Struct(f"{ENTRY.format}{length}s").pack_into
        return pack

    def _free(self) -> int:
        """Return the granules that may be overwritten."""
        safe = min(max(self._words[SAFE], self._head - self._granules), self._head)
        return self._granules - (self._head - safe)

    def _update_room(self) -> None:
        """Set how many granules packets may take before anyone must look again."""
        self._room = 0 if self._pending else self._free() - self._layout.reserved
