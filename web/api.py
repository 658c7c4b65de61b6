"""The HTTP API, version 1: calls as JSON, for programs with a bearer token.

Times are :rfc:`3339` in UTC, durations seconds, sizes octets. `/api/v1/openapi.json` describes
it all.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from cdr.queries import CallFilter
from cdr.rows import CallRow, SegmentRow
from web.access import AnyViewer, scoped
from web.context import web_of
from web.errors import HttpProblem
from web.formats import rfc3339
from web.recordings import present_paths
from web.search import MAX_CURSOR

router = APIRouter(prefix="/api/v1")


class RecordingItem(BaseModel):
    """One recording of a call: a segment."""

    id: str
    url: str | None = Field(description="Where the MP3 is; null where its file is gone.")
    started_at: str
    duration_s: float
    bytes: int
    sha256: str
    channels: int


class Call(BaseModel):
    """One call. Names follow Asterisk where it has one."""

    id: str
    calldate: str
    src: str
    dst: str
    did: str
    direction: str
    duration: int = Field(description="Whole seconds from the begin.")
    billsec: int = Field(description="Whole seconds from the answer.")
    disposition: str = Field(description="ANSWERED, NO ANSWER, BUSY or FAILED; empty while it runs")
    outcome: str = Field(description="Empty while the call runs, then exactly one word.")
    outcome_reason: str = Field(description="Key of the sentence why.")
    linkedid: str
    recordings: list[RecordingItem]
    live: list[str] = Field(description="Where its running recordings are heard.")


class Calls(BaseModel):
    """Some calls, newest first."""

    calls: list[Call]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


@router.get("/calls")
async def list_calls(
    request: Request,
    viewer: AnyViewer,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=MAX_CURSOR)] = None,
) -> Calls:
    """Return calls, newest first."""
    scoped(viewer, "calls")
    web = web_of(request)
    found = await web.ports.reader.calls(limit, cursor, CallFilter(extensions=viewer.extensions))
    present = await present_paths(web, found.calls)
    return Calls(
        calls=[_call(row, present) for row in found.calls],
        next=None if found.cursor is None else str(found.cursor),
    )


@router.get("/calls/{call_id}")
async def one_call(request: Request, viewer: AnyViewer, call_id: str) -> Call:
    """Return one call."""
    scoped(viewer, "calls")
    web = web_of(request)
    row = await web.ports.reader.call(call_id)
    if row is None or not viewer.may_see(row):
        raise HttpProblem(404, "there is no such call")
    return _call(row, await present_paths(web, [row]))


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, viewer: AnyViewer) -> dict[str, object]:
    """Return the description of the API."""
    del viewer
    description: dict[str, object] = request.app.openapi()
    return description


def audio_url(recording_id: str) -> str:
    """Return the address of a recording's audio."""
    return f"/api/v1/recordings/{recording_id}/audio"


def live_url(recording_id: str) -> str:
    """Return where a recording is heard while it runs."""
    return f"/api/v1/recordings/{recording_id}/live"


def _call(row: CallRow, present: frozenset[str] | None) -> Call:
    return Call(
        id=row.id,
        calldate=rfc3339(row.calldate),
        src=row.src,
        dst=row.dst,
        did=row.did,
        direction=row.direction,
        duration=row.duration,
        billsec=row.billsec,
        disposition=row.disposition,
        outcome=row.outcome,
        outcome_reason=row.outcome_reason,
        linkedid=row.linkedid,
        recordings=[_recording(each, present) for each in row.segments if each.playable],
        live=[live_url(each.id) for each in row.segments if each.state == "open"],
    )


def _recording(segment: SegmentRow, present: frozenset[str] | None) -> RecordingItem:
    # A disk that does not answer says nothing about the file.
    there = present is None or segment.relative_path in present
    return RecordingItem(
        id=segment.id,
        url=audio_url(segment.id) if there else None,
        started_at=rfc3339(segment.started_at),
        duration_s=segment.duration_s,
        bytes=segment.octets,
        sha256=segment.sha256,
        channels=segment.channels,
    )
