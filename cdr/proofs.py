"""What an auditor asks: is the log whole, is a call missing, what does each recording rest on."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cdr.audit import EMPTY_CHAIN, HEAD_KEY, AuditReport, ChainHead, check_end, follow, parse_head
from cdr.ledger import LedgerReport, check_ledger
from cdr.queries import CallFilter, ReadOnly, agreed_before, columns
from cdr.rows import AuditRow, CallRow, EvidenceRow, PartyRow, SegmentRow, value
from cdr.schema import audit, calls, evidence, meta, parties, segments

LINKS_AT_ONCE = 2000
"Rows of the log that are checked at a time: neither memory nor a transaction grows with it."


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which rows of the audit log; a field that is None doesn't matter."""

    since: int | None = None
    until: int | None = None
    "`at` from `since` on and before `until`."
    actor: str | None = None
    "A part of it."
    subjects: tuple[str, ...] | None = None
    "First words of actions: `recording` for `recording.play`."
    object: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the filter as SQL conditions with bound values."""
        found: list[ColumnElement[bool]] = []
        if self.since is not None:
            found.append(audit.c.at >= self.since)
        if self.until is not None:
            found.append(audit.c.at < self.until)
        if self.actor is not None:
            found.append(audit.c.actor.contains(self.actor, autoescape=True))
        if self.subjects is not None:
            begins = (f"{each}." for each in self.subjects)
            of_subject = (audit.c.action.startswith(each, autoescape=True) for each in begins)
            found.append(or_(false(), *of_subject))
        if self.object is not None:
            found.append(audit.c.object == self.object)
        return found


EVERY_ENTRY = AuditFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundsReport:
    """What a look over all recordings found."""

    checked: int
    groundless: tuple[SegmentRow, ...]
    "Recordings that began before anybody in their call had agreed to it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """That one party of a recorded call had agreed, or what else became of the question."""

    recording: SegmentRow
    party: PartyRow | None
    evidence: EvidenceRow | None
    "None where a call has a recording, and nothing that it could rest on."


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """A call with its recordings and all decisions about them, in order of time."""

    call: CallRow
    evidence: tuple[EvidenceRow, ...]

    def is_grounded(self, recording: SegmentRow) -> bool:
        """Tell whether somebody had agreed before the recording began."""
        return any(row.covers(recording) for row in self.evidence)

    def grounds(self) -> tuple[Ground, ...]:
        """Return what each recording rests on, one for each decision."""
        by_id = {party.party_id: party for party in self.call.parties}
        return tuple(
            ground
            for recording in self.call.segments
            for ground in _grounds(recording, by_id, self.evidence)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPage:
    """Some recorded calls, newest first."""

    calls: tuple[RecordedCall, ...]
    cursor: int | None
    "For the next page; None where this is the last one."


class Proofs(ReadOnly):
    """The same connections, and questions over all that there is."""

    # --- who did what

    async def audit(
        self, limit: int = 100, before: int | None = None, where: AuditFilter = EVERY_ENTRY
    ) -> tuple[AuditRow, ...]:
        """Return the newest audit rows that are older than row `before`, newest first."""
        conditions = where.conditions()
        if before is not None:
            conditions.append(audit.c.seq < before)
        return await self._all(
            AuditRow,
            audit,
            lambda query: query.where(*conditions).order_by(audit.c.seq.desc()).limit(limit),
        )

    async def verify_audit(self) -> AuditReport:
        """Check the whole chain of the audit log."""
        last, whole = EMPTY_CHAIN, False
        while not whole:
            rows, head = await self._links(last)
            last, fault = await asyncio.to_thread(follow, rows, last)
            whole = len(rows) < LINKS_AT_ONCE
            if fault is None and whole:
                fault = check_end(last, head)
            if fault is not None:
                return AuditReport(checked=last.seq, fault=fault)
        return AuditReport(checked=last.seq, fault=None)

    async def _links(self, last: ChainHead) -> tuple[list[AuditRow], ChainHead]:
        """Return the next rows of the chain, and its head in the same moment."""
        query = select(*columns(AuditRow, audit)).order_by(audit.c.seq).limit(LINKS_AT_ONCE)
        if last != EMPTY_CHAIN:
            query = query.where(audit.c.seq > last.seq)
        async with self._reading() as connection:
            head = await connection.execute(select(meta.c.value).where(meta.c.key == HEAD_KEY))
            stored = parse_head(head.scalar())
            return [value(AuditRow, row) for row in await connection.execute(query)], stored

    # --- whether a call is missing

    async def verify_ledger(self) -> LedgerReport:
        """Check that no call's number is missing."""
        number = calls.c.ledger
        counted = select(func.count(), func.min(number), func.max(number)).select_from(calls)
        async with self._reading() as connection:
            count, first, last = (await connection.execute(counted)).one()
            if count == 0 or (first == 1 and last == count):
                return LedgerReport(checked=count, gaps=())
            return check_ledger(await connection.scalars(select(number).order_by(number)))

    # --- what recordings rest on

    async def verify_grounds(self) -> GroundsReport:
        """Check that each recording has evidence of a permit that is older than itself."""
        groundless = select(*columns(SegmentRow, segments)).where(~agreed_before())
        async with self._reading() as connection:
            count = await connection.execute(select(func.count()).select_from(segments))
            found = await connection.execute(groundless.order_by(segments.c.started_at))
            return GroundsReport(
                checked=int(count.scalar_one()),
                groundless=tuple(value(SegmentRow, row) for row in found),
            )

    async def recorded(self, limit: int, cursor: int | None, where: CallFilter) -> RecordedPage:
        """Return up to `limit` calls with what their recordings rest on, newest first.

        `where` and `cursor` are those of `calls`.
        """
        found = await self.calls(limit, cursor, where)
        ids = [call.id for call in found.calls]
        async with self._reading() as connection:
            decided = await _decided(connection, evidence.c.call_id.in_(ids))
        return RecordedPage(
            calls=tuple(
                RecordedCall(call=call, evidence=tuple(decided.get(call.id, ())))
                for call in found.calls
            ),
            cursor=found.cursor,
        )

    async def grounds(self, limit: int = 50) -> tuple[Ground, ...]:
        """Return what the newest recordings rest on, newest first; one for each decision."""
        recordings = await self.recordings(limit)
        order = segments.c.started_at.desc(), segments.c.number.desc()
        newest = select(segments.c.call_id).order_by(*order).limit(limit)
        of_party = select(*columns(PartyRow, parties)).where(parties.c.call_id.in_(newest))
        async with self._reading() as connection:
            people = [value(PartyRow, row) for row in await connection.execute(of_party)]
            decided = await _decided(connection, evidence.c.call_id.in_(newest))
        by_id = {each.party_id: each for each in people}
        return tuple(
            ground
            for recording in recordings
            for ground in _grounds(recording, by_id, decided.get(recording.call_id, ()))
        )


def _grounds(
    recording: SegmentRow, people: Mapping[str, PartyRow], decided: Sequence[EvidenceRow]
) -> Iterator[Ground]:
    """Yield what one recording rests on; without any decision, that there is none."""
    if not decided:
        yield Ground(recording=recording, party=None, evidence=None)
    for row in decided:
        yield Ground(recording=recording, party=people.get(row.party_id), evidence=row)


async def _decided(
    connection: AsyncConnection, where: ColumnElement[bool]
) -> dict[str, list[EvidenceRow]]:
    """Return the decisions in each call, in order of time."""
    query = select(*columns(EvidenceRow, evidence)).where(where).order_by(evidence.c.decided_at)
    by_call = defaultdict[str, list[EvidenceRow]](list)
    for row in await connection.execute(query):
        decision = value(EvidenceRow, row)
        by_call[decision.call_id].append(decision)
    return dict(by_call)
