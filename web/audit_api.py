"""The HTTP API, version 1, for auditors' programs: tokens with the scope `audit`."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from cdr.proof_rows import how
from cdr.proofs import AuditFilter, RecordedCall
from cdr.queries import CallFilter
from cdr.rows import AuditRow, EvidenceRow
from web.access import AnyViewer, scoped
from web.context import web_of
from web.formats import rfc3339
from web.search import MAX_CURSOR

router = APIRouter(prefix="/api/v1/audit")

Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[int | None, Query(ge=1, le=MAX_CURSOR)]
Moment = Annotated[AwareDatetime | None, Query(description="RFC 3339, with its zone.")]


class Entry(BaseModel):
    """One row of the audit log."""

    seq: int
    at: str
    actor: str
    action: str
    object: str
    detail: str = Field(description="JSON, as it was hashed.")
    prev_hash: str
    hash: str


class Entries(BaseModel):
    """Some rows, newest first."""

    entries: list[Entry]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


class Decision(BaseModel):
    """What one party said about being recorded. Fields that don't apply are null."""

    id: str
    party: str = Field(description="Its number.")
    basis: str = Field(description="opt_in, consent, attested or legal_duty")
    decision: str
    decided_at: str
    how: str = Field(description="In words, in English.")
    extension: str | None
    opt_in_at: str | None
    opt_in_by: str | None
    prompt_id: str | None
    prompt_language: str | None
    prompt_sha256: str | None
    prompt_played_ms: int | None
    prompt_completed: bool | None
    digit: str | None
    transport: str | None
    rtp_timestamp: int | None
    rtp_ssrc: int | None
    sip_call_id: str | None
    note: str | None


class Recording(BaseModel):
    """One recording of a call."""

    id: str
    started_at: str
    duration_s: float
    state: str
    file: str | None
    sha256: str
    grounded: bool = Field(description="Whether somebody had agreed before it began.")


class Recorded(BaseModel):
    """One recorded call, with all decisions in it."""

    id: str
    calldate: str
    src: str
    dst: str
    direction: str
    recordings: list[Recording]
    decisions: list[Decision]


class RecordedCalls(BaseModel):
    """Some recorded calls, newest first."""

    calls: list[Recorded]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


@router.get("/log")
async def list_log(
    request: Request,
    viewer: AnyViewer,
    *,
    limit: Limit = 50,
    cursor: Cursor = None,
    since: Moment = None,
    until: Moment = None,
    actor: Annotated[str | None, Query(max_length=100)] = None,
    subject: Annotated[list[str] | None, Query(max_length=20)] = None,
    name: Annotated[str | None, Query(alias="object", max_length=100)] = None,
) -> Entries:
    """Return rows of the audit log, newest first.

    `actor`: a part of it. `subject`: first words of actions, `recording` for `recording.play`.
    """
    scoped(viewer, "audit")
    where = AuditFilter(
        since=_stored(since),
        until=_stored(until),
        actor=actor,
        subjects=tuple(subject) if subject is not None else None,
        object=name,
    )
    rows = await web_of(request).ports.reader.audit(limit + 1, cursor, where)
    return Entries(
        entries=[_entry(row) for row in rows[:limit]],
        next=str(rows[limit - 1].seq) if len(rows) > limit else None,
    )


@router.get("/recordings")
async def list_recorded(
    request: Request,
    viewer: AnyViewer,
    *,
    limit: Limit = 50,
    cursor: Cursor = None,
    since: Moment = None,
    until: Moment = None,
    number: Annotated[str | None, Query(max_length=64)] = None,
    basis: Annotated[str | None, Query(max_length=20)] = None,
    groundless: bool = False,
) -> RecordedCalls:
    """Return recorded calls and what their recordings rest on, newest first.

    `basis`: calls in which somebody agreed in this way. `groundless`: only calls with a
    recording that began before anybody had agreed.
    """
    scoped(viewer, "audit")
    where = CallFilter(
        number=number,
        since=_stored(since),
        until=_stored(until),
        recorded=True,
        basis=basis,
        groundless=groundless,
    )
    found = await web_of(request).ports.reader.recorded(limit, cursor, where)
    return RecordedCalls(
        calls=[_recorded(each) for each in found.calls],
        next=None if found.cursor is None else str(found.cursor),
    )


def _stored(moment: AwareDatetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1_000_000)


def _entry(row: AuditRow) -> Entry:
    return Entry.model_validate(asdict(row) | {"at": rfc3339(row.at)})


def _recorded(recorded: RecordedCall) -> Recorded:
    call = recorded.call
    numbers = {party.party_id: party.number for party in call.parties}
    return Recorded(
        id=call.id,
        calldate=rfc3339(call.calldate),
        src=call.src,
        dst=call.dst,
        direction=call.direction,
        recordings=[
            Recording(
                id=each.id,
                started_at=rfc3339(each.started_at),
                duration_s=each.duration_s,
                state=each.state,
                file=each.relative_path,
                sha256=each.sha256,
                grounded=recorded.is_grounded(each),
            )
            for each in call.segments
        ],
        decisions=[_decision(row, numbers.get(row.party_id, "")) for row in recorded.evidence],
    )


def _decision(row: EvidenceRow, party: str) -> Decision:
    own = {
        "party": party,
        "basis": row.kind,
        "decided_at": rfc3339(row.decided_at),
        "opt_in_at": None if row.opt_in_at is None else rfc3339(row.opt_in_at),
        "how": how(row),
    }
    return Decision.model_validate(asdict(row) | own)
