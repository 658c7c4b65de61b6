"""The ring between a media worker and a recorder: its layout, and the producer's side.

Shared memory, one producer, one consumer, no lock. It is handed in as a plain memoryview;
who maps it is not this module's business, and no numpy is imported here, so that a media
worker stays small. `rtp/ring_reader.py` is the other side.

    | header page, 4,096 octets | entries, 32 octets each | data granules, 256 each | guard |

Each packet or mark is one entry, published by moving `head`, plus as many granules as its
octets need, contiguous: what begins in one of the last granules runs on into the guard, so
that nothing is ever cut in two. The entry holds the RTP header *as it arrived*; the header
inside the granules may already be rewritten for the other party.

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
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

HEADER_PAGE: Final = 4096
"Octets before the first entry."

ENTRY: Final = struct.Struct("QIIHBBBxHII")
"arrival_ns, granule, leg, length, kind, b0, b1, (spare), sequence, timestamp, ssrc."

GRANULE: Final = 256
"Octets. A 20 ms packet of G.711 (172 octets) takes one."

GUARD: Final = 2048
"Octets after the last granule, and so the longest packet or mark."

MAGIC: Final = 0x3130474E4952534D
"`MSRING01` on a little-endian machine: on another byte order it doesn't match."

_GEOMETRY = struct.Struct("QIIII")
_COUNT = struct.Struct("<I")
_SLOT_GRANULE = struct.Struct("8xI4xH")

# Words of the header page, by their index as 8-octet words. Producer and consumer write
# into different cache lines.
HEAD: Final = 8
LOST_PACKETS: Final = 9
GAPS: Final = 10
MARKS_LOST: Final = 11
READ: Final = 16
SAFE: Final = 17

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

    entries: int
    granules: int
    reserved_entries: int
    "Left to marks."
    reserved_granules: int
    "Left to marks."

    @classmethod
    def for_calls(
        cls, calls: int, seconds: float = 4.0, packets_per_second: int = 100
    ) -> "RingLayout":
        """Return a ring that bridges `seconds` of `calls`.

        `packets_per_second` is that of a call, both directions, one granule per packet.
        """
        packets = max(256, int(calls * seconds * packets_per_second))
        # A call's marks: two taps opened (4 granules each), two closed, one stop, and a
        # mask or pause on top.
        reserved_entries = 64 + 8 * calls
        reserved_granules = 64 + 16 * calls
        return cls(
            entries=packets + reserved_entries,
            granules=packets + reserved_granules,
            reserved_entries=reserved_entries,
            reserved_granules=reserved_granules,
        )

    @classmethod
    def read(cls, memory: memoryview) -> "RingLayout":
        """Return the geometry that `initialise` wrote into `memory`; raises `RingError`."""
        if len(memory) < HEADER_PAGE:
            raise RingError(f"{len(memory)} octets are too few for a ring")
        magic, entries, granules, reserved_entries, reserved_granules = _GEOMETRY.unpack_from(
            memory
        )
        layout = cls(
            entries=entries,
            granules=granules,
            reserved_entries=reserved_entries,
            reserved_granules=reserved_granules,
        )
        if magic != MAGIC:
            raise RingError("the memory holds no ring")
        if not entries or not granules or len(memory) < layout.size:
            raise RingError(f"a ring of {layout.size} octets in {len(memory)} octets of memory")
        return layout

    @property
    def data_offset(self) -> int:
        """Octets before granule 0, on a page border."""
        return (HEADER_PAGE + self.entries * ENTRY.size + 4095) & ~4095

    @property
    def size(self) -> int:
        """Octets of the whole ring, in whole pages."""
        return (self.data_offset + self.granules * GRANULE + GUARD + 4095) & ~4095


def initialise(memory: memoryview, layout: RingLayout) -> None:
    """Make `memory` an empty ring: the creator's duty, before anyone attaches."""
    if len(memory) < layout.size:
        raise RingError(f"a ring of {layout.size} octets in {len(memory)} octets of memory")
    memory[:HEADER_PAGE] = bytes(HEADER_PAGE)
    _GEOMETRY.pack_into(
        memory,
        0,
        MAGIC,
        layout.entries,
        layout.granules,
        layout.reserved_entries,
        layout.reserved_granules,
    )


class RingWriter:
    """The producer. Attaches to a ring as it is, also to that of a producer that was killed."""

    __slots__ = (
        "_data",
        "_entries",
        "_granule",
        "_granules",
        "_head",
        "_layout",
        "_lost",
        "_memory",
        "_pending",
        "_room",
        "_words",
    )

    def __init__(self, memory: memoryview) -> None:
        self._layout = RingLayout.read(memory)
        self._memory = memory
        self._words = memory[:HEADER_PAGE].cast("Q")
        self._data = self._layout.data_offset
        self._entries = self._layout.entries
        self._granules = self._layout.granules
        self._head: int = self._words[HEAD]
        self._granule = self._granule_after(self._head)
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

    def packet(  # noqa: PLR0917 - keyword arguments cost 100 ns here
        self,
        octets: memoryview,
        leg: int,
        arrival_ns: int,
        b0: int,
        b1: int,
        sequence: int,
        timestamp: int,
        ssrc: int,
    ) -> None:
        """Publish a packet of at most `GUARD` octets, or count it as lost.

        `b0` to `ssrc` are the RTP header as it arrived; `arrival_ns` is on the monotonic
        clock. This is the fast path: it stays free of anything that can wait till later.
        """
        length = len(octets)
        granules = (length + 255) >> 8
        if self._room < granules and not self._make_room(leg, granules, arrival_ns):
            return
        granule = self._granule
        start = self._data + (granule << 8)
        memory = self._memory
        memory[start : start + length] = octets
        head = self._head
        _pack_entry(
            memory,
            4096 + head % self._entries * 32,
            arrival_ns,
            granule,
            leg,
            length,
            0,
            b0,
            b1,
            sequence,
            timestamp,
            ssrc,
        )
        granule += granules
        self._granule = granule if granule < self._granules else 0
        self._room -= granules
        self._words[8] = self._head = head + 1

    def mark(self, kind: Kind, leg: int, arrival_ns: int, data: bytes = b"") -> None:
        """Publish a mark behind everything that was handed in before it."""
        if len(data) > GUARD:
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
        return len(self._lost) + self._layout.granules // 64

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
        granules = (len(data) + GRANULE - 1) // GRANULE
        free_entries, free_granules = self._free()
        # One granule always stays free, so that none used and all used look different.
        if free_entries < 1 or free_granules <= granules:
            return False
        start = self._data + self._granule * GRANULE
        self._memory[start : start + len(data)] = data
        _pack_entry(
            self._memory,
            HEADER_PAGE + self._head % self._layout.entries * ENTRY.size,
            arrival_ns,
            self._granule,
            leg,
            len(data),
            kind,
            0,
            0,
            0,
            0,
            0,
        )
        self._granule += granules
        if self._granule >= self._layout.granules:
            self._granule = 0
        self._head += 1
        self._words[HEAD] = self._head
        if kind is Kind.GAP:
            self._words[GAPS] += 1
        return True

    def _free(self) -> tuple[int, int]:
        """Return the entries and granules that may be overwritten."""
        safe = min(max(self._words[SAFE], self._head - self._layout.entries), self._head)
        if safe == self._head:
            return self._layout.entries, self._layout.granules
        tail, _ = self._slot(safe)
        used_granules = (self._granule - tail) % self._layout.granules
        return (
            self._layout.entries - (self._head - safe),
            self._layout.granules - used_granules,
        )

    def _update_room(self) -> None:
        """Set how many granules packets may take before anyone must look again.

        Each packet takes one entry and at least one granule, so one figure covers both.
        """
        if self._pending:
            self._room = 0
            return
        free_entries, free_granules = self._free()
        self._room = min(
            free_entries - self._layout.reserved_entries,
            free_granules - self._layout.reserved_granules - 1,
        )

    def _granule_after(self, head: int) -> int:
        """Return where the data of entry `head` goes: behind that of the last entry."""
        if not head:
            return 0
        granule, length = self._slot(head - 1)
        granule += (length + GRANULE - 1) // GRANULE
        return granule if granule < self._layout.granules else 0

    def _slot(self, entry: int) -> tuple[int, int]:
        """Return granule and length of a published entry."""
        granule, length = _SLOT_GRANULE.unpack_from(
            self._memory, HEADER_PAGE + entry % self._layout.entries * ENTRY.size
        )
        return granule, length


_pack_entry = ENTRY.pack_into
