"""What an auditor asks: is the log whole, is a call missing, what does each recording rest on."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import exists, func, select

from cdr.audit import HEAD_KEY, AuditReport, check_chain, parse_head
from cdr.ledger import LedgerReport, check_ledger
from cdr.queries import ReadOnly, columns
from cdr.rows import AuditRow, EvidenceRow, PartyRow, SegmentRow, value
from cdr.schema import audit, calls, evidence, meta, parties, segments


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
    evidence: EvidenceRow


class Proofs(ReadOnly):
    """The same connections, and questions over all that there is."""

    async def verify_audit(self) -> AuditReport:
        """Check the whole chain of the audit log."""
        query = select(*columns(AuditRow, audit)).order_by(audit.c.seq)
        async with self._reading() as connection:
            head = await connection.execute(select(meta.c.value).where(meta.c.key == HEAD_KEY))
            stored = parse_head(head.scalar())
            rows = [value(AuditRow, row) for row in await connection.execute(query)]
        return await asyncio.to_thread(check_chain, rows, stored)

    async def verify_ledger(self) -> LedgerReport:
        """Check that no call's number is missing."""
        async with self._reading() as connection:
            numbers = await connection.scalars(select(calls.c.ledger).order_by(calls.c.ledger))
            return check_ledger(numbers)

    async def verify_grounds(self) -> GroundsReport:
        """Check that each recording has evidence of a permit that is older than itself."""
        agreed = exists().where(
            evidence.c.call_id == segments.c.call_id,
            evidence.c.decision == "granted",
            evidence.c.decided_at <= segments.c.started_at,
        )
        groundless = select(*columns(SegmentRow, segments)).where(~agreed)
        async with self._reading() as connection:
            count = await connection.execute(select(func.count()).select_from(segments))
            found = await connection.execute(groundless.order_by(segments.c.started_at))
            return GroundsReport(
                checked=int(count.scalar_one()),
                groundless=tuple(value(SegmentRow, row) for row in found),
            )

    async def grounds(self, limit: int = 50) -> tuple[Ground, ...]:
        """Return what the newest recordings rest on, newest first; one for each decision."""
        recordings = await self.recordings(limit)
        order = segments.c.started_at.desc(), segments.c.number.desc()
        newest = select(segments.c.call_id).order_by(*order).limit(limit)
        of_party = select(*columns(PartyRow, parties)).where(parties.c.call_id.in_(newest))
        of_call = (
            select(*columns(EvidenceRow, evidence))
            .where(evidence.c.call_id.in_(newest))
            .order_by(evidence.c.decided_at)
        )
        async with self._reading() as connection:
            people = [value(PartyRow, row) for row in await connection.execute(of_party)]
            decided = [value(EvidenceRow, row) for row in await connection.execute(of_call)]
        by_id = {each.party_id: each for each in people}
        by_call = defaultdict[str, list[EvidenceRow]](list)
        for row in decided:
            by_call[row.call_id].append(row)
        return tuple(
            Ground(recording=recording, party=by_id.get(row.party_id), evidence=row)
            for recording in recordings
            for row in by_call[recording.call_id]
        )
