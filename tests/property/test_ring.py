"""The ring against a plain list: whatever happens, entries come out as they went in."""

from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rtp.header import HEADER
from rtp.ring import Kind, RingLayout, RingWriter, granules_of, initialise
from rtp.ring_reader import RingReader

LAYOUT = RingLayout(segments=6, reserved=1, segment=11)


@dataclass(frozen=True)
class Written:
    kind: int
    leg: int
    sequence: int
    data: bytes


class RingMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.memory = memoryview(bytearray(LAYOUT.size))
        initialise(self.memory, LAYOUT)
        self.writer = RingWriter(self.memory)
        self.reader = RingReader(self.memory)
        self.written: list[Written] = []
        self.read: list[Written] = []
        self.packets = 0
        self.sequence = 0
        self.taken = [(0, 0)]
        "Places in the ring, and how many entries lie before them; the first one is released."

    @rule(leg=st.integers(1, 3), octets=st.integers(12, 1500))
    def packet(self, leg: int, octets: int) -> None:
        self.sequence += 1
        header = HEADER.pack(0x80, 8, self.sequence & 0xFFFF, 1, 2)
        data = header + (self.sequence % 251).to_bytes(1, "big") * (octets - len(header))
        lost = self.writer.lost_packets
        # A segment whose beginning alone is released can't be used yet.
        fits = self.held + granules_of(octets) <= LAYOUT.for_packets - LAYOUT.segment
        self.writer.packet(data, octets, leg, 7)
        assert self.writer.lost_packets == lost or lost or not fits
        self.packets += 1
        if self.writer.lost_packets == lost:
            self.written.append(Written(0, leg, self.sequence & 0xFFFF, data))

    @rule(leg=st.integers(1, 3), octets=st.integers(0, 600))
    def mark(self, leg: int, octets: int) -> None:
        data = b"m" * octets
        self.writer.mark(Kind.MASKED, leg, 9, data)
        self.written.append(Written(Kind.MASKED, leg, 0, data))

    @rule()
    def flush(self) -> None:
        self.writer.flush(11)

    @rule(limit=st.integers(1, 60))
    def take(self, limit: int) -> None:
        for entry in self.reader.new_entries(limit):
            self.read.append(
                Written(
                    int(entry["kind"]),
                    int(entry["leg"]),
                    0 if entry["kind"] else int(entry["sequence"]),
                    self.reader.data(entry),
                )
            )
        self.taken.append((self.reader.position, len(self.read)))

    @rule(share=st.integers(0, 4))
    def release(self, share: int) -> None:
        del self.taken[: (len(self.taken) - 1) * share // 4]
        self.reader.release(self.taken[0][0])

    @precondition(lambda self: not self.writer.pending_marks)
    @rule()
    def producer_dies(self) -> None:
        self.writer = RingWriter(self.memory)

    @rule()
    def consumer_dies(self) -> None:
        self.reader = RingReader(self.memory)
        del self.taken[1:]
        position, entries = self.taken[0]
        assert self.reader.position == position
        del self.read[entries:]

    @property
    def held(self) -> int:
        """Granules published and not released."""
        return self.reader.head - self.taken[0][0]

    @invariant()
    def what_is_read_is_what_was_written(self) -> None:
        gapless = [entry for entry in self.read if entry.kind != Kind.GAP]
        assert gapless == self.written[: len(gapless)]

    @invariant()
    def nothing_overtakes_and_nothing_is_overwritten(self) -> None:
        assert self.held <= LAYOUT.granules
        lost = self.writer.lost_packets
        packets = sum(entry.kind == Kind.PACKET for entry in self.written)
        assert packets + lost == self.packets


TestRing = RingMachine.TestCase
TestRing.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


def test_every_packet_of_a_long_run_is_read_once() -> None:
    memory = memoryview(bytearray(LAYOUT.size))
    initialise(memory, LAYOUT)
    writer, reader = RingWriter(memory), RingReader(memory)
    rng = np.random.default_rng(1)
    sequences: list[int] = []
    for number in range(2000):
        octets = HEADER.pack(0x80, 8, number, 0, 0) + bytes(int(rng.integers(0, 700)))
        writer.packet(octets, len(octets), 1, number)
        sequences += reader.new_entries()["sequence"].tolist()
        reader.release(reader.position)
    sequences += reader.new_entries()["sequence"].tolist()
    assert sequences == list(range(2000))
    assert writer.lost_packets == 0
