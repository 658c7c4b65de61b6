"""`mitschnitt audit` as an auditor uses it."""

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from b2bua.cli import app
from b2bua.datadir import DataFolder
from b2bua.errors import DataFolderError
from cdr.journal import Journal
from cdr.store import prepare
from tests.unit.cdr.samples import audited, evidence, whole_call

runner = CliRunner()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two recorded calls; in the second one, somebody from outside has pressed 1."""
    database = DataFolder(tmp_path).database
    prepare(database)

    async def fill() -> None:
        async with Journal(database) as journal:
            whole_call(journal, "1")
            whole_call(journal, "2")
            asked = replace(
                evidence("2", "b"),
                id="evidence-asked",
                kind="consent",
                extension=None,
                opt_in_at=None,
                opt_in_by=None,
                prompt_id="consent",
                prompt_language="de",
                digit="1",
                transport="rfc4733",
            )
            journal.put(asked)
            journal.put(audited("rec-1"))

    asyncio.run(fill())
    return tmp_path


def run(data: Path, *words: str) -> tuple[int, list[dict[str, Any]]]:
    result = runner.invoke(app, ["audit", *words, "--data", str(data), "--json"])
    return result.exit_code, json.loads(result.output)


def alter(data: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(DataFolder(data).database)) as connection, connection:
        connection.execute(sql, values)


def test_what_is_whole_is_said_to_be(data: Path) -> None:
    code, checks = run(data, "verify")
    assert code == 0
    assert [(check["what"], check["checked"], check["ok"]) for check in checks] == [
        ("audit log", 1, True),
        ("calls", 2, True),
        ("recordings", 2, True),
    ]


@pytest.mark.parametrize(
    ("sql", "what", "found"),
    [
        ("UPDATE audit SET actor = 'nobody'", "audit log", "row 1 was altered"),
        ("DELETE FROM calls WHERE ledger = 1", "calls", "missing: 1"),
        ("DELETE FROM evidence", "recordings", "nobody had agreed: 2026/01/05/"),
    ],
)
def test_what_is_not_ends_with_1_and_is_named(data: Path, sql: str, what: str, found: str) -> None:
    alter(data, sql)
    code, checks = run(data, "verify")
    assert code == 1
    (wrong,) = [check for check in checks if not check["ok"]]
    assert wrong["what"] == what
    assert found in wrong["found"]


def test_only_the_first_of_many_are_named(data: Path) -> None:
    alter(data, "UPDATE segments SET relative_path = NULL")
    for number in range(10):
        alter(
            data,
            "INSERT INTO segments (id, call_id, number, started_at) VALUES (?, 'call-9', 1, ?)",
            f"alone-{number}",
            number,
        )
    _, checks = run(data, "verify")
    assert "alone-4 and 5 more" in checks[2]["found"]


def test_the_grounds_of_a_recording_tell_who_agreed_and_how(data: Path) -> None:
    _, rows = run(data, "grounds")
    rows.sort(key=lambda row: str(row["recording_id"]))  # they began at the same time
    assert [(row["recording_id"], row["basis"]) for row in rows] == [
        ("segment-1-1", "opt_in"),
        ("segment-1-1", "opt_in"),
        ("segment-2-1", "opt_in"),
        ("segment-2-1", "opt_in"),
        ("segment-2-1", "consent"),
    ]
    assert rows[0]["party"] == "101"
    assert rows[0]["how"] == "opted in at 2026-01-05T11:59:59Z by cli:root"
    assert rows[-1]["how"] == "heard consent (de) whole, pressed 1 (rfc4733)"


def test_the_log_is_listed(data: Path) -> None:
    _, rows = run(data, "list")
    assert [(row["seq"], row["action"], row["object"]) for row in rows] == [
        (1, audited("rec-1").action, "rec-1")
    ]


def test_without_a_database_there_is_an_error_in_words(tmp_path: Path) -> None:
    result = runner.invoke(app, ["audit", "verify", "--data", str(tmp_path)])
    assert isinstance(result.exception, DataFolderError)
