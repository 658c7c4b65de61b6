"""The audit log: a chain of hashes, so that a change, a gap or a cut is seen.

Each row's hash covers its own values and the hash of the row before. The newest row's number
and hash also stand in `meta`, written in the same transaction, so that rows cut off at the end
are missed too. (Who can rewrite the whole database can rewrite the chain: an operator who
wants to exclude that keeps copies of the head elsewhere.)
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, NamedTuple, TypeAlias

from cdr.records import AuditEntry
from cdr.rows import AuditRow
from cdr.statements import Row, clean, compact, insert, upsert

HEAD_KEY = "audit_head"
GENESIS = "0" * 64
"Stands where the first row has no predecessor."

_COLUMNS = ("seq", "at", "actor", "action", "object", "detail", "prev_hash", "hash")
_INSERT = insert("audit", _COLUMNS)
_SET_HEAD = upsert("meta", ("key",), ("key", "value"))


class ChainHead(NamedTuple):
    """The newest row: its number and hash."""

    seq: int
    hash: str


EMPTY_CHAIN = ChainHead(0, GENESIS)


FaultKind: TypeAlias = Literal["missing", "loose", "altered", "cut"]

_FAULTS: Final[dict[FaultKind, str]] = {
    "missing": "row {row} is missing",
    "loose": "row {row} does not follow row {last}",
    "altered": "row {row} was altered",
    "cut": "the chain ends at row {last}, but row {row} was written",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFault:
    """Where the chain breaks, and how; as text, in words."""

    kind: FaultKind
    row: int
    last: int
    "Up to this row the chain is whole."

    def __str__(self) -> str:
        return _FAULTS[self.kind].format(row=self.row, last=self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a look over the chain found."""

    checked: int
    fault: ChainFault | None
    "None where the chain is whole."

    @property
    def intact(self) -> bool:
        return self.fault is None


def row_hash(values: Row) -> str:
    """Return the hash over a row's values up to and including `prev_hash`."""
    return sha256(compact(values).encode("utf-8")).hexdigest()


def link(head: ChainHead, entry: AuditEntry) -> Row:
    """Return the entry as the row that follows `head`."""
    values = (
        head.seq + 1,
        entry.at,
        clean(entry.actor),
        clean(entry.action),
        clean(entry.object),
        clean(compact(dict(entry.detail))),
        head.hash,
    )
    return (*values, row_hash(values))


def append(
    connection: sqlite3.Connection, head: ChainHead, entries: Iterable[AuditEntry]
) -> ChainHead:
    """Write the entries behind `head` and return the new head."""
    rows: list[Row] = []
    for entry in entries:
        rows.append(link(head, entry))
        head = ChainHead(rows[-1][0], rows[-1][-1])
    _INSERT.run(connection, rows)
    _SET_HEAD.run(connection, [(HEAD_KEY, compact(head))])
    return head


def stored_head(connection: sqlite3.Connection) -> ChainHead:
    """Return the head as `meta` has it."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (HEAD_KEY,)).fetchone()
    return parse_head(None if row is None else row[0])


def parse_head(value: str | None) -> ChainHead:
    """Return the head from its stored form."""
    if value is None:
        return EMPTY_CHAIN
    seq, digest = json.loads(value)
    return ChainHead(seq, digest)


def check_chain(rows: Iterable[AuditRow], head: ChainHead) -> AuditReport:
    """Check the rows, in ascending order from the first on, against each other and the head."""
    last, fault = follow(rows, EMPTY_CHAIN)
    return AuditReport(checked=last.seq, fault=fault or check_end(last, head))


def follow(rows: Iterable[AuditRow], last: ChainHead) -> tuple[ChainHead, ChainFault | None]:
    """Check the rows that come after `last`; return the last good one, and what is wrong then."""
    for row in rows:
        kind = _fault(row, last)
        if kind is not None:
            number = last.seq + 1 if kind == "missing" else row.seq
            return last, ChainFault(kind=kind, row=number, last=last.seq)
        last = ChainHead(row.seq, row.hash)
    return last, None


def check_end(last: ChainHead, head: ChainHead) -> ChainFault | None:
    """Check that the chain ends with the row that was written last."""
    if last == head:
        return None
    return ChainFault(kind="cut", row=head.seq, last=last.seq)


def _fault(row: AuditRow, last: ChainHead) -> FaultKind | None:
    if row.seq != last.seq + 1:
        return "missing"
    if row.prev_hash != last.hash:
        return "loose"
    values = (row.seq, row.at, row.actor, row.action, row.object, row.detail, row.prev_hash)
    return None if row_hash(values) == row.hash else "altered"
