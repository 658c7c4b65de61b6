from typing import cast

import pytest

from b2bua.calls.call_record import CallRecord
from b2bua.calls.leg_quality import leg_mos
from b2bua.calls.party import Party
from b2bua.media.from_worker import LegReleased
from cdr.journal import Journal
from cdr.records import PartyLeft

WORDS = LegReleased(
    leg_id=1,
    packets_received=980,
    packets_sent=1000,
    packets_dropped=0,
    packets_lost=20,
    jitter_ms=3.5,
    round_trip_ms=42.0,
)


class Kept:
    """Stands for the journal."""

    def __init__(self) -> None:
        self.records: list[object] = []

    def put(self, record: object) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def left(kept: Kept, statistics: LegReleased | None, *, g711: bool = True) -> PartyLeft:
    record = CallRecord(cast("Journal", kept), lambda: 0.0)
    record.join(Party(number="101"), side=0)
    record.leave(0, statistics, g711=g711)
    row = kept.records[-1]
    assert isinstance(row, PartyLeft)
    return row


def test_a_party_leaves_with_what_its_line_was_worth(kept: Kept) -> None:
    row = left(kept, WORDS)
    assert (row.jitter_ms, row.round_trip_ms, row.mos) == (3.5, 42.0, leg_mos(WORDS))
    assert row.mos == pytest.approx(4.235, abs=0.001)


def test_a_codec_without_constants_has_no_score(kept: Kept) -> None:
    row = left(kept, WORDS, g711=False)
    assert (row.jitter_ms, row.round_trip_ms, row.mos) == (3.5, 42.0, None)


def test_a_worker_that_died_said_nothing(kept: Kept) -> None:
    row = left(kept, None)
    assert (row.packets_lost, row.jitter_ms, row.round_trip_ms, row.mos) == (None,) * 4
