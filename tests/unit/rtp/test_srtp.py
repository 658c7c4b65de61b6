"""Sealing and opening, by vectors and against a session of the library as the peer."""

import struct

import pytest
from pylibsrtp import Policy, Session

from rtp import srtp
from rtp.header import RtpHeader
from rtp.rtcp import parse
from rtp.srtp import (
    MAX_STREAMS,
    PROFILES,
    ForgedError,
    Keys,
    Lock,
    MasterKey,
    NotSealedError,
    Opener,
    Sealer,
    SrtpUnavailableError,
)
from rtp.statistics import Drops
from sip.sdes import KEY_OCTETS
from tests.unit.rtp.srtp_keys import CM_80, GCM_128, key

RECEIVER_REPORT = bytes.fromhex("81c90007 00000001") + bytes(24)


def packet(sequence: int, *, ssrc: int = 1, fill: int = 0xD5) -> bytes:
    header = RtpHeader(payload_type=8, sequence=sequence, timestamp=160 * sequence, ssrc=ssrc)
    return header.serialize() + bytes([fill]) * 160


def opened(opener: Opener, sealed: bytes) -> bytes:
    """Open as the media worker does: in the buffer that all legs share."""
    buffer = bytearray(2049)
    buffer[: len(sealed)] = sealed
    return bytes(buffer[: opener.open_in(buffer, len(sealed))])


class Peer:
    """The other end, by the library alone."""

    def __init__(self, key: MasterKey, *, sends: bool) -> None:
        direction = Policy.SSRC_ANY_OUTBOUND if sends else Policy.SSRC_ANY_INBOUND
        profile = getattr(Policy, PROFILES[key.suite])
        self.session = Session(Policy(key=key.key, ssrc_type=direction, srtp_profile=profile))


@pytest.fixture
def drops() -> Drops:
    return Drops()


# The key is that of RFC 3711, appendix B.3; the packets are what libsrtp's own tests expect.
@pytest.mark.parametrize(
    ("suite", "master", "sealed"),
    [
        (
            CM_80,
            "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6",
            "4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb",
        ),
        (
            GCM_128,
            "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab",
            "c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392",
        ),
    ],
)
def test_vectors(suite: str, master: str, sealed: str, drops: Drops) -> None:
    head = bytes.fromhex("800f1234decafbadcafebabe")
    plain, expected = head + b"\xab" * 16, head + bytes.fromhex(sealed)
    master_key = MasterKey(suite=suite, key=bytes.fromhex(master))
    assert Sealer(master_key).rtp(plain) == expected
    assert opened(Opener(master_key, drops), expected) == plain


@pytest.mark.parametrize("suite", sorted(KEY_OCTETS))
@pytest.mark.parametrize("mki", [b"", b"\x00\x07"])
def test_every_suite_with_and_without_mki(suite: str, mki: bytes, drops: Drops) -> None:
    theirs = key(suite, mki)
    peer, opener = Peer(theirs, sends=True), Opener(theirs, drops)
    sealed = peer.session.protect(packet(7))
    tag = srtp.TAG_OCTETS[suite]
    end = len(sealed) - tag
    assert opened(opener, sealed[:end] + mki + sealed[end:]) == packet(7)
    report = peer.session.protect_rtcp(RECEIVER_REPORT)
    end = len(report) - srtp.RTCP_TAG_OCTETS[suite]
    assert opener.rtcp(report[:end] + mki + report[end:]) == RECEIVER_REPORT
    assert drops == Drops()


@pytest.mark.parametrize("suite", sorted(KEY_OCTETS))
def test_what_we_seal_the_peer_can_open(suite: str) -> None:
    ours = key(suite)
    sealer, peer = Sealer(ours), Peer(ours, sends=False)
    sealed = sealer.rtp(memoryview(packet(7)))
    assert packet(7)[12:] not in sealed
    assert peer.session.unprotect(sealed) == packet(7)
    assert peer.session.unprotect_rtcp(sealer.rtcp(RECEIVER_REPORT)) == RECEIVER_REPORT


def test_nothing_but_the_peers_packets_gets_in_and_each_once(drops: Drops) -> None:
    theirs = key(mki=b"\x01")
    opener, good = Opener(theirs, drops), Peer(theirs, sends=True).session.protect(packet(7))
    good = good[:-10] + b"\x01" + good[-10:]
    forgeries = [
        packet(7),
        packet(7)[:3],
        packet(7) + bytes(1400),
        good[:-1],
        good[:-11] + b"\x02" + good[-10:],
        good[:20] + bytes([good[20] ^ 1]) + good[21:],
        bytes([good[0], good[1] ^ 0x80]) + good[2:],
    ]
    for forged in forgeries:
        with pytest.raises(ForgedError):
            opened(opener, forged)
    assert (drops.forged, drops.replayed) == (len(forgeries), 0)
    opened(opener, good)
    with pytest.raises(ForgedError):
        opened(opener, good)
    assert (drops.forged, drops.replayed) == (len(forgeries), 1)
    assert drops.packets == len(forgeries) + 1
    with pytest.raises(ForgedError):
        opener.rtcp(RECEIVER_REPORT)
    assert (drops.forged, drops.rtcp) == (len(forgeries), 1)


def test_what_is_no_rtp_at_all_is_counted_as_on_plain_legs(drops: Drops) -> None:
    opener = Opener(key(), drops)
    stun = bytes.fromhex("0001000021 12a442") + bytes(12)
    for nothing in (b"", b"\0\0", stun, b"\xff" * 20):
        with pytest.raises(ForgedError):
            opened(opener, nothing)
        with pytest.raises(ForgedError):
            opener.rtcp(nothing)
    assert drops == Drops(malformed=4, rtcp=4)


def test_numbers_wrap_and_the_rollover_counter_goes_on(drops: Drops) -> None:
    theirs = key()
    peer, opener = Peer(theirs, sends=True), Opener(theirs, drops)
    first = peer.session.protect(packet(20_000, fill=1))
    numbers = [(20_000 + step) & 0xFFFF for step in range(0, 200_000, 2_000)]
    for number in numbers[1:]:
        sealed = peer.session.protect(packet(number))
        assert opened(opener, sealed) == packet(number)
    with pytest.raises(ForgedError):
        opened(opener, first)  # the same number as one that could come now, of three cycles ago
    assert drops.packets == 1


def test_a_number_is_sealed_once(drops: Drops) -> None:
    sealer = Sealer(key())
    sealer.rtp(packet(7))
    with pytest.raises(NotSealedError):
        sealer.rtp(packet(7, fill=1))
    sealer.rtp(packet(9))
    sealer.rtp(packet(8))  # late, and not yet sent
    with pytest.raises(NotSealedError):
        sealer.rtp(packet(10) + bytes(1500))
    assert drops == Drops()


def test_an_agreement_that_repeats_keys_goes_on_with_their_sessions(drops: Drops) -> None:
    keys = Keys(ours=key(), theirs=key())
    before = Lock(keys, drops)
    sealed = Peer(keys.theirs, sends=True).session.protect(packet(7))
    opened(before.opener, sealed)
    before.sealer.rtp(packet(7))
    after = Lock(Keys(ours=keys.ours, theirs=key()), drops, before)
    assert before.fits(keys)
    assert not before.fits(Keys(ours=keys.ours, theirs=key()))
    with pytest.raises(NotSealedError):
        after.sealer.rtp(packet(7))
    again = Lock(Keys(ours=key(), theirs=keys.theirs), drops, before)
    with pytest.raises(ForgedError):
        opened(again.opener, sealed)
    assert drops.replayed == 1


def test_the_former_key_is_good_until_the_first_packet_under_the_new_one(drops: Drops) -> None:
    ours, old, new = key(), key(), key()
    earlier, later = Peer(old, sends=True).session, Peer(new, sends=True).session
    before = Lock(Keys(ours=ours, theirs=old), drops)
    lock = Lock(Keys(ours=ours, theirs=new), drops, before)
    assert opened(lock.opener, earlier.protect(packet(7))) == packet(7)
    with pytest.raises(ForgedError):
        opened(lock.opener, packet(8))
    assert opened(lock.opener, later.protect(packet(8))) == packet(8)
    with pytest.raises(ForgedError):
        opened(lock.opener, earlier.protect(packet(9)))
    assert (drops.forged, drops.replayed) == (2, 0)


def test_the_key_before_the_former_one_is_good_for_nothing(drops: Drops) -> None:
    first, second, third = key(), key(), key()
    lock = Lock(Keys(ours=first, theirs=first), drops)
    for theirs in (second, third):
        lock = Lock(Keys(ours=first, theirs=theirs), drops, lock)
    with pytest.raises(ForgedError):
        opened(lock.opener, Peer(first, sends=True).session.protect(packet(7)))
    assert opened(lock.opener, Peer(second, sends=True).session.protect(packet(7))) == packet(7)


def test_a_peer_has_only_so_many_streams(drops: Drops) -> None:
    theirs = key()
    peer, opener = Peer(theirs, sends=True), Opener(theirs, drops)
    for ssrc in range(MAX_STREAMS):
        opened(opener, peer.session.protect(packet(7, ssrc=ssrc)))
    with pytest.raises(ForgedError):
        opened(opener, peer.session.protect(packet(7, ssrc=MAX_STREAMS)))
    assert opened(opener, peer.session.protect(packet(8, ssrc=3))) == packet(8, ssrc=3)
    assert drops.forged == 1


def test_what_was_sealed_as_rtcp_parses(drops: Drops) -> None:
    theirs = key(GCM_128)
    sealed = Peer(theirs, sends=True).session.protect_rtcp(RECEIVER_REPORT)
    parse(Opener(theirs, drops).rtcp(sealed))
    assert struct.unpack_from("!I", sealed, 4) == (1,)


def test_without_the_extra_or_the_suite_nothing_is_opened(
    monkeypatch: pytest.MonkeyPatch, drops: Drops
) -> None:
    with pytest.raises(SrtpUnavailableError, match="F8_128"):
        Sealer(MasterKey(suite="F8_128_HMAC_SHA1_80", key=bytes(30)))
    monkeypatch.setattr(srtp, "MODULE", "a_module_that_is_not_there")
    assert not srtp.is_available()
    with pytest.raises(SrtpUnavailableError, match="extra"):
        Lock(Keys(ours=key(), theirs=key()), drops)


def test_no_key_is_shown() -> None:
    secret = MasterKey(suite=CM_80, key=b"thirty octets that nobody sees")
    assert "nobody" not in f"{secret!r} {Keys(ours=secret, theirs=secret)}"
