"""Legs over real sockets on loopback; the loop turns by hand, and time is an argument."""

import gc
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from rtp.fast_path import Callback, FastPath
from rtp.header import RtpHeader
from rtp.io.leg import Leg, LegRoute, join
from rtp.io.leg_observer import LegObserver
from rtp.io.loop import EventLoop
from rtp.io.peer_search import BURST, NAT_SILENCE_NS, SETTLING_NS, PeerSearch, first_guess
from rtp.io.socket import PortRange
from rtp.latch import LatchMode
from rtp.relay import Relay

PORTS = PortRange(20_000, 60_000)
ANY = LegRoute(payload_types={8: 8}, tables={}, clock_rates={})
TIMEOUT_NS = 5_000_000_000
TYPES = (8,)


class HandTurnedLoop(EventLoop):
    """Calls whatever is readable, when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.close()
        self.callbacks: dict[int, Callback] = {}

    def set(self, fd: int, callback: Callback) -> None:
        self.callbacks[fd] = callback

    def remove(self, fd: int) -> None:
        self.callbacks.pop(fd, None)

    def park(self, fd: int) -> None:
        if fd in self.callbacks:
            self.callbacks[fd] = lambda _: self.remove(fd)

    def turn(self, now: int) -> None:
        """Call until nothing is readable any more."""
        while True:
            ready, _, _ = select.select(list(self.callbacks), [], [], 0)
            if not ready:
                return
            for fd in ready:
                if fd in self.callbacks:
                    self.callbacks[fd](now)


class Phone:
    """A socket that speaks RTP."""

    def __init__(self, host: str = "127.0.0.1", *, ssrc: int = 1) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.ssrc = ssrc
        self.sequence = 100

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()[:2]
        return host, port

    def say(self, leg: Leg, *, payload_type: int = 8, host: str = "127.0.0.1") -> None:
        header = RtpHeader(
            payload_type=payload_type,
            sequence=self.sequence,
            timestamp=160 * self.sequence,
            ssrc=self.ssrc,
        )
        self.sequence += 1
        self.socket.sendto(header.serialize() + bytes(160), (host, leg.port))

    def heard(self) -> list[int]:
        """The sequence numbers of what has come since it was last asked."""
        numbers = []
        while True:
            try:
                numbers.append(RtpHeader.parse(self.socket.recv(2048)).sequence)
            except BlockingIOError:
                return numbers


@dataclass
class Bench:
    loop: HandTurnedLoop = field(default_factory=HandTurnedLoop)
    fast_path: FastPath = field(default_factory=FastPath)
    legs: list[Leg] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    silent: list[int] = field(default_factory=list)
    heard_again: list[int] = field(default_factory=list)
    now: int = 1_000_000_000

    def leg(self, host: str = "127.0.0.1") -> Leg:
        observer = LegObserver(
            first_packet=lambda leg, _: self.first.append(leg),
            silent=lambda leg, _: self.silent.append(leg),
            heard_again=self.heard_again.append,
        )
        leg = Leg(
            len(self.legs) + 1,
            PORTS.bind(host),
            loop=self.loop,
            fast_path=self.fast_path,
            observer=observer,
        )
        self.legs.append(leg)
        return leg

    def phone(self, host: str = "127.0.0.1", *, ssrc: int = 1) -> Phone:
        self.phones.append(Phone(host, ssrc=ssrc))
        return self.phones[-1]

    def turn(self, after_ns: int = 20_000_000) -> None:
        self.now += after_ns
        self.loop.turn(self.now)

    def settle(self, leg: Leg, phone: Phone) -> None:
        """Bring a leg on the fast path."""
        for _ in range(3):
            phone.say(leg)
            self.turn(SETTLING_NS)
        assert self.loop.callbacks[leg.descriptors()[0]] != leg._learn

    def call(self, mode: LatchMode = LatchMode.EXACT) -> tuple[Leg, Leg, Phone, Phone]:
        a, b = self.leg(), self.leg()
        alice, bob = self.phone(ssrc=1), self.phone(ssrc=2)
        a.set_remote(alice.address, mode, TYPES, self.now)
        b.set_remote(bob.address, mode, TYPES, self.now)
        join(a, b, ANY, ANY)
        return a, b, alice, bob


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    for leg in bench.legs:
        leg.release()
        leg.pair.close()
    for phone in bench.phones:
        phone.socket.close()


def test_two_phones_hear_each_other_before_and_on_the_fast_path(bench: Bench) -> None:
    a, b, alice, bob = bench.call()
    alice.say(a)
    bench.turn()
    assert bob.heard() == [100]  # bob has sent nothing yet
    bench.settle(a, alice)
    bench.settle(b, bob)
    assert bob.heard()[-2:] == [102, 103]
    assert alice.heard() == [100, 101, 102]
    assert bench.first == [1, 2]
    assert (a.packets_sent, b.packets_sent) == (3, 4)


def test_what_came_before_the_answer_is_kept_and_strangers_are_not(bench: Bench) -> None:
    a, b = bench.leg(), bench.leg()
    alice, bob, mallory = bench.phone(), bench.phone(), bench.phone("127.0.0.3", ssrc=9)
    b.set_remote(bob.address, LatchMode.EXACT, TYPES, bench.now)
    mallory.say(a)
    alice.say(a)
    mallory.say(a)
    bench.turn()
    a.set_remote(alice.address, LatchMode.EXACT, TYPES, bench.now)
    join(a, b, ANY, ANY)
    bench.turn()
    assert bob.heard() == [100]
    assert a.relay.drops.wrong_source == 2
    assert a.relay.received.packets == 1


def test_strangers_never_reach_a_connected_leg(bench: Bench) -> None:
    a, _, alice, bob = bench.call()
    mallory = bench.phone("127.0.0.3", ssrc=1)
    bench.settle(a, alice)
    for _ in range(20):
        mallory.say(a)
    bench.turn()
    alice.say(a)
    bench.turn()
    assert bob.heard() == [100, 101, 102, 103]
    assert a.relay.received.packets == 4
    assert mallory.heard() == []


@pytest.mark.parametrize(
    ("mode", "host", "expected"),
    [
        (LatchMode.EXACT, "127.0.0.1", []),
        (LatchMode.SAME_ADDRESS, "127.0.0.1", [101, 102]),
        (LatchMode.SAME_ADDRESS, "127.0.0.3", []),
        (LatchMode.NAT, "127.0.0.3", [101, 102]),
    ],
)
def test_a_phone_that_sends_from_elsewhere(
    bench: Bench, mode: LatchMode, host: str, expected: list[int]
) -> None:
    a, b = bench.leg(), bench.leg()
    named, real, bob = bench.phone(), bench.phone(host), bench.phone()
    a.set_remote(named.address, mode, TYPES, bench.now)
    b.set_remote(bob.address, LatchMode.EXACT, TYPES, bench.now)
    join(a, b, ANY, ANY)
    bob.say(b)
    bench.turn()
    assert named.heard() == [100]  # before the latch: where SDP says
    for _ in range(3):
        real.say(a)
        bench.turn()
    assert bob.heard() == expected
    bob.say(b)
    bench.turn()
    assert (real.heard() == [101]) == bool(expected)
    assert (named.heard() == [101]) != bool(expected)


def test_two_sources_in_nat_mode_the_first_with_two_packets_has_the_leg(bench: Bench) -> None:
    a, _, _, bob = bench.call(LatchMode.NAT)
    first, second = bench.phone("127.0.0.3", ssrc=5), bench.phone("127.0.0.4", ssrc=6)
    for phone in (first, second, first, second, second, first):
        phone.say(a)
    bench.turn()
    assert bob.heard() == [101, 102]
    assert a.relay.drops.wrong_source == 2
    assert a.relay.drops.probation == 2


def test_a_silent_leg_behind_nat_may_come_back_from_another_port(bench: Bench) -> None:
    a, b, alice, bob = bench.call(LatchMode.NAT)
    bench.settle(a, alice)
    bench.settle(b, bob)
    bob.heard()
    alice.heard()
    bench.now += NAT_SILENCE_NS
    a.sweep(bench.now, TIMEOUT_NS)
    bob.say(b)
    bench.turn()
    assert len(alice.heard()) == 1  # still sent where she was last
    thief, moved = bench.phone("127.0.0.3", ssrc=77), bench.phone(ssrc=alice.ssrc)
    moved.sequence = alice.sequence
    for phone in (thief, thief, thief, moved, moved, moved):
        phone.say(a)
    bench.turn()
    assert bob.heard() == [104, 105]
    assert a.relay.drops.wrong_ssrc == 3
    bob.say(b)
    bench.turn()
    assert len(moved.heard()) == 1
    assert thief.heard() == []


def test_a_silent_leg_of_an_exact_peer_stays_connected(bench: Bench) -> None:
    a, _, alice, bob = bench.call()
    bench.settle(a, alice)
    bench.now += NAT_SILENCE_NS
    a.sweep(bench.now, TIMEOUT_NS)
    bob.heard()
    alice.ssrc = 99
    alice.say(a)
    bench.turn()
    assert bob.heard() == [103]


def test_silence_is_told_once_and_again_after_sound(bench: Bench) -> None:
    a, _, alice, _ = bench.call()
    for _ in range(3):
        bench.now += TIMEOUT_NS
        a.sweep(bench.now, TIMEOUT_NS)
    assert bench.silent == [1]
    alice.say(a)
    bench.turn()
    a.sweep(bench.now, TIMEOUT_NS)
    assert bench.silent == [1]
    bench.now += TIMEOUT_NS
    a.sweep(bench.now, TIMEOUT_NS)
    assert bench.silent == [1, 1]
    assert bench.heard_again == [1]


def test_a_leg_without_a_peer_is_not_silent(bench: Bench) -> None:
    leg = bench.leg()
    leg.sweep(bench.now + 10 * TIMEOUT_NS, TIMEOUT_NS)
    assert bench.silent == []


def test_a_new_negotiation_moves_the_leg_and_drops_the_old_source(bench: Bench) -> None:
    a, _, alice, bob = bench.call()
    bench.settle(a, alice)
    elsewhere = bench.phone(ssrc=31)
    a.set_remote(elsewhere.address, LatchMode.EXACT, TYPES, bench.now)
    alice.say(a)
    elsewhere.say(a)
    bench.turn()
    assert bob.heard() == [100, 101, 102, 103]
    assert bench.first == [1, 1]
    assert a.relay.received.packets == 4


def test_a_renewed_negotiation_behind_nat_loses_no_packet(bench: Bench) -> None:
    a, _, alice, bob = bench.call(LatchMode.NAT)
    bench.settle(a, alice)
    a.set_remote(alice.address, LatchMode.NAT, TYPES, bench.now)
    alice.say(a)
    bench.turn()
    assert bob.heard() == [100, 101, 102, 103]


@pytest.mark.parametrize("host", ["0.0.0.0", "224.0.0.1", "phone.example"])  # noqa: S104 - to be refused
def test_an_unusable_remote_leaves_the_leg_as_it_was(bench: Bench, host: str) -> None:
    a, _, alice, bob = bench.call()
    bench.settle(a, alice)
    with pytest.raises(ValueError, match=r"unicast|address"):
        a.set_remote((host, 4000), LatchMode.EXACT, TYPES, bench.now)
    alice.say(a)
    bench.turn()
    assert len(bob.heard()) == 4


def test_types_that_were_not_negotiated_do_not_latch(bench: Bench) -> None:
    a, _, alice, bob = bench.call()
    alice.say(a, payload_type=0)
    bench.turn()
    assert bench.first == []
    assert bob.heard() == []
    assert a.relay.drops.wrong_type == 1


def test_a_closed_port_of_the_peer_ends_nothing(bench: Bench) -> None:
    a, b, alice, bob = bench.call()
    bench.settle(a, alice)
    bench.settle(b, bob)
    bob.heard()
    port = bob.address[1]
    bob.socket.close()
    for _ in range(4):
        alice.say(a)
        bench.turn()
    again = bench.phone()
    again.socket.close()
    again.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    again.socket.bind(("127.0.0.1", port))
    again.socket.setblocking(False)
    for _ in range(3):
        alice.say(a)
        bench.turn()
    assert again.heard()[-1] == alice.sequence - 1
    assert b.relay.drops.refused + a.relay.drops.refused > 0


def test_parted_legs_hear_nothing_and_are_still_received(bench: Bench) -> None:
    a, b, alice, bob = bench.call()
    bench.settle(a, alice)
    bob.heard()
    a.part()
    assert a.joined is b.joined is None
    alice.say(a)
    bench.turn()
    assert bob.heard() == []
    assert a.relay.received.packets == 4
    assert b.packets_sent == 3


def test_a_transfer_goes_on_with_the_same_stream_towards_the_phone(bench: Bench) -> None:
    a, b, alice, bob = bench.call()
    bench.settle(a, alice)
    c, carol = bench.leg(), bench.phone(ssrc=3)
    carol.sequence = 40_000
    c.set_remote(carol.address, LatchMode.EXACT, TYPES, bench.now)
    join(c, b, ANY, ANY)
    assert a.joined is None
    bench.settle(c, carol)
    assert bob.heard() == [100, 101, 102, 103, 104, 105]
    assert b.packets_sent == 6


def test_rtcp_is_read_counted_and_otherwise_ignored(bench: Bench) -> None:
    a, _, alice, bob = bench.call()
    mallory = bench.phone("127.0.0.3")
    for data in (b"\x80\xc8\x00\x06" + bytes(24), b"\x80\xc9\x00\x00", b""):
        mallory.socket.sendto(data, ("127.0.0.1", a.port + 1))
    bench.turn()
    alice.say(a)
    bench.turn()
    assert a.relay.drops.rtcp_source == 3
    assert bob.heard() == [100]


def test_rtcp_goes_above_the_port_where_the_peer_is_found(bench: Bench) -> None:
    a, b, named, bob = bench.call(LatchMode.NAT)
    a.rtcp.agree(named.address[1], 8000)
    assert a.rtcp._destination == named.address
    stranger, moved = bench.phone("127.0.0.3"), bench.phone("127.0.0.4", ssrc=7)
    report = b"\x80\xc9\x00\x01" + bytes(4)
    for _ in range(3):
        stranger.socket.sendto(report, ("127.0.0.1", a.port + 1))
    bench.turn()
    assert a.rtcp._destination == named.address, "RTCP has moved the leg"
    assert a.relay.drops.rtcp_source == 3
    bench.settle(a, moved)
    assert a.rtcp._destination == (moved.address[0], moved.address[1] + 1)
    moved.socket.sendto(report, ("127.0.0.1", a.port + 1))
    bench.turn()
    assert (a.relay.drops.rtcp, a.relay.drops.rtcp_source) == (0, 3)
    bob.say(b)
    bench.turn()
    assert len(moved.heard()) == 1


def test_above_the_last_port_there_is_none(bench: Bench) -> None:
    a, b, _, bob = bench.call()
    a.set_remote(("127.0.0.1", 65535), LatchMode.EXACT, TYPES, bench.now)
    bob.say(b)
    bench.turn()
    a.say_goodbye(bench.now)
    assert a.rtcp._destination is None


def test_before_the_peer_is_known_rtcp_waits_unread(bench: Bench) -> None:
    a, alice = bench.leg(), bench.phone()
    alice.socket.sendto(b"no RTCP", ("127.0.0.1", a.port + 1))
    bench.turn()
    assert a.relay.drops.rtcp == a.relay.drops.rtcp_source == 0
    a.set_remote(alice.address, LatchMode.EXACT, TYPES, bench.now)
    bench.turn()
    assert a.relay.drops.rtcp == 1


def test_a_muted_leg_reads_nothing(bench: Bench) -> None:
    a, b, alice, bob = bench.call()
    bench.settle(b, bob)
    a.mute()
    alice.say(a)
    bob.say(b)
    bench.turn()
    assert bob.heard() == []
    assert len(alice.heard()) == 4


def test_a_tap_opens_and_closes_in_mid_stream(bench: Bench) -> None:
    a, _, alice, _ = bench.call()
    bench.settle(a, alice)
    tapped: list[int] = []
    a.tap(lambda octets, *_: tapped.append(RtpHeader.parse(octets[:172]).sequence))
    alice.say(a)
    bench.turn()
    a.tap(None)
    alice.say(a)
    bench.turn()
    assert tapped == [103]


def test_errors_while_learning_are_counted(bench: Bench) -> None:
    a, b, alice, bob = bench.call()
    bob.socket.close()
    for _ in range(3):
        alice.say(a)
        bench.turn()
    assert b.relay.drops.refused + a.relay.drops.refused > 0
    assert b.relay.received.packets == 0


def test_while_behind_nat_nothing_but_rtp_is_looked_at(bench: Bench) -> None:
    a, _, alice, bob = bench.call(LatchMode.NAT)
    alice.socket.sendto(b"no RTP", ("127.0.0.1", a.port))
    bench.turn()
    assert a.relay.drops.malformed == 1
    assert bob.heard() == []


def test_a_source_that_cannot_be_connected_does_not_latch(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _, alice, bob = bench.call(LatchMode.NAT)

    def fail(_search: PeerSearch, _source: object, _now: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(PeerSearch, "_latch_to", fail)
    alice.say(a)
    bench.turn()
    assert a.relay.drops.wrong_source == 1
    assert bob.heard() == []


def test_a_leg_behind_nat_that_never_sounded_latches_to_nobody(bench: Bench) -> None:
    a, _, _, _ = bench.call(LatchMode.NAT)
    a.sweep(bench.now + NAT_SILENCE_NS, TIMEOUT_NS)
    assert a.relay.drops.packets == 0


def test_a_packet_for_a_leg_without_remote_goes_nowhere(bench: Bench) -> None:
    a, b, alice = bench.leg(), bench.leg(), bench.phone()
    a.set_remote(alice.address, LatchMode.EXACT, TYPES, bench.now)
    join(a, b, ANY, ANY)
    alice.say(a)
    bench.turn()
    assert a.relay.received.packets == 1


def test_a_burst_of_strangers_is_read_in_several_turns(bench: Bench) -> None:
    a, _, alice, bob = bench.call(LatchMode.SAME_ADDRESS)
    mallory = bench.phone("127.0.0.3")
    for _ in range(BURST + 5):
        mallory.say(a)
    alice.say(a)
    bench.turn()
    assert a.relay.drops.wrong_source == BURST + 5
    assert bob.heard() == [100]


def test_an_rtcp_port_with_an_error_is_read_and_forgotten(bench: Bench) -> None:
    a = bench.leg()
    a.rtcp.receive(1)  # nothing there
    assert a.relay.drops.rtcp == a.relay.drops.rtcp_source == 0


def test_ipv6_legs(bench: Bench) -> None:
    try:
        a, b = bench.leg("::1"), bench.leg("::1")
    except Exception as error:  # noqa: BLE001 - whatever a machine without IPv6 says
        pytest.skip(f"no IPv6 here: {error}")
    alice, bob = bench.phone("::1"), bench.phone("::1", ssrc=2)
    a.set_remote(("0:0::1", alice.address[1]), LatchMode.NAT, TYPES, bench.now)
    b.set_remote(bob.address, LatchMode.EXACT, TYPES, bench.now)
    join(a, b, ANY, ANY)
    for _ in range(3):
        alice.say(a, host="::1")
        bench.turn(SETTLING_NS)
    bench.now += NAT_SILENCE_NS
    a.sweep(bench.now, TIMEOUT_NS)
    alice.say(a, host="::1")
    bench.turn()
    assert bob.heard() == [100, 101, 102, 103]


def test_one_leg_for_both_families(bench: Bench) -> None:
    try:
        a, b = bench.leg("*"), bench.leg("*")
    except Exception as error:  # noqa: BLE001 - whatever a machine without IPv6 says
        pytest.skip(f"no IPv6 here: {error}")
    alice, bob = bench.phone("::1"), bench.phone("127.0.0.1", ssrc=2)
    a.set_remote(alice.address, LatchMode.EXACT, TYPES, bench.now)
    nowhere = (bob.address[0], 9)
    b.set_remote(nowhere, LatchMode.NAT, TYPES, bench.now, "127.0.0.1")
    join(a, b, ANY, ANY)
    for _ in range(4):
        bob.say(b)
        alice.say(a, host="::1")
        bench.turn(SETTLING_NS)
    assert bob.heard()[-2:] == [102, 103]
    assert alice.heard()[-2:] == [102, 103]
    mallory = bench.phone("127.0.0.3")
    mallory.say(b)
    bench.turn()
    assert len(alice.heard()) == 0


def test_behind_a_nat_the_first_guess_is_where_the_signalling_comes_from() -> None:
    private, public = ("192.168.1.2", 4000), ("8.8.4.4", 4000)
    assert first_guess(private, "8.8.8.8") == ("8.8.8.8", 4000)
    assert first_guess(public, "8.8.8.8") == public
    assert first_guess(private, "10.0.0.1") == private
    assert first_guess(private, "") == private


def test_a_released_leg_is_gone_without_a_collection(bench: Bench) -> None:
    a, b, alice, bob = bench.call(LatchMode.NAT)
    bench.settle(a, alice)
    bench.settle(b, bob)
    gc.collect()
    gc.disable()
    try:
        bench.legs.clear()
        for leg in (a, b):
            leg.release()
            leg.pair.close()
        del a, b, leg
        left = [thing for thing in gc.get_objects() if isinstance(thing, Leg | PeerSearch | Relay)]
        assert left == []
    finally:
        gc.enable()
