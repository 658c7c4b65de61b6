import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdr.connection import open_reading
from cdr.records import AuditEntry, Event, new_id
from cdr.statements import MOST_ROWS, STATEMENTS, clean, delete, insert, update, upsert
from tests.unit.cdr.samples import AT, SECOND, binding

TEXT = st.text(st.characters(codec=None))


def test_every_event_has_its_statement() -> None:
    assert {*STATEMENTS, AuditEntry} == set(get_args(Event))


@pytest.mark.parametrize("room", [1, 2, MOST_ROWS])
@pytest.mark.parametrize("kind", STATEMENTS, ids=lambda kind: kind.__name__)
def test_no_statement_looks_at_every_row_of_a_table(database: Path, kind: type, room: int) -> None:
    sql = STATEMENTS[kind].sql
    with closing(open_reading(database)) as connection:
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN {sql.text(room)}", [0] * (room * sql.width)
        ).fetchall()
    steps = [row[-1] for row in plan]
    table = sql.head.removeprefix("INSERT INTO ").removeprefix("UPDATE ").split()[0]
    assert [step for step in steps if step.startswith(("SCAN " + table, "SEARCH new"))] == []


@given(TEXT)
def test_cleaned_text_can_be_stored_and_is_otherwise_untouched(text: str) -> None:
    cleaned = clean(text)
    assert "\0" not in cleaned
    cleaned.encode("utf-8")
    assert len(cleaned) == len(text)
    if cleaned != text:
        assert any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in text)


VALUES = (
    TEXT
    | st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@given(rows=st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=3 * MOST_ROWS))
def test_rows_are_stored_as_they_are(rows: list[tuple[object, ...]]) -> None:
    numbered = [(number, *row) for number, row in enumerate(rows)]
    columns = ("number", "a", "b", "c")
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE kept ({', '.join(columns)})")
        assert insert("kept", columns).run(connection, numbered) == len(rows)
        stored = connection.execute("SELECT * FROM kept ORDER BY rowid").fetchall()
    assert stored == [
        tuple(clean(each) if isinstance(each, str) else each for each in row) for row in numbered
    ]


@given(
    counts=st.lists(st.integers(0, 80), unique=True, max_size=70),
    changed=st.lists(st.integers(0, 80), unique=True, max_size=70),
)
def test_changes_concern_the_rows_that_are_there(counts: list[int], changed: list[int]) -> None:
    both = set(counts) & set(changed)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE kept (id PRIMARY KEY, a, b DEFAULT 0)")
        insert("kept", ("id", "a")).run(connection, [(number, "old") for number in counts])
        rows = [(number, "new") for number in changed]
        assert update("kept", "id", ("a",), ", b = 1").run(connection, rows) == len(both)
        stored = connection.execute("SELECT * FROM kept").fetchall()
        assert sorted(stored) == sorted(
            (number, "new", 1) if number in both else (number, "old", 0) for number in counts
        )
        assert upsert("kept", ("id",), ("id", "a")).run(connection, rows) == len(rows)
        assert delete("kept", ("id",)).run(connection, [row[:1] for row in rows]) == len(rows)
        left = {number for (number,) in connection.execute("SELECT id FROM kept")}
        assert left == {*counts} - {*changed}


@pytest.mark.parametrize("value", [b"octets", object(), [1], 2**63])
def test_what_is_no_value_is_refused(value: object) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE kept (a)")
        with pytest.raises((TypeError, OverflowError)):
            insert("kept", ("a",)).run(connection, [(value,)])


def test_a_refresh_replaces_every_column_of_a_binding() -> None:
    statement = STATEMENTS[type(binding())]
    rows = statement.rows([binding(1), replace(binding(2), user_agent="new")])
    assert len(rows) == 1
    assert "new" in rows[0]


def test_ids_are_in_order_and_differ() -> None:
    first, second = new_id(AT), new_id(AT + SECOND)
    assert first < second
    assert len({new_id(AT) for _ in range(1000)}) == 1000
    assert len(new_id()) == len(first) == 24
