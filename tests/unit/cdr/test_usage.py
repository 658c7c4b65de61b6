from dataclasses import replace
from datetime import date

import pytest

from cdr.journal import Journal
from cdr.queries import ReadOnly
from cdr.usage import (
    DAY_US,
    DayUsage,
    growth,
    minutes_left,
    planned_octets,
    size_text,
    window_start,
)
from tests.unit.cdr.samples import AT, segment_closed, segment_opened

TODAY = AT // DAY_US


def used(day: int, octets: int = 1_000_000, seconds: float = 300.0) -> DayUsage:
    return DayUsage(day=day, octets=octets, seconds=seconds)


def test_days_without_recordings_count() -> None:
    found = growth([used(TODAY - 3), used(TODAY)], AT)
    assert (found.days, found.octets_per_day, found.minutes_per_day) == (4, 500_000, 2.5)
    assert found.days_until_full(5_000_000) == 10


def test_what_is_older_than_the_window_or_in_the_future_does_not_count() -> None:
    found = growth([used(TODAY - 28), used(TODAY - 27), used(TODAY + 1)], AT)
    assert (found.days, found.octets_per_day) == (28, 1_000_000 / 28)
    assert window_start(AT) // DAY_US == TODAY - 27


def test_without_recordings_nothing_grows() -> None:
    found = growth([], AT)
    assert (found.days, found.days_until_full(1)) == (0, None)
    assert found.full_on(1, date(2026, 1, 5)) is None


def test_the_day_when_the_disk_is_full() -> None:
    found = growth([used(TODAY)], AT)
    assert found.full_on(10_500_000, date(2026, 1, 5)) == date(2026, 1, 15)
    assert found.full_on(999_999, date(2026, 1, 5)) == date(2026, 1, 5)
    assert found.full_on(10_000_000_000, date(2026, 1, 5)) is None


def test_sizes_are_decimal() -> None:
    assert [size_text(n) for n in (0, 999, 1500, 400_000_000)] == [
        "0 B",
        "999 B",
        "1.5 KB",
        "400 MB",
    ]
    assert minutes_left(400_000_000) == 2000


def test_the_promise_of_200_kilobytes_a_minute() -> None:
    assert planned_octets(2000, 1) == 400_000_000
    assert planned_octets(2000, 365) == 146_000_000_000


async def test_usage_is_summed_by_day(journal: Journal, reader: ReadOnly) -> None:
    days = [(1, AT), (2, AT + 5), (3, AT + DAY_US), (4, AT - DAY_US)]
    for number, at in days:
        journal.put(replace(segment_opened(number=number), started_at=at))
        journal.put(segment_closed(number=number))
    journal.put(replace(segment_opened(number=5), started_at=AT))
    lost = replace(segment_closed(number=5), state="failed", relative_path=None, octets=0)
    journal.put(replace(lost, duration_s=0.0))
    assert await journal.drain(5)
    usage = await reader.usage(AT)
    assert [(day.day, day.octets) for day in usage] == [(TODAY, 2 * 44_928), (TODAY + 1, 44_928)]
    assert usage[0].seconds == pytest.approx(2 * 14.96)
    stored = await reader.stored()
    assert (stored.recordings, stored.octets) == (4, 4 * 44_928)


async def test_an_empty_database_stores_nothing(reader: ReadOnly) -> None:
    assert await reader.usage(0) == ()
    assert (await reader.stored()).octets == 0
