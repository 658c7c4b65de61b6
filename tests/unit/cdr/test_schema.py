"""What is written and read without SQLAlchemy keeps to its tables (`cdr/schema.py`)."""

from dataclasses import fields
from types import NoneType
from typing import get_args

import pytest
from sqlalchemy import Boolean, Table

from cdr import schema
from cdr.rows import (
    AuditRow,
    BindingRow,
    CallRow,
    EvidenceRow,
    ExtensionRow,
    PartyRow,
    PromptRow,
    SegmentRow,
    SessionRow,
    TokenRow,
    UserRow,
    column_names,
    value,
)

KINDS: dict[type, Table] = {
    AuditRow: schema.audit,
    BindingRow: schema.bindings,
    CallRow: schema.calls,
    EvidenceRow: schema.evidence,
    ExtensionRow: schema.extensions,
    PartyRow: schema.parties,
    PromptRow: schema.prompts,
    SegmentRow: schema.segments,
    SessionRow: schema.sessions,
    TokenRow: schema.tokens,
    UserRow: schema.users,
}


def test_every_table_has_its_kind_of_row() -> None:
    assert {*KINDS.values(), schema.meta} == {*schema.metadata.tables.values()}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_row_has_the_columns_of_its_table(kind: type) -> None:
    columns = KINDS[kind].columns
    assert set(column_names(kind)) == {*columns.keys()}
    types = {each.name: each.type for each in fields(kind) if each.name in columns}
    assert {name for name in types if types[name] in (bool, bool | None)} == {
        column.name for column in columns if isinstance(column.type, Boolean)
    }
    assert {name for name in types if NoneType in get_args(types[name])} == {
        column.name for column in columns if column.nullable
    }


def test_a_value_says_yes_and_no_where_sqlite_has_numbers() -> None:
    session = value(SessionRow, ("id", "ada", "token", 1, 0, 1))
    assert (session.created_at, session.idle_expires_at) == (1, 0)
    names = column_names(EvidenceRow)
    for found, wanted in ((None, None), (0, False), (1, True), (False, False)):
        row = [found if name == "prompt_completed" else None for name in names]
        assert value(EvidenceRow, row).prompt_completed is wanted
