import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import sqlite

from cdr.connection import open_reading
from cdr.journal import Journal
from cdr.queries import CallFilter, ReadOnly
from cdr.rows import utc
from cdr.schema import calls
from tests.unit.cdr.samples import (
    AT,
    PATH,
    SECOND,
    ended,
    joined,
    opened,
    segment_closed,
    segment_opened,
    whole_call,
)


async def test_pages_are_stable_while_calls_come_in(journal: Journal, reader: ReadOnly) -> None:
    for number in range(1, 6):
        # The clock is set back during this: the order is that of the ledger.
        journal.put(opened(str(number), at=AT - number * SECOND))
    await journal.drain(5)
    first = await reader.calls(limit=2)
    assert [call.id for call in first.calls] == ["call-5", "call-4"]
    journal.put(opened("6"))
    await journal.drain(5)
    second = await reader.calls(limit=2, cursor=first.cursor)
    assert [call.id for call in second.calls] == ["call-3", "call-2"]
    last = await reader.calls(limit=2, cursor=second.cursor)
    assert ([call.id for call in last.calls], last.cursor) == (["call-1"], None)
    assert (await reader.calls(limit=5, cursor=1)).calls == ()


async def test_a_page_that_is_just_full_is_the_last(journal: Journal, reader: ReadOnly) -> None:
    journal.put(opened("1"))
    journal.put(opened("2"))
    await journal.drain(5)
    page = await reader.calls(limit=2)
    assert (len(page.calls), page.cursor) == (2, None)


def test_calls_of_one_extension_are_looked_up_call_by_call(database: Path) -> None:
    query = select(calls.c.id).where(*CallFilter(extensions=("101",)).conditions())
    sql = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with closing(open_reading(database)) as connection:
        plan = [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert plan[-1] == "SEARCH parties USING INDEX ix_parties_call_id (call_id=?)"


@pytest.fixture
async def three_calls(journal: Journal) -> None:
    journal.put(opened("1", src="101", dst="102"))
    journal.put(joined("1"))
    outside = opened("2", at=AT + 10 * SECOND, src="+493012345", dst="101")
    journal.put(replace(outside, direction="incoming", did="4940_99%"))
    journal.put(opened("3", at=AT + 20 * SECOND, src="103", dst="110"))
    journal.put(replace(ended("3"), outcome="not_wanted"))
    await journal.drain(5)


@pytest.mark.usefixtures("three_calls")
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (CallFilter(), ["3", "2", "1"]),
        (CallFilter(number="101"), ["2", "1"]),
        (CallFilter(number="3012"), ["2"]),
        (CallFilter(number="_99%"), ["2"]),
        (CallFilter(number="%"), ["2"]),
        (CallFilter(number="' OR 1=1 --"), []),
        (CallFilter(since=AT + 10 * SECOND), ["3", "2"]),
        (CallFilter(until=AT + 10 * SECOND), ["1"]),
        (CallFilter(outcome="not_wanted"), ["3"]),
        (CallFilter(direction="incoming"), ["2"]),
        (CallFilter(linkedid="unique-1"), ["1"]),
        (CallFilter(extensions=("101", "999")), ["1"]),
        (CallFilter(extensions=()), []),
        (CallFilter(number="10", direction="internal", until=AT + 1), ["1"]),
    ],
)
async def test_filters(reader: ReadOnly, where: CallFilter, expected: list[str]) -> None:
    page = await reader.calls(where=where)
    assert [call.id.removeprefix("call-") for call in page.calls] == expected


async def test_several_segments_are_in_order(journal: Journal, reader: ReadOnly) -> None:
    journal.put(opened())
    for number in (2, 1, 3):
        journal.put(segment_opened(number=number))
    journal.put(segment_closed(number=1))
    await journal.drain(5)
    call = await reader.call("call-1")
    assert call is not None
    assert [segment.number for segment in call.segments] == [1, 2, 3]
    assert [row.number for row in await reader.recordings(limit=2)] == [3, 2]
    assert [row.number for row in await reader.open_segments()] == [2, 3]


async def test_a_recording_is_found_by_id(journal: Journal, reader: ReadOnly) -> None:
    whole_call(journal)
    await journal.drain(5)
    found = await reader.recording("segment-1-1")
    assert found is not None
    assert found.relative_path == PATH
    assert await reader.recording("other") is None
    assert await reader.call("other") is None


async def test_reading_goes_on_while_writing(journal: Journal, reader: ReadOnly) -> None:
    async def write() -> None:
        for number in range(300):
            journal.put(opened(str(number)))
            journal.put(segment_opened(str(number)))
            await asyncio.sleep(0)
        await journal.drain(10)

    seen = [0]
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(write())
        while not writing.done():
            page = await reader.calls(limit=1000)
            seen.append(len(page.calls))
            assert all(len(call.segments) == 1 for call in page.calls), "one moment, one picture"
    assert seen == sorted(seen)
    assert len((await reader.calls(limit=1000)).calls) == 300


def test_times_become_datetimes() -> None:
    assert utc(AT + 250_000) == datetime(2026, 1, 5, 12, 0, 0, 250_000, tzinfo=UTC)
    assert utc(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
