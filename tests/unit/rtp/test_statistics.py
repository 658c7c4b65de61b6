import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.statistics import Drops, ReceivedStream


def observe(stream: ReceivedStream, *sequences: int, ssrc: int = 1) -> None:
    for number, sequence in enumerate(sequences):
        stream.observe(
            sequence=sequence, timestamp=160 * sequence, ssrc=ssrc, arrival_ns=number, length=172
        )


def test_nothing_received_is_nothing_lost() -> None:
    stream = ReceivedStream()
    assert (stream.packets, stream.lost, stream.octets) == (0, 0, 0)
    assert not stream.continues(0, 1)


def test_a_stream_in_order_across_the_wrap() -> None:
    stream = ReceivedStream()
    observe(stream, 65534, 65535, 0, 1)
    assert (stream.packets, stream.lost, stream.octets) == (4, 0, 4 * 172)
    assert stream.highest_sequence == 1


@pytest.mark.parametrize(
    ("sequences", "packets", "lost"),
    [
        ((1, 2, 5, 6), 4, 2),
        ((1, 3, 2, 4), 4, 0),
        ((1, 2, 2, 2, 3), 5, 0),
        ((65530, 5), 2, 10),
        ((65535, 0, 65534, 1), 4, 0),
        ((1, 2, 5000, 5001), 4, 0),
        ((5000, 5001, 2, 3), 4, 0),
    ],
    ids=["gap", "late", "twice", "gap over the wrap", "late over it", "jump", "jump back"],
)
def test_losses_by_sequence_number(sequences: tuple[int, ...], packets: int, lost: int) -> None:
    stream = ReceivedStream()
    observe(stream, *sequences)
    assert (stream.packets, stream.lost) == (packets, lost)


def test_another_ssrc_begins_anew_and_keeps_the_totals() -> None:
    stream = ReceivedStream()
    observe(stream, 10, 12)
    observe(stream, 500, 501, 504, ssrc=2)
    assert (stream.packets, stream.lost) == (5, 3)
    assert stream.continues(505, 2)
    assert not stream.continues(13, 1)


@given(st.integers(0, 65535), st.lists(st.booleans(), min_size=1, max_size=500))
def test_a_lossy_stream_adds_up(start: int, arrived: list[bool]) -> None:
    arrived = [True, *arrived, True]
    stream = ReceivedStream()
    observe(stream, *((start + i) & 0xFFFF for i, here in enumerate(arrived) if here))
    assert stream.packets == sum(arrived)
    assert stream.packets + stream.lost == len(arrived)


def test_the_fast_path_needs_only_the_next_number() -> None:
    stream = ReceivedStream()
    observe(stream, 7)
    stream.next_sequence += 5  # as the handlers do, per packet
    assert (stream.packets, stream.lost, stream.highest_sequence) == (6, 0, 12)


def test_drops_are_added_by_reason() -> None:
    total = Drops(malformed=1)
    total.add(Drops(malformed=2, wrong_source=3, unsent=4))
    assert total == Drops(malformed=3, wrong_source=3, unsent=4)
    assert total.packets == 6
