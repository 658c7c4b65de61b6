"""Where each received sample belongs, for all recorded legs at once.

A recording has no playout deadline, so this buffer only places and waits: a sample goes to
the place that its RTP timestamp says (:rfc:`3550#section-5.1`), and loss, reordering and
duplicates need no further code, because a sample has one place. Arrival time decides only
where a stream as a whole lies: its first packet ends at the instant of its arrival. A new
SSRC, or a timestamp that contradicts the clock by more than `JUMP_SAMPLES`, is a new stream
and is anchored anew, once a second packet confirms it (:rfc:`3550#appendix-A.1` asks for the
same proof): one stray packet moves nothing.

All legs are rows of one int16 array, so that the packets of a tick are placed in one numpy
step, however many calls they belong to. Column 0 of a row is the first sample not yet taken
from it. Places are counted in samples of `RATE` on the recording's axis; a leg's timestamps
must run at the same rate.

What no packet has written yet holds `UNWRITTEN`, a value that no decoder may produce.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 8000
"Samples a second, of every axis here."

NS_PER_SAMPLE: Final = 1_000_000_000 // RATE

UNWRITTEN: Final = np.int16(-32768)
"Marks a sample that no packet brought. G.711 reaches 32,256 at most."

CAPACITY: Final = 16384
"""Columns: 2 s. A chunk of 1.1 s, the hold-back of 0.3 s and what an early packet may be ahead
(`JUMP_SAMPLES`) fit; as a rule a chunk is 0.72 s."""

REACH: Final = 9280
"""Columns that a row has for itself: 1.16 s. Chunk, hold-back and two ticks take 1.07 s as a rule;
the columns behind them are there while a packet lies in them. 18 KB for each party, not 32."""

JUMP_SAMPLES: Final = 4000
"A stream this far (0.5 s) from its arrival was moved by its sender."

NO_DELAY: Final = np.int64(1 << 62)
"No packet since the delay was last taken."

NO_SSRC: Final = np.int64(-1)

Samples = NDArray[np.int16]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Packets:
    """Packets of any legs in order of arrival; every array has shape (n,)."""

    rows: Integers
    timestamps: NDArray[np.uint32]
    ssrcs: NDArray[np.uint32]
    arrivals: Integers
    "Places."
    lengths: Integers
    "Samples."


class JitterBuffer:
    """The rows. The caller lends them out with `open` and `close` and takes them in order."""

    def __init__(self, rows: int = 16) -> None:
        self._samples = np.empty((rows, REACH), dtype=np.int16)
        self._beyond: dict[int, Samples] = {}
        "By row: the columns from `REACH` on, where a packet lies in them."
        self._stretches: Samples | None = None
        "Of the last length that was asked for."
        self._free = list(range(rows - 1, -1, -1))
        self._base = np.zeros(rows, dtype=np.int64)
        "Place of column 0."
        self._floor = np.zeros(rows, dtype=np.int64)
        "Nothing before this place enters."
        self.origin_ns = np.zeros(rows, dtype=np.int64)
        "Monotonic instant of place 0."
        self._offset = np.zeros(rows, dtype=np.int64)
        "Place minus unwrapped timestamp."
        self._newest = np.zeros(rows, dtype=np.int64)
        "Highest timestamp so far, unwrapped."
        self._ssrc = np.full(rows, NO_SSRC)
        self._delay = np.full(rows, NO_DELAY)
        "Least (arrival - place of the packet's end) since it was taken, in samples."
        self.late_packets = 0
        "Came after their place had been mixed, or lay before the floor."
        self.early_packets = 0
        "Lay further ahead than the buffer reaches."
        self.placed_samples = 0
        "Duplicates and what was late included."
        self.jumps = 0
        "Streams anchored anew."

    @property
    def rows(self) -> int:
        return len(self._base)

    # --- lending

    def open(self, *, origin_ns: int, base: int, floor: int) -> int:
        """Lend a row whose first sample is `base` and that takes nothing before `floor`."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._clear(row)
        self.origin_ns[row] = origin_ns
        self._base[row] = base
        self._floor[row] = floor
        self._offset[row] = self._newest[row] = 0
        self._ssrc[row] = NO_SSRC
        self._delay[row] = NO_DELAY
        return row

    def open_beside(self, row: int) -> int:
        """Lend a row that begins where `row` is, for what lies between its samples."""
        return self.open(
            origin_ns=int(self.origin_ns[row]),
            base=int(self._base[row]),
            floor=int(self._floor[row]),
        )

    def close(self, row: int) -> None:
        """Take a row back."""
        self._beyond.pop(row, None)
        self._free.append(row)

    def _clear(self, row: int) -> None:
        self._samples[row] = UNWRITTEN
        self._beyond.pop(row, None)

    def _grow(self) -> None:
        """Make room for a quarter more rows: each takes 18 KB."""
        rows, more = self.rows, self.rows // 4 + 1
        samples = np.empty((rows + more, REACH), dtype=np.int16)
        samples[:rows] = self._samples
        self._samples, self._stretches = samples, None
        for name in ("_base", "_floor", "origin_ns", "_offset", "_newest", "_ssrc", "_delay"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate((old, np.zeros(more, dtype=old.dtype))))
        self._free.extend(range(rows + more - 1, rows - 1, -1))

    def anchors(self) -> dict[str, list[int]]:
        """Return what `restore_anchor` needs, by name, one value per row."""
        return {
            "offset": self._offset.tolist(),
            "newest": self._newest.tolist(),
            "ssrc": self._ssrc.tolist(),
            "floor": self._floor.tolist(),
        }

    def restore_anchor(self, row: int, *, offset: int, newest: int, ssrc: int) -> None:
        """Go on with a stream that another process had anchored."""
        self._offset[row] = offset
        self._newest[row] = newest
        self._ssrc[row] = ssrc

    # --- placing

    def places_of(self, rows: Integers, arrival_ns: Integers) -> Integers:
        """Return the instants as places on each row's axis."""
        places: Integers = (arrival_ns - self.origin_ns[rows]) // NS_PER_SAMPLE
        return places

    def place_of(self, row: int, ssrc: int, timestamp: int) -> int | None:
        """Return the place of a timestamp in the row's stream; None: it is another stream's."""
        if self._ssrc[row] != ssrc:
            return None
        newest = int(self._newest[row])
        ahead = (timestamp - newest + (1 << 31)) % (1 << 32) - (1 << 31)
        return newest + ahead + int(self._offset[row])

    def locate(self, packets: Packets) -> tuple[Integers, Flags, Flags]:
        """Return the place of each packet's first sample, which are good, which must wait.

        A packet that must wait is the first of what may be a new stream: hand it in again,
        before the next ones of its leg.
        """
        rows = packets.rows
        unwrapped, starts, odd = self._look(packets)
        waiting = np.zeros(len(rows), dtype=np.bool_)
        if odd.any():
            # `np.unique` would import numpy's masked arrays, a megabyte, in the midst of a tick.
            for row in sorted(set(rows[odd].tolist())):
                (mine,) = np.nonzero(rows == row)
                if odd[mine].all():
                    self._judge_stream(row, mine, packets, waiting)
            unwrapped, starts, odd = self._look(packets)
        good = ~odd
        known = rows[good]
        np.maximum.at(self._newest, known, unwrapped[good])
        np.minimum.at(self._delay, known, (packets.arrivals - starts - packets.lengths)[good])
        return starts, good, waiting & odd

    def _look(self, packets: Packets) -> tuple[Integers, Integers, Flags]:
        """Return unwrapped timestamps, places, and which packets don't fit their stream."""
        newest = self._newest[packets.rows]
        # Serial number arithmetic: the nearest of all values with these low 32 bits.
        unwrapped = newest + (packets.timestamps - newest.astype(np.uint32)).astype(np.int32)
        starts = unwrapped + self._offset[packets.rows]
        delays = packets.arrivals - starts - packets.lengths
        odd = (packets.ssrcs != self._ssrc[packets.rows]) | (np.abs(delays) > JUMP_SAMPLES)
        return unwrapped, starts, odd

    def _judge_stream(
        self, row: int, mine: NDArray[np.intp], packets: Packets, waiting: Flags
    ) -> None:
        """Anchor the row by the first packet that its follower confirms, else let one wait.

        Only asked where no packet of the row fits: the late ones of a burst, among which
        the last is in time, must not move anything.
        """
        starts = packets.arrivals[mine] - packets.lengths[mine]
        timestamps, ssrcs = packets.timestamps[mine], packets.ssrcs[mine]
        first = 0
        if self._ssrc[row] != NO_SSRC:
            drift = np.diff(timestamps).astype(np.int32) - np.diff(starts)
            (confirmed,) = np.nonzero((np.abs(drift) <= JUMP_SAMPLES) & (ssrcs[1:] == ssrcs[:-1]))
            if not confirmed.size:
                waiting[mine[-1]] = True
                return
            first = int(confirmed[0])
            self.jumps += 1
        timestamp = int(timestamps[first])
        self._newest[row] = timestamp
        self._offset[row] = int(starts[first]) - timestamp
        self._ssrc[row] = ssrcs[first]
        self._delay[row] = NO_DELAY

    def write(self, rows: Integers, starts: Integers, pcm: Samples) -> None:
        """Put packets of one length to their places; `pcm` has shape (n, length)."""
        length = pcm.shape[1]
        self.placed_samples += pcm.size
        base = self._base[rows]
        columns = starts - base
        fits = (columns >= np.maximum(self._floor[rows] - base, 0)) & (columns <= REACH - length)
        # Window i of the flat view is the `length` samples from flat place i on: one
        # indexed assignment copies every packet as a whole.
        windows = self._windows(length)
        if fits.all():
            windows[rows * REACH + columns] = pcm
            return
        windows[rows[fits] * REACH + columns[fits]] = pcm[fits]
        for index in np.flatnonzero(~fits).tolist():
            self._write_part(int(rows[index]), int(starts[index]), pcm[index])

    def _windows(self, length: int) -> Samples:
        """Return all stretches of `length` samples, by where they begin."""
        if self._stretches is None or self._stretches.shape[1] != length:
            self._stretches = np.lib.stride_tricks.as_strided(
                self._samples, shape=(self._samples.size - length + 1, length), strides=(2, 2)
            )
        return self._stretches

    def _write_part(self, row: int, start: int, pcm: Samples) -> None:
        """Put what of a packet lies inside the row."""
        base = int(self._base[row])
        first = max(start, base, int(self._floor[row]))
        end = min(start + len(pcm), base + CAPACITY)
        if first < end:
            middle = min(max(first, base + REACH), end)
            self._samples[row, first - base : middle - base] = pcm[first - start : middle - start]
            if middle < end:
                beyond = self._beyond.get(row)
                if beyond is None:
                    beyond = self._beyond[row] = np.full(CAPACITY - REACH, UNWRITTEN)
                place = base + REACH
                beyond[middle - place : end - place] = pcm[middle - start : end - start]
        elif start >= base + CAPACITY:
            self.early_packets += 1
        else:
            self.late_packets += 1

    # --- taking

    def take(self, row: int, count: int) -> Samples:
        """Return the next `count` samples, shape (count,), with `UNWRITTEN` where none came."""
        if not 0 <= count <= CAPACITY:
            raise ValueError(f"take({count})")
        self._base[row] += count
        if count > REACH or row in self._beyond:
            return self._take_far(row, count)
        samples = self._samples[row]
        taken: Samples = samples[:count].copy()
        samples[: REACH - count] = samples[count:]
        samples[REACH - count :] = UNWRITTEN
        return taken

    def _take_far(self, row: int, count: int) -> Samples:
        """Take what needs, or moves, the columns from `REACH` on."""
        whole = np.full(2 * CAPACITY, UNWRITTEN)
        whole[:REACH] = self._samples[row]
        whole[REACH:CAPACITY] = self._beyond.pop(row, UNWRITTEN)
        self._samples[row] = whole[count : count + REACH]
        beyond = whole[count + REACH : count + CAPACITY]
        if (beyond != UNWRITTEN).any():
            self._beyond[row] = beyond.copy()
        return whole[:count].copy()

    def next_place(self, row: int) -> int:
        """Return the place of the sample that `take` gives next."""
        return int(self._base[row])

    def take_delay(self, row: int) -> int | None:
        """Return the least delay since the last call, None where no packet came."""
        delay = int(self._delay[row])
        self._delay[row] = NO_DELAY
        return None if delay == NO_DELAY else delay

    def move(self, row: int, samples: int) -> None:
        """Let everything not yet taken, and the stream from now on, lie `samples` later."""
        self._base[row] += samples
        self._offset[row] += samples

    def leave_out(self, row: int, samples: int, *, floor: int) -> None:
        """Remove time from the axis: the stream goes on `samples` earlier, not before `floor`.

        Everything up to `floor` has been taken; what early packets left behind it goes.
        """
        self._clear(row)
        self.origin_ns[row] += samples * NS_PER_SAMPLE
        self._offset[row] -= samples
        self._floor[row] = floor
