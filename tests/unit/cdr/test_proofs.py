"""The audit chain, the ledger, the grounds: what was taken away or altered is seen."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdr.audit import EMPTY_CHAIN, ChainHead, check_chain, link
from cdr.journal import Journal
from cdr.ledger import check_ledger
from cdr.proofs import Proofs
from cdr.records import AuditEntry, EvidenceStored
from cdr.rows import AuditRow
from tests.unit.cdr.conftest import QUICK
from tests.unit.cdr.samples import AT, SECOND, audited, evidence, opened, segment_opened, whole_call


@pytest.fixture
async def five(database: Path) -> Path:
    """A database with five audit rows and five calls."""
    async with Journal(database, QUICK) as journal:
        for name in "12345":
            journal.put(opened(name))
            journal.put(audited(f"rec-{name}"))
    return database


async def test_an_empty_chain_is_whole(database: Path) -> None:
    async with Proofs(database) as reader:
        report = await reader.verify_audit()
    assert (report.checked, report.fault) == (0, None)


async def test_a_whole_chain_is_whole(five: Path) -> None:
    async with Proofs(five) as reader:
        report = await reader.verify_audit()
    assert (report.checked, report.fault) == (5, None)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("UPDATE audit SET actor = 'web:eve' WHERE seq = 3", "row 3 was altered"),
        ("UPDATE audit SET at = at + 1 WHERE seq = 1", "row 1 was altered"),
        ("UPDATE audit SET detail = '{\"a\":1}' WHERE seq = 5", "row 5 was altered"),
        ("UPDATE audit SET hash = 'f' || substr(hash, 2) WHERE seq = 2", "row 2 was altered"),
        ("UPDATE audit SET prev_hash = 'x' WHERE seq = 4", "row 4 does not follow row 3"),
        ("DELETE FROM audit WHERE seq = 1", "row 1 is missing"),
        ("DELETE FROM audit WHERE seq = 3", "row 3 is missing"),
        ("DELETE FROM audit WHERE seq = 5", "the chain ends at row 4, but row 5 was written"),
        ("DELETE FROM audit", "the chain ends at row 0, but row 5 was written"),
    ],
)
async def test_tampering_with_the_audit_log_is_seen(five: Path, sql: str, fault: str) -> None:
    with closing(sqlite3.connect(five)) as connection, connection:
        connection.execute(sql)
    async with Proofs(five) as reader:
        report = await reader.verify_audit()
    assert not report.intact
    assert report.fault == fault


@pytest.mark.parametrize(
    ("sql", "gaps"),
    [
        ("DELETE FROM calls WHERE ledger = 1", ((1, 1),)),
        ("DELETE FROM calls WHERE ledger IN (2, 3)", ((2, 3),)),
        ("DELETE FROM calls WHERE ledger IN (2, 4)", ((2, 2), (4, 4))),
    ],
)
async def test_a_removed_call_is_seen(
    five: Path, sql: str, gaps: tuple[tuple[int, int], ...]
) -> None:
    with closing(sqlite3.connect(five)) as connection, connection:
        connection.execute(sql)
    async with Proofs(five) as reader:
        report = await reader.verify_ledger()
    assert (report.gaps, report.complete) == (gaps, False)


def test_a_ledger_without_gaps_is_complete() -> None:
    assert check_ledger([]).complete
    assert check_ledger([1, 2, 3]).checked == 3


text = st.text(st.characters(codec=None), max_size=20)
params = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[AuditRow], ChainHead]:
    head = EMPTY_CHAIN
    rows: list[AuditRow] = []
    for _ in range(draw(st.integers(1, 5))):
        entry = AuditEntry(
            at=draw(st.integers(AT, AT * 2)),
            actor=draw(text),
            action=draw(text),
            object=draw(text),
            detail=draw(st.dictionaries(text, params, max_size=3)),
        )
        names = ("seq", "at", "actor", "action", "object", "detail", "prev_hash", "hash")
        rows.append(AuditRow(**dict(zip(names, link(head, entry), strict=True))))
        head = ChainHead(rows[-1].seq, rows[-1].hash)
    return rows, head


@given(chains(), st.data())
def test_any_change_of_any_text_is_seen(
    chain: tuple[list[AuditRow], ChainHead], data: st.DataObject
) -> None:
    rows, head = chain
    assert check_chain(rows, head).intact
    index = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(["actor", "action", "object", "detail", "prev_hash", "hash"]))
    altered = list(rows)
    altered[index] = replace(rows[index], **{name: getattr(rows[index], name) + "x"})
    assert not check_chain(altered, head).intact
    assert not check_chain([*rows[:index], *rows[index + 1 :]], head).intact


async def test_each_recording_has_its_ground(database: Path) -> None:
    async with Journal(database, QUICK) as journal:
        whole_call(journal, "1")
    async with Proofs(database) as reader:
        report = await reader.verify_grounds()
        grounds = await reader.grounds()
    assert (report.checked, report.groundless) == (1, ())
    assert [(g.recording.id, g.party and g.party.number, g.evidence.kind) for g in grounds] == [
        ("segment-1-1", "101", "opt_in"),
        ("segment-1-1", "102", "opt_in"),
    ]


@pytest.mark.parametrize(
    "stored",
    [
        None,
        replace(evidence(), decision="refused"),
        replace(evidence(), decided_at=AT + 100 * SECOND),
        replace(evidence(), call_id="call-2"),
    ],
)
async def test_a_recording_without_a_ground_is_seen(
    database: Path, stored: EvidenceStored | None
) -> None:
    async with Journal(database, QUICK) as journal:
        journal.put(opened())
        journal.put(segment_opened())
        if stored is not None:
            journal.put(stored)
    async with Proofs(database) as reader:
        report = await reader.verify_grounds()
    assert [segment.id for segment in report.groundless] == [segment_opened().id]
