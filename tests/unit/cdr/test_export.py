import csv
import io

import pytest

from cdr.export import COLUMNS, guarded, write_master_csv
from cdr.journal import Journal
from cdr.queries import ReadOnly
from tests.unit.cdr.samples import PATH, opened, whole_call


async def test_a_line_has_the_columns_of_master_csv(journal: Journal, reader: ReadOnly) -> None:
    whole_call(journal)
    await journal.drain(5)
    sink = io.StringIO()
    assert write_master_csv((await reader.calls()).calls, sink) == 1
    assert sink.getvalue() == (
        '"","101","102","internal","""Ada"" <101>","SIP/101","SIP/102","Dial","",'
        '"2026-01-05 12:00:00","2026-01-05 12:00:05","2026-01-05 12:00:20",20,15,'
        f'"ANSWERED","DOCUMENTATION","unique-1","{PATH}"\r\n'
    )


async def test_an_open_call_and_a_hostile_name(journal: Journal, reader: ReadOnly) -> None:
    journal.put(opened(src='=HYPERLINK("http://evil")', dst="+4930\r\n1"))
    await journal.drain(5)
    sink = io.StringIO()
    write_master_csv((await reader.calls()).calls, sink, header=True)
    sink.seek(0)
    header, line = csv.reader(sink)
    row = dict(zip(header, line, strict=True))
    assert tuple(header) == COLUMNS
    assert row["src"] == '\'=HYPERLINK("http://evil")'
    assert row["dst"] == "'+4930\r\n1"
    assert (row["answer"], row["end"], row["billsec"]) == ("", "", "0")


@pytest.mark.parametrize("text", ["=1", "@x", "\tx", "\rx", "+1+2", "-x"])
def test_formulas_are_guarded(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "101", "+493012345", "Ada =1", "*1"])
def test_numbers_and_words_stay(text: str) -> None:
    assert guarded(text) == text
