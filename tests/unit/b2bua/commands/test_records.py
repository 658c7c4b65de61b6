"""`mitschnitt calls` for people and for programs."""

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from b2bua.cli import app
from b2bua.datadir import DataFolder
from b2bua.errors import UsageError
from cdr.journal import Journal
from cdr.store import prepare
from tests.unit.cdr.samples import whole_call

runner = CliRunner()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three calls."""
    database = DataFolder(tmp_path).database
    prepare(database)

    async def fill() -> None:
        async with Journal(database) as journal:
            for name in "123":
                whole_call(journal, name)

    asyncio.run(fill())
    return tmp_path


def run(data: Path, *words: str) -> str:
    result = runner.invoke(app, ["calls", "--data", str(data), *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_calls_are_listed_newest_first(data: Path) -> None:
    rows = json.loads(run(data, "--json"))
    assert [row["id"] for row in rows] == ["call-3", "call-2", "call-1"]
    assert rows[0]["why"] == "both_opted_in", "a reason that this version has no words for"


def test_master_csv_has_the_newest_calls_oldest_first(data: Path) -> None:
    lines = list(csv.reader(io.StringIO(run(data, "--csv", "--limit", "2"))))
    assert [line[16] for line in lines] == ["unique-2", "unique-3"]
    assert lines[0][1:3] == ["101", "102"]
    assert lines[0][17].endswith(".mp3")


def test_one_can_have_only_one_form(data: Path) -> None:
    with pytest.raises(UsageError, match="not both"):
        run(data, "--csv", "--json")
