import random
from itertools import pairwise

import pytest

from rtp.jitter import GAIN, Jitter
from rtp.statistics import ReceivedStream

SECOND = 1_000_000_000


class Stream:
    """A received stream and looks at it, every half second."""

    def __init__(self, clock_rate: int = 8000) -> None:
        self.received = ReceivedStream()
        self.jitter = Jitter()
        self.clock_rate = clock_rate
        self.number = 0

    def look(self, late_ms: float = 0.0, *, jump: int = 0, ssrc: int = 1) -> None:
        self.number += 25
        sent_ns = self.number * 20_000_000
        self.received.observe(
            sequence=self.number & 0xFFFF,
            timestamp=(self.number * self.clock_rate // 50 + 0xFFFF_FF00 + jump) & 0xFFFF_FFFF,
            ssrc=ssrc,
            arrival_ns=sent_ns + int(late_ms * 1e6) + SECOND,
            length=172,
        )
        self.jitter.sample(self.received, self.clock_rate)


def test_without_two_packets_there_is_no_jitter() -> None:
    stream = Stream()
    assert stream.jitter.mean_s is None
    stream.look()
    stream.jitter.sample(stream.received, 8000)  # nothing new
    assert stream.jitter.mean_s is None
    assert stream.jitter.estimate_s == 0.0


@pytest.mark.parametrize("clock_rate", [8000, 16_000, 48_000])
def test_a_steady_stream_has_none_at_any_rate_and_over_the_wrap(clock_rate: int) -> None:
    stream = Stream(clock_rate)
    for _ in range(20):
        stream.look(late_ms=30.0)
    assert stream.jitter.mean_s == pytest.approx(0.0, abs=1e-6)


def test_packets_late_in_turns_differ_by_what_they_are_late() -> None:
    stream = Stream()
    for number in range(9):
        stream.look(late_ms=10.0 * (number % 2))
    assert stream.jitter.mean_s == pytest.approx(0.010)
    assert stream.jitter.estimate_s == pytest.approx(0.010)


def test_the_estimate_follows_slowly_and_the_mean_is_of_all() -> None:
    stream = Stream()
    for _ in range(GAIN + 1):
        stream.look()
    stream.look(late_ms=16.0)
    assert stream.jitter.estimate_s == pytest.approx(0.001)
    assert stream.jitter.mean_s == pytest.approx(0.016 / (GAIN + 1))


def test_samples_of_independent_delays_say_what_every_packet_would() -> None:
    source = random.Random(4)
    every = [source.uniform(0.0, 0.020) for _ in range(20_000)]
    neighbours = [abs(b - a) for a, b in pairwise(every)]
    stream = Stream()
    for late in every[::25]:
        stream.look(late_ms=late * 1e3)
    assert stream.jitter.mean_s == pytest.approx(sum(neighbours) / len(neighbours), rel=0.1)


def test_another_ssrc_and_a_jump_begin_anew() -> None:
    stream = Stream()
    stream.look()
    stream.look(ssrc=2, late_ms=50.0)
    stream.look(ssrc=2, late_ms=50.0, jump=80_000)
    stream.look(ssrc=2, late_ms=50.0, jump=80_000)
    assert stream.jitter.mean_s == pytest.approx(0.0, abs=1e-6)


def test_a_packet_whose_timestamp_is_not_its_own_is_not_looked_at() -> None:
    stream = Stream()
    stream.look()
    late_ns = stream.received.arrival_ns + SECOND // 4
    stream.received.observe(sequence=24, timestamp=5, ssrc=1, arrival_ns=late_ns, length=172)
    stream.jitter.sample(stream.received, 8000)
    assert stream.jitter.mean_s is None
    stream.look()
    assert stream.jitter.mean_s == pytest.approx(0.0, abs=1e-6)
