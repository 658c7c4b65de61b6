import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from cdr.connection import open_reading
from cdr.errors import StoreError
from cdr.journal import Journal
from cdr.own_reading import (
    every_extension,
    every_prompt,
    living_bindings,
    open_calls,
    open_segments,
    read,
)
from cdr.queries import ReadOnly
from cdr.records import PromptInstalled
from cdr.store import prepare
from tests.unit.cdr.samples import AT, added, binding, joined, opened, segment_opened

PROMPT = PromptInstalled(
    actor="cli:root",
    at=AT,
    id="consent/de/1",
    name="consent",
    language="de",
    version=1,
    sha256="e" * 64,
    duration_ms=4_321,
)


def test_a_new_database_has_nothing(tmp_path: Path) -> None:
    database = tmp_path / "100% a?b#c.db"
    prepare(database)
    queries = (every_extension(), living_bindings(0), open_calls(), open_segments())
    assert [read(database, query) for query in queries] == [(), (), (), ()]


def test_what_can_t_be_read_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be read: unable to open"):
        read(tmp_path / "nothing.db", every_extension())
    assert not (tmp_path / "nothing.db").exists()


async def test_what_pages_and_commands_read_is_the_same(
    database: Path, journal: Journal, reader: ReadOnly
) -> None:
    await journal.execute(replace(added("101"), user_may_stop=True))
    await journal.execute(PROMPT)
    journal.put(binding())
    journal.put(opened())
    journal.put(joined())
    journal.put(segment_opened())
    await journal.drain(5)
    (extension,) = read(database, every_extension())
    assert extension.user_may_stop is True
    assert await reader.extensions() == (extension,)
    assert await reader.prompts() == read(database, every_prompt())
    assert await reader.bindings(AT) == read(database, living_bindings(AT))
    segments = read(database, open_segments())
    assert [segment.recovered for segment in segments] == [False]
    assert await reader.open_segments() == segments
    (call,) = await reader.open_calls()
    assert read(database, open_calls()) == (replace(call, segments=(), parties=()),)
    assert len(call.segments) == len(call.parties) == 1


def test_a_reading_can_t_write(database: Path) -> None:
    with (
        closing(open_reading(database)) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("DELETE FROM calls")
