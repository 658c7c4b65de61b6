"""The consumer's side of the ring (`rtp/ring.py`), vectorised: entries are a numpy array.

The caller's duty: call `new_entries` once per tick, work, and `release` what is in the
file for good. Arrays of entries are copies; payloads are copied out as well, so nothing
that is handed out points into memory that the producer may overwrite.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtp.ring import ENTRY as ENTRY_STRUCT
from rtp.ring import (
    GAPS,
    GRANULE,
    GUARD,
    HEAD,
    HEADER_PAGE,
    LONGEST,
    LOST_PACKETS,
    READ,
    SAFE,
    USUAL,
    RingError,
    RingLayout,
)

ENTRY: Final = np.dtype(
    [
        ("arrival_ns", np.uint64),
        ("leg", np.uint32),
        ("length", np.uint16),
        ("kind", np.uint8),
        ("b0", np.uint8),
        ("b1", np.uint8),
        ("sequence", np.uint16),
        ("timestamp", np.uint32),
        ("ssrc", np.uint32),
        ("granule", np.uint32),
    ],
    align=True,
)
"""An entry as it is handed out: what the ring says of it, the first octets of the datagram as
the RTP header that they are (of a mark they mean nothing), and where its octets are."""

PLAIN: Final = 0x80
"The first octet of a header with nothing behind its twelve octets."

_STORED: Final = np.dtype(
    {
        "names": [
            "arrival_ns",
            "leg",
            "length",
            "kind",
            "b0",
            "b1",
            "sequence",
            "timestamp",
            "ssrc",
        ],
        "formats": ["u8", "u4", "u2", "u1", "u1", "u1", ">u2", ">u4", ">u4"],
        "offsets": [0, 8, 12, 14, 16, 17, 18, 20, 24],
    }
)
"The same as it lies at the head of its granule: `rtp.ring.ENTRY`, then octets of the network."


class RingReader:
    """The consumer.

    A new one begins at `safe`: it reads again what its forerunner had not yet brought into
    a file.
    """

    def __init__(self, memory: memoryview) -> None:
        self._layout = RingLayout.read(memory)
        self._words = memory[:HEADER_PAGE].cast("Q")
        self._table = memory[self._layout.table :][: 4 * self._layout.segments].cast("I")
        granules = self._layout.segments * self._layout.stride
        self._heads: NDArray[np.void] = np.ndarray(
            (granules,), _STORED, memory, offset=HEADER_PAGE, strides=(GRANULE,)
        )
        self._data = np.frombuffer(memory[HEADER_PAGE : self._layout.table], dtype=np.uint8)
        # Row n: the octets behind the head of granule n. The guard makes the last rows whole.
        self._rows = np.lib.stride_tricks.as_strided(
            self._data[ENTRY_STRUCT.size :],
            shape=(granules - GUARD, LONGEST),
            strides=(GRANULE, 1),
            writeable=False,
        )
        self.position: int = self._words[SAFE]
        "Granules whose entries were handed out, counted since the ring exists."
        self._seen = self.position
        self._words[READ] = self.position

    @property
    def head(self) -> int:
        """Granules published, counted since the ring exists."""
        return int(self._words[HEAD])

    @property
    def safe(self) -> int:
        """Granules that the producer may overwrite, counted since the ring exists."""
        return int(self._words[SAFE])

    @property
    def lost_packets(self) -> int:
        """Packets that found the ring full."""
        return int(self._words[LOST_PACKETS])

    @property
    def gaps(self) -> int:
        """GAP marks that the producer wrote."""
        return int(self._words[GAPS])

    def new_entries(self, limit: int = 65536) -> NDArray[np.void]:
        """Return a copy of the next entries, shape (n,), dtype `ENTRY`, of about `limit` granules.

        Entries that appeared since the last call are left for the next one (see the head
        of `rtp/ring.py`). Raises `RingError` where the ring contradicts itself.
        """
        end = min(self._seen, self.position + limit)
        head = self.head
        if not self.safe <= self.position <= self._seen <= head:
            raise RingError(f"cursors {self.safe}, {self.position}, {self._seen}, {head}")
        if head - self.safe > self._layout.granules:
            raise RingError(f"{head - self.safe} granules in a ring of {self._layout.granules}")
        granules, end = self._entries_between(self.position, end)
        self._seen = head
        stored = self._heads[granules]
        entries = np.empty(len(granules), ENTRY)
        for name in _STORED.names or ():
            entries[name] = stored[name]
        entries["granule"] = granules
        self.position = end
        self._words[READ] = end
        return entries

    def _entries_between(self, position: int, end: int) -> tuple[NDArray[np.int64], int]:
        """Return the granules in which entries begin, and where the last one ends."""
        granules = self._where(position, end)
        lengths = self._heads["length"][granules]
        if (lengths <= USUAL).all():
            return granules, end
        # One that needs several granules: what lies inside it looks like anything.
        sizes = (-(-(lengths.astype(np.int64) + ENTRY_STRUCT.size) // GRANULE)).tolist()
        begins, index = [], 0
        while index < len(sizes):
            begins.append(index)
            index += sizes[index]
        longest = lengths[begins].max()
        if longest > LONGEST:
            raise RingError(f"an entry of {longest} octets")
        if position + index > self._seen:
            raise RingError("an entry that reaches beyond the head")
        return granules[begins], position + index

    def _where(self, position: int, end: int) -> NDArray[np.int64]:
        """Return where in the memory the granules of these counts lie."""
        layout, pieces = self._layout, []
        while position < end:
            number, offset = divmod(position, layout.segment)
            segment = self._table[number % layout.segments]
            if segment >= layout.segments:
                raise RingError(f"segment {segment} of {layout.segments}")
            count = min(layout.segment - offset, end - position)
            first = segment * layout.stride + offset
            pieces.append(np.arange(first, first + count))
            position += count
        return np.concatenate(pieces) if pieces else np.arange(0)

    def release(self, position: int) -> None:
        """Let the producer overwrite all entries before `position` (counted like `position`)."""
        if not self.safe <= position <= self.position:
            raise ValueError(f"release({position}) with {self.safe} and {self.position}")
        self._words[SAFE] = position

    def payload_bounds(
        self, entries: NDArray[np.void]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return offset and length in octets of each packet's RTP payload, shape (n,).

        :rfc:`3550#section-5.1`: behind twelve octets, the CSRC list and the extension,
        before the padding. Where the header claims all that there is, or more, the length is 0.
        """
        length = entries["length"].astype(np.int64)
        b0 = entries["b0"]
        if (b0 == PLAIN).all():
            return np.full(len(length), 12), np.maximum(length - 12, 0)
        start = entries["granule"].astype(np.int64) * GRANULE + ENTRY_STRUCT.size
        offset = 12 + 4 * (b0 & 0x0F).astype(np.int64)
        (extended,) = np.nonzero((b0 & 0x10 != 0) & (offset + 4 <= length))
        if extended.size:
            words = start[extended] + offset[extended] + 2
            high, low = self._data[words].astype(np.int64), self._data[words + 1]
            offset[extended] += 4 + 4 * (high << 8 | low)
        end = length.copy()
        (padded,) = np.nonzero((b0 & 0x20 != 0) & (length > 12))
        if padded.size:
            end[padded] -= self._data[start[padded] + length[padded] - 1]
        return offset, np.maximum(end - offset, 0)

    def payloads(
        self, granules: NDArray[np.uint32], length: int, offset: int = 12
    ) -> NDArray[np.uint8]:
        """Return `length` octets from `offset` of each entry's data, shape (n, length).

        For entries of one size; group by `payload_bounds` where they differ.
        """
        rows: NDArray[np.uint8] = self._rows[granules, offset : offset + length]
        return rows

    def data(self, entry: np.void) -> bytes:
        """Return all octets of one entry: the datagram, or a mark's data."""
        start = int(entry["granule"]) * GRANULE + ENTRY_STRUCT.size
        return self._data[start : start + int(entry["length"])].tobytes()
