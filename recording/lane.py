"""One ring on its way into the jitter buffer: packets in numpy steps, marks one by one."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec.g711 import ALAW_VALUES, MULAW_VALUES
from codec.opus import TICKS_PER_SAMPLE
from mixer.jitter_buffer import Integers, JitterBuffer, Packets
from recording.codecs import G722, KEY, KEY_48, OPUS, PCMA, PCMU, UNKNOWN
from recording.in_order import Waiting
from recording.pressed_keys import blank_range
from recording.track import Track
from rtp.ring import Kind
from rtp.ring_reader import RingReader

BATCH: Final = 16384
"Granules of the ring that are read at once."

PIECE_NS: Final = 100_000_000
"Placed in one step; between pieces chunks are mixed, so that a backlog fits the buffer."

LIVE_TICKS: Final = 5
"Ticks without a backlog, before the clock instead of the ring tells how late it is."

DECODED_AT_ONCE: Final = 32000
"Samples: 200 packets of 20 ms. What they need stays in the processor's cache."

PUBLISHING_NS: Final = 20_000_000
"From a packet's arrival to its entry in the ring, at most (a batch of the media worker)."

Entries = NDArray[np.void]
Obey = Callable[["Lane", Kind, int, int, bytes], None]
"Lane, kind, leg, instant (ns) and data of a mark."

IS_AUDIO: Final = np.isin(np.arange(OPUS + 1), (PCMA, PCMU, G722, OPUS))
"By codec."

_TABLES: Final = {PCMA: ALAW_VALUES, PCMU: MULAW_VALUES}


class _Batch(NamedTuple):
    """Packets of known legs, with what was found out about each: columns of shape (n,)."""

    entries: Entries
    slots: NDArray[np.intp]
    "Places of their tracks among those that are open."
    codecs: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    "Of the payload, in octets."
    lengths: NDArray[np.int64]

    def where(self, wanted: NDArray[np.bool_]) -> "_Batch":
        """Return some of the packets."""
        return _Batch(
            self.entries[wanted],
            self.slots[wanted],
            self.codecs[wanted],
            self.offsets[wanted],
            self.lengths[wanted],
        )


class Lane:
    """One ring. Tracks are those of the legs whose taps are open now."""

    def __init__(self, index: int, reader: RingReader, buffer: JitterBuffer, capacity: int) -> None:
        self.index = index
        self.reader = reader
        self.edge_ns = 0
        "Everything that arrived before this instant has been read."
        self.packets = 0
        "Of open taps, placed or not."
        self.stray_packets = 0
        "Of legs without an open tap: there should be none."
        self.tracks: dict[int, Track] = {}
        self._buffer = buffer
        self._capacity = capacity
        "Granules of the ring that packets may take."
        self._head = reader.head
        self._head_ns = 0
        "When `_head` was seen."
        self._live_ticks = 0
        self._waiting: dict[int, Entries] = {}
        "By leg: the first packet of what may be a new stream."
        self._stale = True
        "The tables are to be built anew."
        self._codes = np.empty(DECODED_AT_ONCE, dtype=np.intp)
        "Kept: memory of this size would come from the system, and go, each time."

    # --- taps

    def add(self, track: Track) -> None:
        """Let the packets of the track's leg in."""
        self.tracks[track.leg_id] = track
        self.refresh()

    def remove(self, track: Track) -> None:
        """Keep the packets of the track's leg out, if it is the one that has it."""
        if self.tracks.get(track.leg_id) is track:
            del self.tracks[track.leg_id]
            self._waiting.pop(track.leg_id, None)
            self.refresh()

    def refresh(self) -> None:
        """Have the tables built anew before the next packets: a track has changed."""
        self._stale = True

    def _build_tables(self) -> None:
        """Lead from a leg to its row and codecs; muted ones have none."""
        self._stale = False
        legs = sorted(leg for leg, track in self.tracks.items() if not track.muted)
        ordered = [self.tracks[leg] for leg in legs]
        self._ordered = ordered
        self._legs = np.array(legs, dtype=np.uint32)
        self._rows = np.array([track.row for track in ordered], dtype=np.int64)
        self._codecs = np.array([track.codecs for track in ordered], dtype=np.uint8)
        self._codecs = self._codecs.reshape(-1, 128)

    # --- reading

    @property
    def fill(self) -> float:
        """Return which share of the ring may not be overwritten yet."""
        return (self.reader.head - self.reader.safe) / self._capacity

    @property
    def unread(self) -> float:
        """Return which share of the ring was published and not read."""
        return (self.reader.head - self.reader.position) / self._capacity

    def skip_to(self, position: int) -> None:
        """Read no entry before `position`."""
        while self.reader.position < position:
            self.reader.new_entries(position - self.reader.position)

    def read(self, now_ns: int, obey: Obey) -> Iterator[None]:
        """Read what was published up to the last call; yields after each piece.

        `edge_ns` is up to date at each yield.
        """
        until, self._head = self._head, self.reader.head
        until_ns, self._head_ns = self._head_ns, now_ns
        behind = self._head > until and now_ns - until_ns > PIECE_NS
        while self.reader.position < until:
            entries = self.reader.new_entries(min(BATCH, until - self.reader.position))
            for piece in _pieces(entries):
                self._take(piece, obey)
                self.edge_ns = max(self.edge_ns, int(piece["arrival_ns"].max()))
                behind = now_ns - self.edge_ns > PIECE_NS
                yield
        # A ring that was full may hold marks back; so the clock counts only after a while.
        self._live_ticks = 0 if behind else self._live_ticks + 1
        if self._live_ticks > LIVE_TICKS:
            self.edge_ns = max(self.edge_ns, until_ns - PUBLISHING_NS)
        yield

    def _take(self, entries: Entries, obey: Obey) -> None:
        marks = np.flatnonzero(entries["kind"]).tolist()
        position = 0
        for mark in marks:
            self._place(entries[position:mark])
            entry = entries[mark]
            obey(
                self,
                Kind(int(entry["kind"])),
                int(entry["leg"]),
                int(entry["arrival_ns"]),
                self.reader.data(entry),
            )
            position = mark + 1
        self._place(entries[position:] if position else entries)

    # --- packets

    def _place(self, entries: Entries) -> None:
        """Bring packets, shape (n,), to their places."""
        if not len(entries):
            return
        if self._stale:
            self._build_tables()
        if not len(self._legs):
            self.stray_packets += len(entries)
            return
        if self._waiting:
            entries = np.concatenate((*self._waiting.values(), entries))
            self._waiting.clear()
        slots = np.searchsorted(self._legs, entries["leg"])
        slots[slots == len(self._legs)] = 0
        known = self._legs[slots] == entries["leg"]
        if not known.all():
            entries, slots = entries[known], slots[known]
            self.stray_packets += len(known) - len(entries)
        self.packets += len(entries)
        types = entries["b1"] & 0x7F
        offsets, lengths = self.reader.payload_bounds(entries)
        batch = _Batch(entries, slots, self._codecs[slots, types], offsets, lengths)
        audio = IS_AUDIO[batch.codecs] & (lengths > 0)
        if audio.all():
            self._decode(batch)
            return
        unknown = batch.codecs == UNKNOWN
        self._miss(slots[unknown], types[unknown])
        self._decode(batch.where(audio))
        # Behind the audio that came with them, which may be what their places hang on.
        self._blank(batch.where((batch.codecs == KEY) | (batch.codecs == KEY_48)))

    def _blank(self, keys: _Batch) -> None:
        """Keep the tones of pressed keys out, packet by packet: there are few."""
        entries, slots, codecs, offsets, lengths = keys
        arrivals = self._buffer.places_of(self._rows[slots], entries["arrival_ns"].astype(np.int64))
        for index, slot in enumerate(slots.tolist()):
            entry, track = entries[index : index + 1], self._ordered[slot]
            ssrc, timestamp, per_place = int(entry["ssrc"][0]), int(entry["timestamp"][0]), 1
            measured: int | None = timestamp
            if codecs[index] == KEY_48:
                measured = track.in_order.measure_key(ssrc, timestamp)
                per_place = TICKS_PER_SAMPLE
            if measured is None:
                continue
            start = self._buffer.place_of(track.row, ssrc, measured)
            payload = self.reader.payloads(
                entry["granule"], int(lengths[index]), int(offsets[index])
            )
            if start is not None:
                arrival = int(arrivals[index])
                places = blank_range(payload.tobytes(), start, arrival, per_place=per_place)
                if places is not None:
                    track.blank(*places)

    def _decode(self, audio: _Batch) -> None:
        entries, slots, codecs, offsets, lengths = audio
        if not len(entries):
            return
        rows = self._rows[slots]
        timestamps, samples = entries["timestamp"], lengths
        later = np.flatnonzero(codecs >= G722).tolist()
        packets = [self._packet(entries[i], codecs[i], offsets[i], lengths[i]) for i in later]
        if packets:
            timestamps, samples = timestamps.copy(), lengths.copy()
            for index, packet in zip(later, packets, strict=True):
                timestamps[index], samples[index] = self._ordered[slots[index]].in_order.measure(
                    int(timestamps[index]), packet
                )
        arrivals = self._buffer.places_of(rows, entries["arrival_ns"].astype(np.int64))
        starts, good, waiting = self._buffer.locate(
            Packets(rows, timestamps, entries["ssrc"], arrivals, samples)
        )
        for index in np.flatnonzero(waiting).tolist():
            self._waiting[int(entries["leg"][index])] = entries[index : index + 1]
        for index, packet in zip(later, packets, strict=True):
            if good[index]:
                self._ordered[slots[index]].in_order.put(int(starts[index]), packet)
        good[later] = False
        granules = entries["granule"]
        shapes = codecs.astype(np.int64) << 32 | offsets << 16 | lengths
        if not good.all():
            rows, starts, granules, shapes = rows[good], starts[good], granules[good], shapes[good]
        # Packets of one codec and one size are one step; nearly always that is all of them.
        distinct = _distinct(shapes)
        for shape in distinct:
            if len(distinct) == 1:
                self._write(shape, rows, starts, granules)
            else:
                same = shapes == shape
                self._write(shape, rows[same], starts[same], granules[same])

    def _write(
        self, shape: int, rows: Integers, starts: Integers, granules: NDArray[np.uint32]
    ) -> None:
        """Decode packets of one shape, and put them to their places."""
        table, offset, length = _TABLES[shape >> 32], shape >> 16 & 0xFFFF, shape & 0xFFFF
        step = max(1, len(self._codes) // length)
        for begin in range(0, len(rows), step):
            piece = slice(begin, begin + step)
            payloads = self.reader.payloads(granules[piece], length, offset)
            codes = self._codes[: payloads.size].reshape(payloads.shape)
            codes[...] = payloads
            # Octets are never outside the table; not to look is three times as quick.
            self._buffer.write(rows[piece], starts[piece], table.take(codes, mode="wrap"))

    def _packet(
        self, entry: np.void, codec: np.uint8, offset: np.int64, length: np.int64
    ) -> Waiting:
        """Return a packet whose codec has a memory."""
        octets = self.reader.data(entry)[int(offset) : int(offset + length)]
        return Waiting(int(codec), int(entry["ssrc"]), octets)

    def _miss(self, slots: NDArray[np.intp], types: NDArray[np.uint8]) -> None:
        for key in sorted(set((slots << 7 | types).tolist())):
            self._ordered[key >> 7].miss(key & 0x7F)


def _distinct(values: NDArray[np.int64]) -> list[int]:
    if not len(values):
        return []
    first = int(values[0])
    if (values == first).all():
        return [first]
    return sorted(set(values.tolist()))


def _pieces(entries: Entries) -> Iterator[Entries]:
    """Cut entries into stretches of at most `PIECE_NS` (as far as they are in order)."""
    arrivals = np.maximum.accumulate(entries["arrival_ns"])
    first = 0
    while first < len(entries):
        limit = arrivals[first] + np.uint64(PIECE_NS)
        last = max(first + 1, int(np.searchsorted(arrivals, limit, side="right")))
        yield entries[first:last]
        first = last
