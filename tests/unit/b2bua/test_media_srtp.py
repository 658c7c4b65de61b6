"""SRTP in the real media worker: keys come with the remote, the recorder gets plain packets."""

import msgspec

from b2bua.media.from_worker import LegReleased
from b2bua.media.messages import Counters, LogLine
from b2bua.media.to_worker import (
    Bridge,
    LoadSound,
    MasterKey,
    Play,
    PlayPart,
    ReleaseLeg,
    SetRemote,
    SrtpKeys,
)
from rtp import srtp
from rtp.header import RtpHeader
from rtp.srtp import Opener, Sealer
from rtp.statistics import Drops
from sip.sdes import fresh
from tests.unit.b2bua.media_rig import ALAW, HOST, Worker, tap

SUITE = "AEAD_AES_256_GCM"


def a_key(suite: str = SUITE) -> MasterKey:
    return MasterKey(suite=suite, key=fresh(1, suite).inline.key)


def as_rtp(key: MasterKey) -> srtp.MasterKey:
    return srtp.MasterKey(suite=key.suite, key=key.key)


def test_a_leg_with_keys_hears_and_is_heard_by_a_plain_one(worker: Worker) -> None:
    keys = SrtpKeys(ours=a_key(), theirs=a_key())
    alice, bob = worker.phone(11), worker.phone(22)
    port_a, port_b = worker.leg(1), worker.leg(2)
    worker.send(
        SetRemote(1, HOST, alice.port, srtp=keys),
        SetRemote(2, HOST, bob.port),
        Bridge(1, 2, ALAW, ALAW),
        tap(1),
    )
    worker.barrier()
    plain = RtpHeader(payload_type=8, sequence=1, timestamp=0, ssrc=11).serialize() + b"a" * 160
    alice.say(port_a)  # in the clear
    alice.socket.sendto(Sealer(as_rtp(keys.theirs)).rtp(plain), (HOST, port_a))
    assert bob.hear() == (RtpHeader.parse(plain), b"a" * 160)
    bob.say(port_b)
    sealed = alice.socket.recv(2048)
    buffer = bytearray(sealed)
    Opener(as_rtp(keys.ours), Drops()).open_in(buffer, len(sealed))
    assert bytes(buffer[12:172]) == b"a" * 160
    worker.expect(Counters, lambda m: m.values["dropped_forged"] == 1)
    worker.barrier()
    assert [each.data for each in worker.ring() if each.sequence == 1] == [plain]


def test_what_we_say_ourselves_is_sealed(worker: Worker) -> None:
    keys = SrtpKeys(ours=a_key(), theirs=a_key())
    alice = worker.phone(11)
    worker.leg(1)
    worker.send(
        SetRemote(1, HOST, alice.port, srtp=keys),
        LoadSound("word", b"a" * 480, b"u" * 480),
        Play(1, 1, (PlayPart(sound="word"),), 8),
    )
    opener = Opener(as_rtp(keys.ours), Drops())
    for _ in range(3):
        sealed = alice.socket.recv(2048)
        buffer = bytearray(sealed)
        assert buffer[12 : opener.open_in(buffer, len(sealed))] == b"a" * 160


def test_a_flood_without_the_key_loses_no_packet_of_the_call(worker: Worker) -> None:
    keys = SrtpKeys(ours=a_key(), theirs=a_key())
    alice, bob = worker.phone(11), worker.phone(22)
    port_a = worker.leg(1)
    worker.leg(2)
    worker.send(
        SetRemote(1, HOST, alice.port, srtp=keys),
        SetRemote(2, HOST, bob.port),
        Bridge(1, 2, ALAW, ALAW),
    )
    worker.barrier()
    sealer = Sealer(as_rtp(keys.theirs))
    for number in range(200):
        header = RtpHeader(payload_type=8, sequence=number, timestamp=0, ssrc=11)
        good = sealer.rtp(header.serialize() + b"a" * 160)
        forged = good[:-1] + bytes([good[-1] ^ 1])
        # As its own address says them: the kernel has already dropped all others.
        for _ in range(100):
            alice.socket.sendto(forged, (HOST, port_a))
        alice.socket.sendto(good, (HOST, port_a))
        assert bob.hear()[0].sequence == number
    worker.expect(Counters, lambda m: m.values["dropped_forged"] == 20_000)
    worker.send(ReleaseLeg(1))
    assert worker.expect(LegReleased).packets_received == 200


def test_no_word_goes_out_in_the_clear_where_there_is_no_such_suite(worker: Worker) -> None:
    alice, bob = worker.phone(11), worker.phone(22)
    worker.leg(1)
    port_b = worker.leg(2)
    unknown = msgspec.structs.replace(a_key(), suite="F8_128_HMAC_SHA1_80")
    worker.send(
        SetRemote(1, HOST, alice.port, srtp=SrtpKeys(ours=unknown, theirs=unknown)),
        SetRemote(2, HOST, bob.port),
        Bridge(1, 2, ALAW, ALAW),
    )
    line = worker.expect(LogLine)
    assert "no suite F8_128_HMAC_SHA1_80" in line.text
    assert repr(unknown.key)[2:-1] not in line.text
    bob.say(port_b)
    worker.counters()
    assert alice.hears_nothing()


def test_keys_are_not_shown() -> None:
    keys = SrtpKeys(ours=a_key(), theirs=a_key())
    shown = repr(SetRemote(1, HOST, 4000, srtp=keys))
    assert SUITE in shown
    assert repr(keys.ours.key) not in shown
