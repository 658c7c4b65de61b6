"""The audit chain, the ledger, the grounds: what was taken away or altered is seen."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdr import proofs
from cdr.audit import EMPTY_CHAIN, ChainHead, check_chain, link
from cdr.journal import Journal
from cdr.ledger import check_ledger
from cdr.proofs import AuditFilter, Proofs
from cdr.queries import CallFilter
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
    assert str(report.fault) == fault


@pytest.mark.parametrize("at_once", [1, 2, 5, 6])
@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("SELECT 1", None),
        ("UPDATE audit SET actor = 'web:eve' WHERE seq = 3", "row 3 was altered"),
        ("DELETE FROM audit WHERE seq = 3", "row 3 is missing"),
        ("DELETE FROM audit WHERE seq > 3", "the chain ends at row 3, but row 5 was written"),
        ("UPDATE audit SET seq = -seq WHERE seq = 1", "row 1 is missing"),
    ],
)
async def test_a_chain_is_checked_in_parts(
    five: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, sql: str, fault: str | None
) -> None:
    monkeypatch.setattr(proofs, "LINKS_AT_ONCE", at_once)
    with closing(sqlite3.connect(five)) as connection, connection:
        connection.execute(sql)
    async with Proofs(five) as reader:
        report = await reader.verify_audit()
    assert (report.fault and str(report.fault)) == fault


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (AuditFilter(), [4, 3, 2, 1]),
        (AuditFilter(actor="ad"), [4, 1]),
        (AuditFilter(actor="%"), []),
        (AuditFilter(subjects=("recording", "user")), [4, 2]),
        (AuditFilter(subjects=("record", "%", "_______")), []),
        (AuditFilter(subjects=()), []),
        (AuditFilter(object="101"), [3]),
        (AuditFilter(object="1"), []),
        (AuditFilter(since=AT + 2 * SECOND), [4, 3]),
        (AuditFilter(until=AT + 2 * SECOND), [2, 1]),
        (AuditFilter(actor="web", since=AT + 2 * SECOND, object="rec-1"), [4]),
    ],
)
async def test_the_log_is_searched(
    journal: Journal, reader: Proofs, where: AuditFilter, expected: list[int]
) -> None:
    for second, (actor, action, name) in enumerate(
        [
            ("web:ada", "session.open", "ada"),
            ("cli:root", "user.add", "ben"),
            ("cli:root", "extension.change", "101"),
            ("web:ada", "recording.play", "rec-1"),
        ]
    ):
        at = AT + second * SECOND
        journal.put(AuditEntry(at=at, actor=actor, action=action, object=name))
    assert await journal.drain(5)
    assert [row.seq for row in await reader.audit(where=where)] == expected
    below_four = [row.seq for row in await reader.audit(before=4, where=where)]
    assert below_four == [seq for seq in expected if seq < 4]
    assert len(await reader.audit(limit=1, where=where)) == min(1, len(expected))


@pytest.mark.parametrize(
    ("sql", "gaps"),
    [
        ("DELETE FROM calls WHERE ledger = 1", ((1, 1),)),
        ("DELETE FROM calls WHERE ledger IN (2, 3)", ((2, 3),)),
        ("DELETE FROM calls WHERE ledger IN (2, 4)", ((2, 2), (4, 4))),
        ("UPDATE calls SET ledger = -1 WHERE ledger = 3", ((0, 0), (3, 3))),
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
    assert [
        (g.recording.id, g.party and g.party.number, g.evidence and g.evidence.kind)
        for g in grounds
    ] == [
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
        grounds = await reader.grounds()
    assert [segment.id for segment in report.groundless] == [segment_opened().id]
    decided = stored is not None and stored.call_id == "call-1"
    assert [ground.evidence is not None for ground in grounds] == [decided]


async def test_recorded_calls_come_with_all_decisions(journal: Journal, reader: Proofs) -> None:
    for name in "123":
        whole_call(journal, name)
    journal.put(opened("4"))
    late = replace(evidence("5"), kind="consent", decided_at=AT + 100 * SECOND)
    for record in (opened("5"), segment_opened("5"), segment_opened("5", 2), late):
        journal.put(record)
    assert await journal.drain(5)
    every = CallFilter(recorded=True)
    first = await reader.recorded(2, None, every)
    rest = await reader.recorded(2, first.cursor, every)
    assert [each.call.id for each in (*first.calls, *rest.calls)] == [
        "call-5",
        "call-3",
        "call-2",
        "call-1",
    ]
    assert rest.cursor is None
    groundless, grounded = first.calls
    assert [groundless.is_grounded(each) for each in groundless.call.segments] == [False, False]
    assert grounded.is_grounded(grounded.call.segments[0])
    assert [row.id for row in grounded.evidence] == ["evidence-3a", "evidence-3b"]
    assert [
        (ground.recording.number, ground.party and ground.party.number)
        for ground in grounded.grounds()
    ] == [(1, "101"), (1, "102")]
    assert len(groundless.grounds()) == 2


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (CallFilter(recorded=True), ["2", "1"]),
        (CallFilter(recorded=True, basis="opt_in"), ["1"]),
        (CallFilter(recorded=True, basis="consent"), []),
        (CallFilter(groundless=True), ["2"]),
    ],
)
async def test_recorded_calls_are_searched(
    journal: Journal, reader: Proofs, where: CallFilter, expected: list[str]
) -> None:
    whole_call(journal, "1")
    asked = replace(evidence("2"), kind="consent", decision="refused")
    for record in (opened("2"), segment_opened("2"), asked, opened("3")):
        journal.put(record)
    assert await journal.drain(5)
    found = await reader.recorded(10, None, where)
    assert [each.call.id.removeprefix("call-") for each in found.calls] == expected
