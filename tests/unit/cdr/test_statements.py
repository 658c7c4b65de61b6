from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdr.connection import open_reading
from cdr.records import AuditEntry, Event, new_id
from cdr.statements import STATEMENTS, clean, encode_rows
from tests.unit.cdr.samples import AT, SECOND, binding


def test_every_event_has_its_statement() -> None:
    assert {*STATEMENTS, AuditEntry} == set(get_args(Event))


@pytest.mark.parametrize("kind", STATEMENTS, ids=lambda kind: kind.__name__)
def test_no_statement_looks_at_every_row_of_a_table(database: Path, kind: type) -> None:
    with closing(open_reading(database)) as connection:
        sql = f"EXPLAIN QUERY PLAN {STATEMENTS[kind].sql}"
        plan = [row[-1] for row in connection.execute(sql, ("[]",))]
    assert [step for step in plan if step.startswith("SCAN") and "new" not in step] == []


@given(st.text(st.characters(codec=None)))
def test_cleaned_text_can_be_stored_and_is_otherwise_untouched(text: str) -> None:
    cleaned = clean(text)
    assert "\0" not in cleaned
    cleaned.encode("utf-8")
    assert len(cleaned) == len(text)
    if cleaned != text:
        assert any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    values=st.lists(
        st.tuples(
            st.text(st.characters(codec=None)),
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.floats(0, 1e9, allow_nan=False),
        ),
        max_size=5,
    )
)
def test_rows_come_out_as_they_went_in(
    empty_database: Path, values: list[tuple[str, int | None, float | None]]
) -> None:
    picked = ", ".join(f"json_extract(value, '$[{index}]')" for index in range(3))
    with closing(open_reading(empty_database)) as connection:
        found = connection.execute(
            f"SELECT {picked} FROM json_each(?)",  # noqa: S608 - of our own making
            (encode_rows([tuple(value) for value in values]),),
        ).fetchall()
    for row, (text, number, real) in zip(found, values, strict=True):
        assert row[:2] == (clean(text), number)
        assert row[2] == (real if real is None else pytest.approx(real))


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
