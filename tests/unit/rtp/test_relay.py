"""One direction of a call, without sockets: packets in, packets out, and what is counted."""

from collections import deque
from dataclasses import dataclass, field

import pytest

from codec.laws import PCMA_TO_PCMU
from rtp.fast_path import Callback, FastPath, Path
from rtp.header import RtpHeader
from rtp.outgoing import OutgoingStream
from rtp.relay import Relay

MS = 1_000_000
FRAME_NS = 20 * MS


@dataclass
class Side:
    """A relay between two scripted sockets."""

    inbox: deque[bytes | OSError] = field(default_factory=deque)
    sent: list[bytes] = field(default_factory=list)
    tapped: list[tuple[int, ...]] = field(default_factory=list)
    tapped_octets: list[bytes] = field(default_factory=list)
    outgoing: OutgoingStream = field(default_factory=OutgoingStream)
    send_error: OSError | None = None
    now: int = 1_000 * MS

    def __post_init__(self) -> None:
        self.relay = Relay(7, self.receive, FastPath(), self.wire)
        self.handler: Callback = self.relay.handler()

    def wire(self) -> None:
        self.handler = self.relay.handler()

    def receive(self, buffer: bytearray) -> int:
        data = self.inbox.popleft() if self.inbox else BlockingIOError()
        if isinstance(data, OSError):
            raise data
        buffer[: len(data)] = data[: len(buffer)]
        return min(len(data), len(buffer))

    def send(self, view: memoryview) -> None:
        if self.send_error is not None:
            raise self.send_error
        self.sent.append(view.tobytes())

    def sink(self, octets: bytes | bytearray, length: int, leg: int, arrival: int) -> None:
        self.tapped.append((leg, arrival))
        self.tapped_octets.append(bytes(octets[:length]))

    def join(self, types: dict[int, int], tables: dict[int, bytes] | None = None) -> None:
        self.relay.accept(types, tables or {})
        self.relay.forward_to(self.outgoing, self.send)
        self.wire()

    def tap(self) -> None:
        self.relay.sink = self.sink
        self.wire()

    def feed(self, *packets: bytes | OSError, step_ns: int = FRAME_NS) -> None:
        for data in packets:
            self.now += step_ns
            self.inbox.append(data)
            self.handler(self.now)

    @property
    def way(self) -> str:
        """What becomes of usual packets at present."""
        if not isinstance(self.handler, Path):
            return "slow"
        if self.handler.rewrite is None:
            return "untouched"
        *_, tables = self.handler.rewrite
        return "transcoded" if tables else "rewritten"

    def heard(self) -> list[RtpHeader]:
        """What the other party has got since it was last asked."""
        headers = [RtpHeader.parse(data) for data in self.sent]
        self.sent.clear()
        return headers


def packet(
    sequence: int,
    *,
    timestamp: int | None = None,
    ssrc: int = 11,
    payload_type: int = 8,
    marker: bool = False,
    payload: bytes = b"a" * 160,
) -> bytes:
    header = RtpHeader(
        payload_type=payload_type,
        sequence=sequence & 0xFFFF,
        timestamp=(160 * sequence if timestamp is None else timestamp) & 0xFFFFFFFF,
        ssrc=ssrc,
        marker=marker,
    )
    return header.serialize() + payload


@pytest.fixture
def side() -> Side:
    side = Side()
    side.join({8: 8, 101: 101})
    return side


def test_a_stream_begins_as_its_source_does_and_goes_through_untouched(side: Side) -> None:
    packets = [packet(n, marker=n == 65533) for n in range(65533, 65540)]
    side.feed(*packets)
    assert side.sent == packets
    assert side.way == "untouched"
    assert side.relay.forwarded == side.relay.received.packets == 7
    assert side.relay.received.lost == 0
    assert side.relay.received.octets == 7 * 172


def test_payload_types_are_mapped_and_the_marker_is_kept() -> None:
    side = Side()
    side.join({8: 8, 101: 96})
    event = packet(2, payload_type=101, marker=True, payload=b"\x01\x0a\x00\xa0")
    side.feed(packet(1), event, packet(3))
    heard = side.heard()
    assert [h.payload_type for h in heard] == [8, 96, 8]
    assert [h.marker for h in heard] == [False, True, False]
    assert side.way == "rewritten"


def test_types_without_a_route_are_dropped_counted_and_not_taken_for_lost(side: Side) -> None:
    side.tap()
    side.feed(packet(1), packet(2, payload_type=13), packet(3))
    assert [h.sequence for h in side.heard()] == [1, 3]
    assert side.relay.drops.wrong_type == 1
    assert side.relay.received.lost == 0
    assert side.relay.forwarded == 2
    assert len(side.tapped) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        bytes(11),
        bytes(172),
        b"\x40" + packet(2)[1:],
        b"\x8f" + packet(2)[1:40],
        b"\x90" + packet(2)[1:14],
        b"\xa0" + packet(2)[1:-1] + b"\xff",
        packet(2, payload=bytes(2100)),
    ],
    ids=["empty", "1", "11", "v0", "v1", "CSRC", "extension", "padding", "long"],
)
def test_what_is_no_rtp_is_dropped_even_in_mid_stream(side: Side, data: bytes) -> None:
    side.tap()
    side.feed(packet(1), data, packet(2))
    assert [h.sequence for h in side.heard()] == [1, 2]
    assert side.relay.drops.malformed == 1
    assert len(side.tapped) == 2


def test_loss_and_reordering_reach_the_other_party_as_they_are(side: Side) -> None:
    side.feed(*(packet(n) for n in (1, 2, 5, 4, 6, 6)))
    assert [h.sequence for h in side.heard()] == [1, 2, 5, 4, 6, 6]
    assert side.relay.received.packets == side.relay.forwarded == 6


def test_another_ssrc_goes_on_as_the_same_stream(side: Side) -> None:
    side.feed(packet(10), packet(11))
    side.feed(packet(50_000, ssrc=22, timestamp=5), packet(50_001, ssrc=22, timestamp=165))
    heard = side.heard()
    assert [h.sequence for h in heard] == [10, 11, 12, 13]
    assert {h.ssrc for h in heard} == {11}
    assert [h.timestamp for h in heard] == [1600, 1760, 1920, 2080]
    assert side.relay.received.packets == 4


def test_a_jump_of_the_numbers_goes_on_as_the_same_stream(side: Side) -> None:
    side.feed(packet(10), packet(30_000, timestamp=9), packet(30_001, timestamp=169))
    assert [h.sequence for h in side.heard()] == [10, 11, 12]


def test_time_passes_between_two_sources(side: Side) -> None:
    side.relay.clock_rates = {8: 16_000}
    side.feed(packet(10))
    side.feed(packet(1, ssrc=22), step_ns=3_000 * MS)
    first, second = side.heard()
    assert second.timestamp - first.timestamp == 3 * 16_000


def test_a_second_leg_takes_over_where_the_first_left_off() -> None:
    announcement, caller = Side(), Side()
    announcement.join({8: 8})
    announcement.feed(packet(100), packet(101))
    announcement.relay.stop_forwarding()
    announcement.wire()
    caller.outgoing = announcement.outgoing
    caller.join({8: 8})
    caller.now = announcement.now
    caller.feed(packet(60_000, ssrc=5), packet(60_001, ssrc=5), packet(60_002, ssrc=5))
    heard = caller.heard()
    assert [h.sequence for h in heard] == [102, 103, 104]
    assert {h.ssrc for h in heard} == {11}
    assert caller.outgoing.packets == 2
    announcement.feed(packet(102))
    assert len(announcement.sent) == 2


def test_new_routes_leave_the_numbers_alone(side: Side) -> None:
    side.feed(packet(1), packet(2))
    side.join({8: 8, 101: 97})
    side.feed(packet(3))
    assert [(h.sequence, h.timestamp) for h in side.heard()] == [(1, 160), (2, 320), (3, 480)]


def test_the_tap_gets_the_header_as_it_arrived() -> None:
    side = Side()
    side.join({8: 0}, {8: PCMA_TO_PCMU})
    side.tap()
    side.outgoing.ssrc = 99
    side.feed(packet(1, marker=True), packet(2), packet(3))
    for number, entry in enumerate(side.tapped, start=1):
        now = 1_000 * MS + number * FRAME_NS
        b1 = 0x88 if number == 1 else 8
        assert entry == (7, now)
        assert side.tapped_octets[number - 1] == packet(number, marker=b1 == 0x88)
    heard_payloads = {data[12:] for data in side.sent}
    assert heard_payloads == {(b"a" * 160).translate(PCMA_TO_PCMU)}
    assert {h.payload_type for h in side.heard()} == {0}
    assert side.way == "transcoded"


def test_only_types_with_a_table_are_converted() -> None:
    side = Side()
    side.join({8: 0, 101: 101}, {8: PCMA_TO_PCMU})
    side.feed(packet(1), packet(2, payload_type=101, payload=b"\x01\x8a\x00\xa0"))
    assert side.sent[1][12:] == b"\x01\x8a\x00\xa0"


def test_csrcs_and_padding_survive_conversion() -> None:
    side = Side()
    side.join({8: 0}, {8: PCMA_TO_PCMU})
    header = RtpHeader(payload_type=8, sequence=1, timestamp=1, ssrc=11, csrc=(3, 4))
    data = bytearray(header.serialize() + b"a" * 40 + b"\x00\x00\x00\x04")
    data[0] |= 0x20
    side.feed(bytes(data))
    sent = RtpHeader.parse(side.sent[0])
    assert (sent.csrc, sent.padding, sent.payload_type) == ((3, 4), 4, 0)
    assert side.sent[0][20:] == (b"a" * 40).translate(PCMA_TO_PCMU) + b"\x00\x00\x00\x04"


def test_without_another_leg_packets_are_counted_and_tapped() -> None:
    side = Side()
    side.tap()
    side.feed(packet(1), packet(2), packet(2, payload_type=200 & 0x7F, ssrc=0))
    assert side.relay.received.packets == 3
    assert side.relay.forwarded == 0
    assert [RtpHeader.parse(octets).sequence for octets in side.tapped_octets] == [1, 2, 2]


@pytest.fixture(params=["untouched", "rewritten", "transcoded"])
def any_side(request: pytest.FixtureRequest) -> Side:
    """A side for each of the three ways that packets go on the fast path."""
    side = Side()
    if request.param == "rewritten":
        side.join({8: 9})
    else:
        side.join({8: 8}, {8: bytes(range(256))} if request.param == "transcoded" else None)
    side.feed(packet(0))
    side.sent.clear()
    assert side.way == request.param
    return side


def test_the_fast_path_leaves_the_unusual_to_the_relay(any_side: Side) -> None:
    side = any_side
    side.feed(b"no RTP", packet(1), packet(3), packet(4), packet(5, ssrc=12), packet(6, ssrc=12))
    assert [h.sequence for h in side.heard()] == [1, 3, 4, 5, 6]
    assert side.relay.received.lost == 1
    assert side.relay.drops.malformed == 1


def test_what_the_other_socket_does_not_take_is_counted_and_forgotten(any_side: Side) -> None:
    side = any_side
    side.tap()
    side.feed(packet(1), packet(2))
    side.send_error = BlockingIOError()
    side.feed(packet(3))
    side.send_error = ConnectionRefusedError()
    side.feed(packet(4), packet(6))
    side.send_error = None
    side.feed(packet(7))
    assert [h.sequence for h in side.heard()] == [1, 2, 7]
    drops = side.relay.drops
    assert (drops.unsent, drops.refused) == (3, 2)
    assert side.relay.forwarded == 4
    assert len(side.tapped) == 6


def test_errors_of_the_own_socket_are_counted_and_an_empty_one_is_none(any_side: Side) -> None:
    side = any_side
    side.feed(packet(1), ConnectionRefusedError(), BlockingIOError(), packet(2))
    assert [h.sequence for h in side.heard()] == [1, 2]
    assert side.relay.drops.refused == 1
    side.relay.stop_forwarding()
    side.wire()
    side.feed(ConnectionRefusedError())
    assert side.relay.drops.refused == 2


def test_rtcp_on_the_rtp_port_is_no_new_stream(side: Side) -> None:
    sender_report = b"\x80\xc8\x00\x06" + bytes(24)
    side.feed(packet(1), sender_report, packet(2))
    assert [h.sequence for h in side.heard()] == [1, 2]
    assert side.relay.drops.wrong_type == 1


EVENT = b"\x01\x0a\x00\xa0"


class Ear:
    """Hears telephone events, and rules on them."""

    def __init__(self, *rulings: bool) -> None:
        self.rulings = deque(rulings)
        self.heard: list[tuple[int, bytes]] = []

    def __call__(self, header: RtpHeader, payload: bytes, now: int) -> bool:
        assert now
        self.heard.append((header.timestamp, payload))
        return self.rulings.popleft()


def event(sequence: int, *, ssrc: int = 11, payload_type: int = 101) -> bytes:
    return packet(sequence, ssrc=ssrc, payload_type=payload_type, payload=EVENT, timestamp=77)


def test_events_are_heard_and_pass_while_all_else_stays_on_the_fast_path(side: Side) -> None:
    ear = Ear(True, True)
    side.relay.listen({101}, ear)
    side.wire()
    packets = [packet(1), event(2), event(3), packet(4)]
    side.feed(*packets)
    assert side.sent == packets
    assert ear.heard == [(77, EVENT), (77, EVENT)]
    assert side.way == "untouched"
    assert side.relay.forwarded == 4
    assert side.relay.sends_as(101) == 101
    assert side.relay.sends_as(96) is None


def test_withheld_events_leave_no_hole_in_the_numbers_and_are_tapped(side: Side) -> None:
    side.relay.listen({101}, Ear(False, False, False))
    side.tap()
    side.feed(packet(1), event(2), event(3), packet(4), event(3), packet(5))
    heard = side.heard()
    assert [(h.sequence, h.timestamp) for h in heard] == [(1, 160), (2, 640), (3, 800)]
    assert side.relay.forwarded == 3
    assert side.relay.received.lost == 0
    assert len(side.tapped) == 6


def test_events_late_packets_and_other_types_say_nothing_of_jitter(side: Side) -> None:
    received = side.relay.received
    side.relay.listen({101}, Ear(True))
    side.wire()
    side.feed(packet(1))
    assert received.untimed_ns != received.arrival_ns
    for odd in (event(2), packet(1), packet(3, payload_type=13)):
        side.feed(odd)
        assert received.untimed_ns == received.arrival_ns
    side.feed(packet(4))
    assert received.untimed_ns != received.arrival_ns


def test_an_event_of_another_ssrc_is_nothing(side: Side) -> None:
    ear = Ear()
    side.relay.listen({101}, ear)
    side.wire()
    side.feed(packet(1), event(2, ssrc=12), packet(2))
    assert ear.heard == []
    assert [h.sequence for h in side.heard()] == [1, 2]
    assert side.relay.drops.wrong_ssrc == 1
    assert side.relay.received.ssrc == 11


def test_events_that_have_no_route_are_heard_all_the_same(side: Side) -> None:
    ear = Ear(True)
    side.join({8: 8})
    side.relay.listen({101}, ear)
    side.wire()
    side.feed(packet(1), event(2), packet(3))
    assert [h.sequence for h in side.heard()] == [1, 2]
    assert len(ear.heard) == 1
    assert side.relay.drops.wrong_type == 0


def test_a_leg_that_nobody_hears_takes_packets_on_a_short_path() -> None:
    side = Side()
    ear = Ear(True)
    side.relay.listen({101}, ear)
    side.tap()
    side.feed(packet(1), event(2), *(packet(n) for n in range(3, 8)))
    assert side.way == "untouched"
    assert side.relay.received.packets == len(side.tapped) == 7
    assert side.sent == []
    assert len(ear.heard) == 1
    side.feed(BlockingIOError(), ConnectionRefusedError())
    assert side.relay.drops.refused == 1


def test_who_listens_no_more_has_events_on_the_fast_path_again(side: Side) -> None:
    side.relay.listen({101}, Ear())
    side.relay.listen((), None)
    side.wire()
    side.feed(packet(1), event(2))
    assert [h.payload_type for h in side.heard()] == [8, 101]


# --- what another codec is made of


class Doubling:
    """A recoder that makes two packets of each of type 9, and keeps the clock of type 101."""

    payload_types = frozenset({9})
    followers = frozenset({101})

    def __init__(self) -> None:
        self.restarts = 0

    def take(
        self, header: RtpHeader, payload: bytes, _now: int, outgoing: OutgoingStream
    ) -> list[tuple[int, int, bytes]]:
        if header.payload_type == 101:
            return [(102, outgoing.timestamp - 80, payload)]
        half = len(payload) // 2
        return [
            (8, header.timestamp & 0xFFFFFFFF, payload[:half]),
            (8, header.timestamp + half & 0xFFFFFFFF, payload[half:]),
        ]

    def restart(self) -> None:
        self.restarts += 1


def recoding() -> tuple[Side, Doubling]:
    side, recoder = Side(), Doubling()
    side.relay.accept({9: 8, 8: 8, 101: 101}, {}, recoder)
    side.relay.forward_to(side.outgoing, side.send)
    side.wire()
    return side, recoder


def test_recoded_packets_are_one_stream_of_their_own_and_tapped_as_they_came() -> None:
    side, _ = recoding()
    side.tap()
    side.feed(packet(5, payload_type=9), packet(6, payload_type=9))
    heard = side.heard()
    assert [h.sequence for h in heard] == [5, 6, 7, 8]
    assert [h.timestamp for h in heard] == [800, 880, 960, 1040]
    assert {(h.ssrc, h.payload_type) for h in heard} == {(11, 8)}
    assert [len(octets) for octets in side.tapped_octets] == [172, 172]
    assert (side.outgoing.packets, side.outgoing.octets) == (4, 320)
    assert side.relay.forwarded == 0, "they are counted by the stream"


def test_from_recoded_to_passed_on_and_back_the_numbers_go_on() -> None:
    side, recoder = recoding()
    before = recoder.restarts
    side.feed(packet(5, payload_type=9), packet(6), packet(7), packet(8, payload_type=9))
    heard = side.heard()
    assert [h.sequence for h in heard] == list(range(5, 11))
    assert recoder.restarts == before + 1, "it has to find its place again"
    side.relay.stop_forwarding()
    assert side.outgoing.packets == 6


def test_an_event_goes_the_way_of_the_sound_before_it_and_moves_nothing() -> None:
    side, _ = recoding()
    side.feed(packet(5, payload_type=9), packet(6, payload_type=101, payload=b"\x05\x0a\x00\xa0"))
    assert [(h.payload_type, h.timestamp) for h in side.heard()][-1] == (102, 800)
    assert side.outgoing.timestamp == 880
    side.feed(packet(7), packet(8, payload_type=101, payload=b"\x05\x0a\x00\xa0"), packet(9))
    assert [h.payload_type for h in side.heard()] == [8, 101, 8]


def test_recoded_packets_that_are_not_taken_are_counted() -> None:
    side, _ = recoding()
    side.send_error = ConnectionRefusedError()
    side.feed(packet(5, payload_type=9))
    assert (side.relay.drops.unsent, side.relay.drops.refused) == (2, 2)
    side.send_error = BlockingIOError()
    side.feed(packet(6, payload_type=9))
    assert (side.relay.drops.unsent, side.relay.drops.refused) == (4, 2)
    assert side.outgoing.packets == 0
