"""Reports of one leg: when, what they say, and what is learnt from the peer's."""

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from rtp.reporting import Reporter, Sent, fraction_lost, interval_ns
from rtp.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    parse,
)
from rtp.statistics import NO_SSRC, ReceivedStream

SECOND = 1_000_000_000
UNIX_S = 1_700_000_000
OURS, THEIRS, RANDOM = 0xAAAA, 0xBBBB, 0xCCCC
NOTHING = Sent(ssrc=NO_SSRC, packets=0, octets=0, timestamp=0, at_ns=0)


def block(last_sr: int = 0, **changes: int) -> ReportBlock:
    usual = ReportBlock(
        ssrc=OURS,
        fraction_lost=0,
        cumulative_lost=0,
        highest_sequence=0,
        jitter=0,
        last_sr=last_sr,
        delay_since_last_sr=0,
    )
    return usual._replace(**changes)


@dataclass
class Party:
    """A reporter and the streams that it looks at; time is turned by hand."""

    received: ReceivedStream = field(default_factory=ReceivedStream)
    sent: Sent = NOTHING
    now: int = 100 * SECOND
    chance: float = 0.5

    def __post_init__(self) -> None:
        self.reporter = Reporter(
            self.received,
            cname=b"random",
            ssrc=RANDOM,
            wall_ns=UNIX_S * SECOND,
            random=lambda: self.chance,
        )

    def hear(self, *sequences: int, ssrc: int = THEIRS) -> None:
        for sequence in sequences:
            self.received.observe(
                sequence=sequence & 0xFFFF,
                timestamp=160 * sequence,
                ssrc=ssrc,
                arrival_ns=self.now,
                length=172,
            )

    def say(self, packets: int) -> None:
        total = self.sent.packets + packets
        self.sent = Sent(
            ssrc=OURS, packets=total, octets=160 * total, timestamp=160 * total, at_ns=self.now
        )

    def turn(self, after_s: float = 0.5) -> bytes | None:
        self.now += int(after_s * SECOND)
        if not self.reporter.turn(self.now, self.sent.ssrc):
            return None
        return self.reporter.report(self.now, self.sent)

    def report(self) -> SenderReport | ReceiverReport:
        """The next report, in half seconds."""
        for _ in range(20):
            compound = self.turn()
            if compound is not None:
                report = parse(compound)[0]
                assert isinstance(report, SenderReport | ReceiverReport)
                return report
        raise AssertionError("no report in ten seconds")


def test_nobody_reports_on_nothing() -> None:
    party = Party()
    assert [party.turn() for _ in range(100)] == [None] * 100
    assert party.reporter.goodbye(party.now, party.sent) is None


def test_intervals_are_those_of_the_rfc() -> None:
    drawn = [interval_ns(random.Random(n).random, first=False) / SECOND for n in range(2000)]
    assert 2.05 < min(drawn) < 2.1
    assert 6.1 < max(drawn) < 6.16
    assert sum(drawn) / len(drawn) == pytest.approx(5.0 / 1.21828, rel=0.02)
    assert interval_ns(lambda: 0.5, first=True) == int(2.5 / 1.21828 * SECOND)


def test_the_first_report_counts_from_the_first_packet_and_not_from_the_first_look() -> None:
    party = Party()
    party.say(1)
    party.reporter.begin(party.now)
    first = interval_ns(lambda: party.chance, first=True) / SECOND
    assert party.turn(1.0) is None
    assert party.turn(first - 1.01) is None
    assert party.turn(0.02) is not None


def test_reports_come_by_the_timer_whatever_the_peer_sends() -> None:
    party = Party()
    party.say(1)
    due = []
    for tenth in range(200):
        party.reporter.take((ReceiverReport(ssrc=THEIRS, blocks=(block(),)),), party.now, OURS)
        if party.turn(0.1) is not None:
            due.append(tenth / 10)
    assert due[0] == pytest.approx(2.05, abs=0.11)
    steps = [b - a for a, b in pairwise(due)]
    assert steps == [pytest.approx(4.1, abs=0.11)] * 4


def test_a_sender_tells_where_its_stream_is() -> None:
    party = Party()
    party.say(50)
    party.now += SECOND // 2
    report = party.report()
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.packets, report.octets, report.blocks) == (OURS, 50, 8000, ())
    elapsed_ns = party.now - party.sent.at_ns
    assert report.timestamp == 8000 + elapsed_ns * 8000 // SECOND
    seconds = report.ntp / 2**32 - 2_208_988_800 - UNIX_S
    assert seconds == pytest.approx(party.now / SECOND, abs=1e-5)


def test_who_sends_nothing_any_more_is_a_receiver_after_two_reports() -> None:
    party = Party()
    party.say(50)
    kinds = [type(party.report()) for _ in range(4)]
    assert kinds == [SenderReport, SenderReport, ReceiverReport, ReceiverReport]
    party.say(1)
    assert isinstance(party.report(), SenderReport)


def test_a_mere_receiver_has_a_random_ssrc_and_a_name_that_tells_nothing() -> None:
    party = Party()
    party.hear(1)
    compound = None
    while compound is None:
        compound = party.turn()
    report, description = parse(compound)
    assert isinstance(report, ReceiverReport)
    assert report.ssrc == RANDOM
    assert isinstance(description, SourceDescription)
    assert [(c.ssrc, c.cname) for c in description.chunks] == [(RANDOM, b"random")]


def test_losses_are_told_for_the_interval_and_in_all() -> None:
    party = Party()
    party.hear(65530, 65531, 65533, 65534)
    (first,) = party.report().blocks
    assert (first.ssrc, first.cumulative_lost, first.highest_sequence) == (THEIRS, 1, 65534)
    assert first.fraction_lost == 256 // 5
    party.hear(65535, 65536, 65538, 65540)
    (second,) = party.report().blocks
    assert (second.cumulative_lost, second.highest_sequence) == (3, 0x1_0004)
    assert second.fraction_lost == 256 * 2 // 6
    (third,) = party.report().blocks
    assert (third.cumulative_lost, third.fraction_lost) == (3, 0)


def test_packets_that_came_twice_make_the_number_negative() -> None:
    party = Party()
    party.hear(1, 2, 2, 2, 3)
    (told,) = party.report().blocks
    assert (told.cumulative_lost, told.fraction_lost) == (-2, 0)


def test_another_ssrc_is_reported_on_anew() -> None:
    party = Party()
    party.hear(1, 2, 5)
    party.report()
    party.hear(900, 901, 903, 904, ssrc=7)
    (told,) = party.report().blocks
    assert (told.ssrc, told.cumulative_lost, told.fraction_lost) == (7, 1, 256 // 5)


def test_more_loss_than_24_bits_hold_is_clamped(monkeypatch: pytest.MonkeyPatch) -> None:
    party = Party()
    party.hear(1)
    monkeypatch.setattr(ReceivedStream, "expected", 0x100_0000)
    (told,) = party.report().blocks
    assert told.cumulative_lost == 0x7F_FFFF
    assert told.fraction_lost == 255


@pytest.mark.parametrize(
    ("expected", "arrived", "told"),
    [(0, 0, 0), (100, 100, 0), (100, 103, 0), (-5, 0, 0), (4, 3, 64), (100, 0, 255)],
)
def test_a_fraction_fits_its_octet(expected: int, arrived: int, told: int) -> None:
    assert fraction_lost(expected, arrived) == told


def test_jitter_is_told_in_units_of_the_timestamp() -> None:
    party = Party()
    for number in range(12):
        party.hear(number * 25)
        party.received.arrival_ns += 5_000_000 * (number % 2)
        compound = party.turn()
    assert compound is None
    (told,) = party.report().blocks
    assert told.jitter == pytest.approx(40, abs=1)
    assert party.reporter.figures.jitter_ms == pytest.approx(5.0)


def test_a_sender_report_of_the_peer_is_referred_to() -> None:
    party = Party()
    party.hear(1)
    theirs = SenderReport(ssrc=THEIRS, ntp=0x1234_5678_9ABC_DEF0, timestamp=0, packets=0, octets=0)
    party.reporter.take((theirs,), party.now, NO_SSRC)
    heard = party.now
    (told,) = party.report().blocks
    assert told.last_sr == 0x5678_9ABC
    assert told.delay_since_last_sr == (party.now - heard) * 65_536 // SECOND
    party.hear(1, ssrc=7)
    (told,) = party.report().blocks
    assert (told.ssrc, told.last_sr, told.delay_since_last_sr) == (7, 0, 0)


def test_the_way_there_and_back_is_without_the_peers_thinking_time() -> None:
    party = Party()
    party.say(1)
    report = party.report()
    assert isinstance(report, SenderReport)
    answer = block(report.middle_ntp, delay_since_last_sr=65_536, cumulative_lost=3, jitter=80)
    party.now += SECOND + 40_000_000
    party.reporter.take((ReceiverReport(ssrc=9, blocks=(answer,)),), party.now, OURS)
    figures = party.reporter.figures
    assert figures.round_trip_ms == pytest.approx(40.0, abs=0.02)
    assert (figures.peer_lost, figures.peer_jitter_ms) == (3, 10.0)


@pytest.mark.parametrize(
    ("after_s", "delay", "shift"),
    [(1.0, 0, 1), (1.0, 2 * 65_536, 0), (61.0, 0, 0)],
    ids=["a report that we never made", "a delay that can't be", "long ago"],
)
def test_an_answer_that_can_not_be_true_is_no_measurement(
    after_s: float, delay: int, shift: int
) -> None:
    party = Party()
    party.say(1)
    report = party.report()
    assert isinstance(report, SenderReport)
    answer = block(report.middle_ntp + shift, delay_since_last_sr=delay)
    party.now += int(after_s * SECOND)
    party.reporter.take((ReceiverReport(ssrc=9, blocks=(answer,)),), party.now, OURS)
    assert party.reporter.figures.round_trip_ms is None


def test_a_rounded_delay_is_no_time_at_all() -> None:
    party = Party()
    party.say(1)
    report = party.report()
    assert isinstance(report, SenderReport)
    answer = block(report.middle_ntp, delay_since_last_sr=33)
    party.reporter.take((ReceiverReport(ssrc=9, blocks=(answer,)),), party.now, OURS)
    assert party.reporter.figures.round_trip_ms == 0.0


def test_what_is_said_of_other_streams_is_not_ours_to_hear() -> None:
    party = Party()
    party.say(1)
    blocks = (block(cumulative_lost=9, ssrc=1), block(cumulative_lost=9, ssrc=2))
    party.reporter.take((ReceiverReport(ssrc=9, blocks=blocks),), party.now, OURS)
    party.reporter.take((Goodbye(sources=(THEIRS,)),), party.now, OURS)
    assert party.reporter.figures.peer_lost is None
    assert party.reporter.figures.peer_jitter_ms is None


def test_the_last_compound_says_goodbye() -> None:
    party = Party()
    party.say(10)
    compound = party.reporter.goodbye(party.now, party.sent)
    assert compound is not None
    report, description, leaving = parse(compound)
    assert isinstance(report, SenderReport)
    assert isinstance(description, SourceDescription)
    assert leaving == Goodbye(sources=(OURS,))


def test_a_receiver_that_has_never_reported_says_no_goodbye() -> None:
    party = Party()
    party.hear(1)
    assert party.reporter.goodbye(party.now, party.sent) is None
    party.report()
    compound = party.reporter.goodbye(party.now, party.sent)
    assert compound is not None
    assert parse(compound)[2] == Goodbye(sources=(RANDOM,))
