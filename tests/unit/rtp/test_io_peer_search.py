"""Who a leg listens to, over real sockets: before its peer is known, and behind a NAT."""

import pytest

from rtp.io.leg import join
from rtp.io.peer_search import BURST, NAT_SILENCE_NS, PeerSearch, first_guess
from rtp.latch import LatchMode
from tests.unit.rtp.leg_bench import ANY, TIMEOUT_NS, TYPES, Bench


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


def test_types_that_were_not_negotiated_do_not_latch(bench: Bench) -> None:
    a, _, alice, bob = bench.call()
    alice.say(a, payload_type=0)
    bench.turn()
    assert bench.first == []
    assert bob.heard() == []
    assert a.relay.drops.wrong_type == 1


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


def test_a_burst_of_strangers_is_read_in_several_turns(bench: Bench) -> None:
    a, _, alice, bob = bench.call(LatchMode.SAME_ADDRESS)
    mallory = bench.phone("127.0.0.3")
    for _ in range(BURST + 5):
        mallory.say(a)
    alice.say(a)
    bench.turn()
    assert a.relay.drops.wrong_source == BURST + 5
    assert bob.heard() == [100]


def test_behind_a_nat_the_first_guess_is_where_the_signalling_comes_from() -> None:
    private, public = ("192.168.1.2", 4000), ("8.8.4.4", 4000)
    assert first_guess(private, "8.8.8.8") == ("8.8.8.8", 4000)
    assert first_guess(public, "8.8.8.8") == public
    assert first_guess(private, "10.0.0.1") == private
    assert first_guess(private, "") == private
