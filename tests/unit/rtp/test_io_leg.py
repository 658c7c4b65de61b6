"""Legs over real sockets on loopback; the loop turns by hand, and time is an argument."""

import gc
import socket

import pytest

from rtp.header import RtpHeader
from rtp.io.leg import Leg, join
from rtp.io.peer_search import NAT_SILENCE_NS, SETTLING_NS, PeerSearch
from rtp.latch import LatchMode
from rtp.relay import Relay
from tests.unit.rtp.leg_bench import ANY, TIMEOUT_NS, TYPES, Bench


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


def test_a_packet_for_a_leg_without_remote_goes_nowhere(bench: Bench) -> None:
    a, b, alice = bench.leg(), bench.leg(), bench.phone()
    a.set_remote(alice.address, LatchMode.EXACT, TYPES, bench.now)
    join(a, b, ANY, ANY)
    alice.say(a)
    bench.turn()
    assert a.relay.received.packets == 1


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
