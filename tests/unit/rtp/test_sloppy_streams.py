"""Streams as pyVoIP sends them (docs/sloppy-peers.md)."""

import itertools

from tests.unit.rtp.test_relay import Side, packet

PCMU = {0: 0}


def without_sequence(timestamp: int, ssrc: int = 11) -> bytes:
    """The packet that pyVoIP sends when its sequence number wraps: 170 octets, one field less."""
    return bytes((0x80, 0)) + timestamp.to_bytes(4, "big") + ssrc.to_bytes(4, "big") + b"a" * 160


def test_the_wrap_of_the_numbers_costs_one_packet_and_no_more() -> None:
    side = Side()
    side.join(PCMU)
    side.feed(*(packet(number, payload_type=0) for number in range(65_530, 65_536)))
    before = side.heard()
    odd = without_sequence(160 * 65_536)
    assert len(odd) == 170
    side.feed(odd)
    side.heard()
    side.feed(*(packet(number, payload_type=0) for number in range(65_537, 65_560)))
    after = side.heard()
    assert {header.ssrc for header in after} == {before[-1].ssrc}, "it is the same stream"
    assert len(after) >= 22
    steps = [(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(after)]
    assert set(steps) == {1}


def test_two_senders_of_one_stream_after_a_reinvite_are_one_stream() -> None:
    """Each re-INVITE starts another thread that sends, with numbers of their common counter."""
    side = Side()
    side.join(PCMU)
    side.feed(*(packet(number, payload_type=0) for number in range(1, 10)))
    first = side.heard()
    doubled = [
        packet(number, payload_type=0, timestamp=160 * (10 + index // 2))
        for index, number in enumerate(range(10, 30))
    ]
    side.feed(*doubled, step_ns=10_000_000)
    heard = side.heard()
    assert len(heard) == len(doubled)
    assert {header.ssrc for header in heard} == {first[0].ssrc}
    assert heard[-1].timestamp - heard[0].timestamp == 160 * 9, "time goes by the timestamps"
