"""The fast path against the slow one: what is sent, tapped and counted is the same."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.laws import PCMA_TO_PCMU
from rtp.fast_path import Callback, FastPath
from rtp.header import HEADER
from rtp.outgoing import OutgoingStream
from rtp.relay import Relay


@dataclass(frozen=True)
class Step:
    """How a packet differs from the one that would come next."""

    lost: int = 0
    skipped_ts: int = 0
    first: int = 0x80
    payload_type: int = 8
    marker: bool = False
    other_ssrc: bool = False
    size: int = 160
    again: bool = False


USUAL = st.just(Step())
STRANGE = st.builds(
    Step,
    lost=st.sampled_from((0, 0, 0, 1, 3, 4000)),
    skipped_ts=st.sampled_from((0, 0, 0, -160, 800, 960, 8000, 1 << 31)),
    first=st.sampled_from((0x80, 0x80, 0x80, 0x80, 0x82, 0x90, 0xA0, 0x00)),
    payload_type=st.sampled_from((8, 8, 8, 9, 13, 101, 72)),
    marker=st.booleans(),
    other_ssrc=st.sampled_from((False, False, False, True)),
    size=st.sampled_from((160, 160, 240, 33, 0, -1, -12, 2036, 2037)),
    again=st.booleans(),
)
STREAMS = st.lists(st.one_of(USUAL, USUAL, USUAL, STRANGE), max_size=40)


def packets_of(steps: list[Step], sequence: int, timestamp: int) -> list[bytes]:
    ssrc, packets = 0xFFFF_FFFF, []
    for number, step in enumerate(steps):
        ssrc -= step.other_ssrc
        if not step.again:
            sequence, timestamp = sequence + 1 + step.lost, timestamp + 160 + step.skipped_ts
        second = step.marker << 7 | step.payload_type
        header = HEADER.pack(step.first, second, sequence & 0xFFFF, timestamp & 0xFFFF_FFFF, ssrc)
        packets.append((header + bytes([number]) * step.size)[: 12 + step.size])
    return packets


class Side:
    """A relay that is fed, and all that can be known of it afterwards."""

    def __init__(self, tables: dict[int, bytes], route: dict[int, int]) -> None:
        self.sent: list[bytes] = []
        self.tapped: list[tuple[bytes, int, int]] = []
        self.now = 0
        self._packet = b""
        self.relay = Relay(7, self._receive, FastPath(), self.wire)
        self.relay.accept(route, tables)
        self.relay.forward_to(OutgoingStream(), lambda view: self.sent.append(bytes(view)))
        self.relay.sink = self._tap
        self.handler: Callback = self.relay.handler()

    def wire(self) -> None:
        self.handler = self.relay.handler()

    def feed(self, packet: bytes, handler: Callable[[int], object] | None = None) -> None:
        self.now += 20_000_000
        self._packet = packet
        (handler or self.handler)(self.now)

    def _receive(self, buffer: bytearray) -> int:
        length = min(len(self._packet), len(buffer))
        buffer[:length] = self._packet[:length]
        return length

    def _tap(self, octets: bytes | bytearray, length: int, leg: int, arrival: int) -> None:
        self.tapped.append((bytes(octets[:length]), leg, arrival))

    def known(self) -> tuple[object, ...]:
        relay, stream = self.relay, self.relay.received
        counted = (stream.packets, stream.octets, stream.lost, stream.expected, stream.arrived)
        newest = (stream.timestamp, stream.extended_sequence, stream.arrival_ns, stream.untimed_ns)
        forwarded = (relay.forwarded, relay.forwarded_octets)
        return self.sent, self.tapped, counted, newest, stream.ssrc, relay.drops, forwarded


ROUTES: list[tuple[dict[int, bytes], dict[int, int]]] = [
    ({}, {8: 8, 9: 9, 101: 101}),
    ({}, {8: 96, 9: 9, 101: 102}),
    ({8: PCMA_TO_PCMU}, {8: 0, 101: 101}),
]


@pytest.mark.parametrize(("tables", "route"), ROUTES, ids=["untouched", "rewritten", "transcoded"])
@given(
    steps=STREAMS,
    begin=st.sampled_from(((0, 0), (65_530, 0xFFFF_FFFF - 160 * 8), (65_500, 0xFFFF_FF00))),
    changes=st.sets(st.integers(0, 40), max_size=2),
)
def test_the_fast_path_does_what_the_slow_one_does(
    tables: dict[int, bytes],
    route: dict[int, int],
    steps: list[Step],
    begin: tuple[int, int],
    changes: set[int],
) -> None:
    fast, slow, taken = Side(tables, route), Side(tables, route), route
    for number, packet in enumerate(packets_of(steps, *begin)):
        fast.feed(packet)
        slow.feed(packet, slow.relay._receive_any)
        if number in changes:
            # What is usual has no route any more, or has one again.
            taken = {9: 9} if taken is route else route
            for side in (fast, slow):
                side.relay.accept(taken, tables)
                side.wire()
        assert fast.known() == slow.known()
