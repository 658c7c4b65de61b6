"""The consumer's side of the ring (`rtp/ring.py`), vectorised: entries are a numpy array.

The caller's duty: call `new_entries` once per tick, work, and `release` what is in the
file for good. Arrays of entries are copies; payloads are copied out as well, so nothing
that is handed out points into memory that the producer may overwrite.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtp.ring import (
    ENTRY as ENTRY_STRUCT,
)
from rtp.ring import (
    GAPS,
    GRANULE,
    GUARD,
    HEAD,
    HEADER_PAGE,
    LOST_PACKETS,
    READ,
    SAFE,
    RingError,
    RingLayout,
)

ENTRY: Final = np.dtype(
    [
        ("arrival_ns", np.uint64),
        ("granule", np.uint32),
        ("leg", np.uint32),
        ("length", np.uint16),
        ("kind", np.uint8),
        ("b0", np.uint8),
        ("b1", np.uint8),
        ("spare", np.uint8),
        ("sequence", np.uint16),
        ("timestamp", np.uint32),
        ("ssrc", np.uint32),
    ]
)
"An entry as numpy sees it; the same 32 octets as `rtp.ring.ENTRY`."

PLAIN: Final = 0x80
"The first octet of a header with nothing behind its twelve octets."

assert ENTRY.itemsize == ENTRY_STRUCT.size


class RingReader:
    """The consumer.

    A new one begins at `safe`: it reads again what its forerunner had not yet brought into
    a file.
    """

    def __init__(self, memory: memoryview) -> None:
        self._layout = RingLayout.read(memory)
        self._words = memory[:HEADER_PAGE].cast("Q")
        entries_end = HEADER_PAGE + self._layout.entries * ENTRY.itemsize
        self._entries = np.frombuffer(memory[HEADER_PAGE:entries_end], dtype=ENTRY)
        start = self._layout.data_offset
        self._data = np.frombuffer(
            memory[start : start + self._layout.granules * GRANULE + GUARD], dtype=np.uint8
        )
        # Row g: the octets from granule g on. The guard makes the last rows whole.
        self._rows = np.lib.stride_tricks.as_strided(
            self._data,
            shape=(self._layout.granules, GUARD),
            strides=(GRANULE, 1),
            writeable=False,
        )
        self.position: int = self._words[SAFE]
        "Entries handed out, counted since the ring exists."
        self._seen = self.position
        self._words[READ] = self.position

    @property
    def head(self) -> int:
        """Entries published, counted since the ring exists."""
        return int(self._words[HEAD])

    @property
    def safe(self) -> int:
        """Entries that the producer may overwrite, counted since the ring exists."""
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
        """Return a copy of the next entries, shape (n,), dtype `ENTRY`, n <= `limit`.

        Entries that appeared since the last call are left for the next one (see the head
        of `rtp/ring.py`). Raises `RingError` where the ring contradicts itself.
        """
        end = min(self._seen, self.position + limit)
        head = self.head
        if not self.safe <= self.position <= self._seen <= head:
            raise RingError(f"cursors {self.safe}, {self.position}, {self._seen}, {head}")
        if head - self.safe > self._layout.entries:
            raise RingError(f"{head - self.safe} entries in a ring of {self._layout.entries}")
        self._seen = head
        capacity = self._layout.entries
        first, last = self.position % capacity, self.position % capacity + end - self.position
        entries = np.concatenate(
            (self._entries[first:last], self._entries[: max(0, last - capacity)])
        )
        if (entries["granule"] >= self._layout.granules).any() or (entries["length"] > GUARD).any():
            raise RingError("an entry points outside the ring")
        self.position = end
        self._words[READ] = end
        return entries

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
        granule = entries["granule"].astype(np.int64)
        offset = 12 + 4 * (b0 & 0x0F).astype(np.int64)
        (extended,) = np.nonzero((b0 & 0x10 != 0) & (offset + 4 <= length))
        if extended.size:
            words = granule[extended] * GRANULE + offset[extended] + 2
            high, low = self._data[words].astype(np.int64), self._data[words + 1]
            offset[extended] += 4 + 4 * (high << 8 | low)
        end = length.copy()
        (padded,) = np.nonzero((b0 & 0x20 != 0) & (length > 12))
        if padded.size:
            end[padded] -= self._data[granule[padded] * GRANULE + length[padded] - 1]
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
        start = int(entry["granule"]) * GRANULE
        return self._data[start : start + int(entry["length"])].tobytes()
