"""Legs that speak SRTP, over real sockets: what a stranger without the key can do is nothing."""

import gc

import pytest

from rtp.header import RtpHeader
from rtp.io.leg import Leg, join
from rtp.io.peer_search import SETTLING_NS
from rtp.latch import LatchMode
from rtp.relay import Relay
from rtp.rtcp import parse
from rtp.srtp import Keys, Lock, Opener, Sealer
from rtp.statistics import Drops
from tests.unit.rtp.leg_bench import ANY, TIMEOUT_NS, TYPES, Bench, Phone
from tests.unit.rtp.srtp_keys import CM_32, GCM_128, key


class SecurePhone:
    """A phone that has agreed on keys with its leg."""

    def __init__(self, bench: Bench, leg: Leg, suite: str, *, host: str, ssrc: int) -> None:
        self.phone = bench.phone(host, ssrc=ssrc)
        self.leg = leg
        self.keys = Keys(ours=key(suite), theirs=key(suite))
        "From the leg's point of view."
        self.drops = Drops()
        self.sealer = Sealer(self.keys.theirs)
        self.opener = Opener(self.keys.ours, self.drops)
        self.sent: list[bytes] = []

    def say(self) -> bytes:
        """Send a packet; returns it."""
        phone = self.phone
        header = RtpHeader(
            payload_type=8, sequence=phone.sequence, timestamp=0, ssrc=phone.ssrc
        ).serialize()
        phone.sequence += 1
        packet = header + f"{phone.ssrc} says {phone.sequence}".encode().ljust(160, b".")
        self.sent.append(self.sealer.rtp(packet))
        phone.socket.sendto(self.sent[-1], ("127.0.0.1", self.leg.port))
        return packet

    def heard(self) -> list[bytes]:
        """Return what has come since it was last asked, in the clear."""
        found: list[bytes] = []
        while True:
            try:
                sealed = self.phone.socket.recv(2048)
            except BlockingIOError:
                return found
            buffer = bytearray(sealed)
            found.append(bytes(buffer[: self.opener.open_in(buffer, len(sealed))]))


def secure_call(bench: Bench, mode: LatchMode) -> tuple[SecurePhone, SecurePhone]:
    """Join two legs with different keys and suites."""
    a, b = bench.leg(), bench.leg()
    alice = SecurePhone(bench, a, GCM_128, host="127.0.0.1", ssrc=1)
    bob = SecurePhone(bench, b, CM_32, host="127.0.0.1", ssrc=2)
    for each in (alice, bob):
        each.leg.secure(each.keys)
        each.leg.set_remote(each.phone.address, mode, TYPES, bench.now)
    join(a, b, ANY, ANY)
    return alice, bob


def settle(bench: Bench, *phones: SecurePhone) -> None:
    for phone in phones:
        for _ in range(3):
            phone.say()
            bench.turn(SETTLING_NS)
        assert bench.loop.callbacks[phone.leg.descriptors()[0]] != phone.leg._learn


def test_two_keys_one_call_and_the_recorder_gets_it_in_the_clear(bench: Bench) -> None:
    alice, bob = secure_call(bench, LatchMode.EXACT)
    settle(bench, alice, bob)
    bob.heard()
    taped: list[bytes] = []
    alice.leg.tap(lambda octets, length, *_: taped.append(bytes(octets[:length])))
    said = [alice.say(), alice.say()]
    bench.turn()
    assert bob.heard() == taped == said
    said = [bob.say()]
    bench.turn()
    assert alice.heard()[-1:] == said
    assert alice.leg.relay.drops == bob.leg.relay.drops == Drops()


@pytest.mark.parametrize("mode", [LatchMode.EXACT, LatchMode.NAT])
def test_forged_and_replayed_packets_move_no_latch_and_reach_nobody(
    bench: Bench, mode: LatchMode
) -> None:
    alice, bob = secure_call(bench, mode)
    # Of the signalled address, as a stranger in the network can spoof it, and from elsewhere.
    strangers = [alice.phone, bench.phone("127.0.0.3", ssrc=alice.phone.ssrc)]
    for stranger in strangers:
        for _ in range(3):
            stranger.say(alice.leg)
    bench.turn()
    assert bench.first == []
    alice.phone.sequence = 500
    settle(bench, alice)
    taped: list[bytes] = []
    alice.leg.tap(lambda octets, length, *_: taped.append(bytes(octets[:length])))
    before = len(bob.heard())
    for sealed in alice.sent:
        alice.phone.socket.sendto(sealed, ("127.0.0.1", alice.leg.port))
    for _ in range(50):
        alice.phone.say(alice.leg)
    bench.turn()
    assert (before, bob.heard(), taped) == (3, [], [])
    drops = alice.leg.relay.drops
    assert drops.replayed == len(alice.sent)
    assert drops.forged == 50 + (3 if mode is LatchMode.EXACT else 6)
    alice.phone.sequence = 503
    said = alice.say()
    bench.turn()
    assert bob.heard() == [said]


def test_one_side_plain(bench: Bench) -> None:
    a, b = bench.leg(), bench.leg()
    alice = SecurePhone(bench, a, GCM_128, host="127.0.0.1", ssrc=1)
    bob = bench.phone(ssrc=2)
    a.secure(alice.keys)
    a.set_remote(alice.phone.address, LatchMode.EXACT, TYPES, bench.now)
    b.set_remote(bob.address, LatchMode.EXACT, TYPES, bench.now)
    join(a, b, ANY, ANY)
    settle(bench, alice)
    assert bob.heard() == [100, 101, 102]
    bench.settle(b, bob)
    assert [RtpHeader.parse(each).sequence for each in alice.heard()] == [100, 101, 102]


def test_a_duplicate_is_not_sealed_twice(bench: Bench) -> None:
    a, b = bench.leg(), bench.leg()
    alice, bob = bench.phone(ssrc=1), SecurePhone(bench, b, GCM_128, host="127.0.0.1", ssrc=2)
    b.secure(bob.keys)
    a.set_remote(alice.address, LatchMode.EXACT, TYPES, bench.now)
    b.set_remote(bob.phone.address, LatchMode.EXACT, TYPES, bench.now)
    join(a, b, ANY, ANY)
    bench.settle(a, alice)
    alice.sequence -= 1
    alice.say(a)
    bench.turn()
    assert len(bob.heard()) == 3
    assert a.relay.drops.unsent == 1
    assert b.packets_sent == 3


def test_keys_change_in_mid_call(bench: Bench) -> None:
    alice, bob = secure_call(bench, LatchMode.EXACT)
    settle(bench, alice, bob)
    bob.heard()
    keys = Keys(ours=alice.keys.ours, theirs=key(CM_32))
    alice.leg.secure(keys)
    alice.leg.set_remote(alice.phone.address, LatchMode.EXACT, TYPES, bench.now)
    said = [alice.say()]  # her old key, she has not got our answer yet
    alice.sealer = Sealer(keys.theirs)
    said.append(alice.say())
    bench.turn()
    assert bob.heard() == said
    bench.turn(SETTLING_NS)
    said = [alice.say(), bob.say()]
    bench.turn()
    assert [*bob.heard(), alice.heard()[-1]] == said


def test_from_srtp_to_plain_and_back(bench: Bench) -> None:
    alice, bob = secure_call(bench, LatchMode.EXACT)
    settle(bench, alice)
    bob.heard()
    alice.leg.secure(None)
    alice.leg.set_remote(alice.phone.address, LatchMode.EXACT, TYPES, bench.now)
    alice.phone.say(alice.leg)
    bench.turn()
    assert [RtpHeader.parse(each).sequence for each in bob.heard()] == [103]
    bob.say()
    bench.turn()
    assert alice.phone.heard() == [100]
    alice.leg.secure(alice.keys)
    alice.leg.set_remote(alice.phone.address, LatchMode.EXACT, TYPES, bench.now)
    alice.sealer = Sealer(alice.keys.theirs)
    alice.phone.say(alice.leg)
    said = alice.say()
    bench.turn()
    assert bob.heard() == [said]
    assert alice.leg.relay.drops.forged == 1


def test_keys_are_in_force_where_the_remote_is_not_usable(bench: Bench) -> None:
    a, b = bench.leg(), bench.leg()
    alice, bob = bench.phone(ssrc=1), bench.phone(ssrc=2)
    for leg, phone in ((a, alice), (b, bob)):
        leg.set_remote(phone.address, LatchMode.EXACT, TYPES, bench.now)
    join(a, b, ANY, ANY)
    bench.settle(a, alice)
    bob.heard()
    keys = Keys(ours=key(), theirs=key())
    b.secure(keys)
    with pytest.raises(ValueError, match="unicast"):
        b.set_remote(("224.0.0.1", 4000), LatchMode.EXACT, TYPES, bench.now)
    alice.say(a)
    bench.turn()
    assert len(bob.socket.recv(2048)) == 172 + 10


def test_reports_are_sealed_too(bench: Bench) -> None:
    alice, _ = secure_call(bench, LatchMode.EXACT)
    reports = Phone()
    bench.phones.append(reports)
    alice.leg.rtcp.agree(reports.address[1], 8000)
    settle(bench, alice)
    for _ in range(20):
        bench.now += 500_000_000
        alice.leg.sweep(bench.now, TIMEOUT_NS)
    sealed = reports.socket.recv(2048)
    assert parse(alice.opener.rtcp(sealed))
    # And of what comes only what the peer has sealed counts.
    rtcp = ("127.0.0.1", alice.leg.port + 1)
    answer = bytes.fromhex("80c90001 00000001")
    reports.socket.sendto(answer, rtcp)
    bench.turn()
    assert alice.leg.relay.drops == Drops(rtcp=1)
    reports.socket.sendto(alice.sealer.rtcp(answer), rtcp)
    bench.turn()
    assert alice.leg.relay.drops == Drops(rtcp=1)


def test_a_released_leg_and_its_keys_are_gone_without_a_collection(bench: Bench) -> None:
    alice, bob = secure_call(bench, LatchMode.NAT)
    settle(bench, alice, bob)
    alice.leg.secure(Keys(ours=alice.keys.ours, theirs=key(CM_32)))
    a, b = alice.leg, bob.leg
    del alice.leg, bob.leg, alice.sealer, alice.opener, bob.sealer, bob.opener
    gc.collect()
    gc.disable()
    try:
        bench.legs.clear()
        for leg in (a, b):
            leg.release()
            leg.pair.close()
        del a, b, leg
        kinds = (Leg, Relay, Lock, Opener, Sealer)
        assert [thing for thing in gc.get_objects() if isinstance(thing, kinds)] == []
    finally:
        gc.enable()
