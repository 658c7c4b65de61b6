"""Rows for an auditor: what they say, and what a spreadsheet makes of them."""

import csv
import io
from dataclasses import replace

import pytest

from cdr.journal import Journal
from cdr.proof_rows import ground_values, how, write_csv
from cdr.proofs import Proofs
from cdr.records import EvidenceStored
from tests.unit.cdr.samples import evidence, opened, segment_opened

ASKED = replace(evidence(), kind="consent", extension=None, opt_in_at=None, opt_in_by=None)


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (evidence(), "opted in at 2026-01-05T11:59:59Z by cli:root"),
        (
            replace(
                ASKED, prompt_id="consent-2", prompt_language="de", digit="1", transport="info"
            ),
            "heard consent-2 (de) whole, pressed 1 (info)",
        ),
        (
            replace(
                ASKED,
                prompt_id="consent-2",
                prompt_language="en",
                prompt_completed=False,
                note="hung_up",
            ),
            "heard consent-2 (en) in part, hung_up",
        ),
        (replace(ASKED, kind="attested", extension="101"), "asked in words by 101"),
        (ASKED, ""),
    ],
)
async def test_how_somebody_agreed_is_told_in_words(
    journal: Journal, reader: Proofs, stored: EvidenceStored, words: str
) -> None:
    journal.put(opened())
    journal.put(stored)
    assert await journal.drain(5)
    (row,) = await reader.evidence("call-1")
    assert how(row) == words


async def test_a_recording_without_any_decision_has_its_row(
    journal: Journal, reader: Proofs
) -> None:
    journal.put(opened())
    journal.put(segment_opened())
    assert await journal.drain(5)
    (ground,) = await reader.grounds()
    values = ground_values(ground)
    assert (values["recording_id"], values["basis"], values["decision"]) == (
        "segment-1-1",
        "",
        "none",
    )
    journal.put(evidence())
    assert await journal.drain(5)
    (other,) = await reader.grounds()
    assert list(ground_values(other)) == list(values), "one file has the same columns throughout"


def test_a_spreadsheet_runs_nothing() -> None:
    sink = io.StringIO()
    write_csv([{"actor": "=cmd()", "seq": 7, "object": 'a "b", c', "at": None}], sink)
    assert sink.getvalue().endswith("\r\n")
    assert next(csv.reader([sink.getvalue()])) == ["'=cmd()", "7", 'a "b", c', ""]
