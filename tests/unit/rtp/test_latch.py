import pytest

from rtp.latch import MAX_CANDIDATES, Latch, LatchMode, Resumption, Source, Verdict

SIGNALLED = ("192.0.2.1", 4000)
OTHER_PORT = ("192.0.2.1", 4444)
STRANGER = ("198.51.100.9", 4000)


@pytest.mark.parametrize("mode", list(LatchMode))
def test_what_sdp_named_latches_at_once(mode: LatchMode) -> None:
    assert Latch(mode, SIGNALLED).offer(SIGNALLED, 1, 10) is Verdict.LATCHED


@pytest.mark.parametrize(
    ("mode", "source", "first", "second"),
    [
        (LatchMode.EXACT, OTHER_PORT, Verdict.WRONG_SOURCE, Verdict.WRONG_SOURCE),
        (LatchMode.EXACT, STRANGER, Verdict.WRONG_SOURCE, Verdict.WRONG_SOURCE),
        (LatchMode.SAME_ADDRESS, OTHER_PORT, Verdict.PROBATION, Verdict.LATCHED),
        (LatchMode.SAME_ADDRESS, STRANGER, Verdict.WRONG_SOURCE, Verdict.WRONG_SOURCE),
        (LatchMode.NAT, OTHER_PORT, Verdict.PROBATION, Verdict.LATCHED),
        (LatchMode.NAT, STRANGER, Verdict.PROBATION, Verdict.LATCHED),
    ],
)
def test_modes(mode: LatchMode, source: Source, first: Verdict, second: Verdict) -> None:
    latch = Latch(mode, SIGNALLED)
    assert latch.offer(source, 1, 65535) is first
    assert latch.offer(source, 1, 0) is second


def test_behind_a_nat_the_media_comes_from_where_the_signalling_comes_from() -> None:
    latch = Latch(LatchMode.NAT, SIGNALLED, signalling=STRANGER[0])
    assert latch.offer(("203.0.113.66", 4000), 1, 1) is Verdict.WRONG_SOURCE
    assert latch.offer(STRANGER, 1, 1) is Verdict.PROBATION
    assert latch.offer(OTHER_PORT, 1, 1) is Verdict.PROBATION
    assert latch.offer(STRANGER, 1, 2) is Verdict.LATCHED


def test_probation_wants_two_consecutive_packets_of_one_stream() -> None:
    latch = Latch(LatchMode.NAT, SIGNALLED)
    for ssrc, sequence in ((1, 10), (1, 12), (1, 14), (2, 15), (1, 16)):
        assert latch.offer(STRANGER, ssrc, sequence) is Verdict.PROBATION
    assert latch.offer(STRANGER, 1, 17) is Verdict.LATCHED


def test_a_spray_of_sources_is_forgotten_again() -> None:
    latch = Latch(LatchMode.NAT, SIGNALLED)
    latch.offer(STRANGER, 1, 10)
    for port in range(MAX_CANDIDATES):
        latch.offer(("203.0.113.5", 10_000 + port), 9, 1)
    assert latch.offer(STRANGER, 1, 11) is Verdict.PROBATION
    assert latch.offer(STRANGER, 1, 12) is Verdict.LATCHED


def test_after_silence_only_the_same_stream_from_an_allowed_source() -> None:
    known = Resumption(source=OTHER_PORT, ssrc=1, sequence=65000)
    latch = Latch(LatchMode.NAT, SIGNALLED, known, strict=True)
    assert latch.offer(STRANGER, 2, 65001) is Verdict.WRONG_SSRC
    assert latch.offer(STRANGER, 1, 64999) is Verdict.WRONG_SSRC
    assert latch.offer(STRANGER, 1, (65000 + 3000) & 0xFFFF) is Verdict.WRONG_SSRC
    assert latch.offer(STRANGER, 1, (65000 + 2990) & 0xFFFF) is Verdict.PROBATION
    assert latch.offer(STRANGER, 1, (65000 + 2991) & 0xFFFF) is Verdict.LATCHED


def test_silence_alone_makes_nobody_a_stranger() -> None:
    known = Resumption(source=STRANGER, ssrc=1, sequence=7)
    latch = Latch(LatchMode.NAT, SIGNALLED, known, strict=True)
    assert latch.offer(STRANGER, 77, 9) is Verdict.LATCHED


def test_strictness_without_a_known_stream_asks_nothing_more() -> None:
    latch = Latch(LatchMode.NAT, SIGNALLED, None, strict=True)
    assert latch.offer(SIGNALLED, 5, 5) is Verdict.LATCHED
