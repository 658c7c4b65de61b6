"""The proof of one recording on one page, to be read, printed or handed on."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from cdr.proofs import AuditFilter, RecordedCall
from cdr.records import AuditEntry
from cdr.rows import CallRow, EvidenceRow, SegmentRow
from web.access import AuditForm, AuditViewer, Viewer
from web.context import Web, web_of
from web.errors import HttpProblem
from web.file_hash import file_hash
from web.formats import duration_text
from web.pages.audit_words import decisions, entry, moment
from web.pages.rendering import language_of, page
from web.texts import Texts

router = APIRouter(include_in_schema=False)

ACCESSES = 100
"The newest ones; all of them are in the log."


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One fact with its name."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardView:
    """The words of an announcement that was played."""

    sha256: str
    sentence: str


def sheet_url(recording_id: str) -> str:
    """Return the address of a recording's proof."""
    return f"/audit/recordings/{recording_id}"


@router.get("/audit/recordings/{recording_id}")
async def sheet_page(request: Request, viewer: AuditViewer, recording_id: str) -> Response:
    """Show what one recording rests on, and who has heard it."""
    segment, call = await _found(web_of(request), recording_id)
    return await _show(request, viewer, segment, call)


@router.post("/audit/recordings/{recording_id}/check")
async def check_file(request: Request, form: AuditForm, recording_id: str) -> Response:
    """Compare the file with what was written, and leave a row that says what came of it."""
    web = web_of(request)
    segment, call = await _found(web, recording_id)
    if segment.relative_path is None or not segment.sha256:
        raise HttpProblem(404, "the recording has no file that could be compared")
    found = await file_hash(web, segment.relative_path)
    outcome = "gone" if found is None else "same" if found == segment.sha256 else "altered"
    await web.ports.changes.write(
        AuditEntry(
            at=web.ports.wall(),
            actor=form.viewer.actor,
            action="recording.verify",
            object=segment.id,
            detail={"file": outcome},
        )
    )
    return await _show(request, form.viewer, segment, call, outcome=outcome)


async def _found(web: Web, recording_id: str) -> tuple[SegmentRow, CallRow]:
    segment = await web.ports.reader.recording(recording_id)
    call = await web.ports.reader.call(segment.call_id) if segment is not None else None
    if segment is None or call is None:
        raise HttpProblem(404, "there is no such recording")
    return segment, call


async def _show(
    request: Request, viewer: Viewer, segment: SegmentRow, call: CallRow, *, outcome: str = ""
) -> Response:
    web = web_of(request)
    reader = web.ports.reader
    recorded = RecordedCall(call=call, evidence=await reader.evidence(call.id))
    t = Texts(language_of(request))
    accesses = await reader.audit(ACCESSES, None, AuditFilter(object=segment.id))
    return page(
        request,
        "audit_sheet.html",
        viewer=viewer,
        tab="",
        began=moment(web, segment.started_at, t),
        grounded=recorded.is_grounded(segment),
        lines=_lines(call, segment, t),
        check_url=f"{sheet_url(segment.id)}/check" if segment.sha256 else "",
        outcome=outcome,
        decisions=decisions(web, recorded, t),
        heard=await _heard(web, recorded.evidence),
        accesses=[entry(web, row, t) for row in accesses],
    )


def _lines(call: CallRow, segment: SegmentRow, t: Texts) -> tuple[Line, ...]:
    """Return what names the recording and its file beyond doubt."""
    direction = t.word("direction", call.direction)
    between = t("sheet.between", caller=call.src, callee=call.dst)
    lines = [Line(name=t("sheet.call"), value=f"{between} ({direction})" if direction else between)]
    if segment.state != "open":
        lines.append(Line(name=t("sheet.length"), value=duration_text(segment.duration_s)))
    lines.append(Line(name=t("sheet.state"), value=t.word("state", segment.state)))
    if segment.started_by:
        lines.append(Line(name=t("sheet.started_by"), value=_starter(segment.started_by, t)))
    for key, text in (
        ("sheet.file", segment.relative_path),
        ("sheet.sha256", segment.sha256),
        ("sheet.recording", segment.id),
        ("sheet.unique", call.uniqueid),
    ):
        if text:
            lines.append(Line(name=t(key), value=text, code=True))
    lines.append(Line(name=t("sheet.ledger"), value=str(call.ledger)))
    return tuple(lines)


def _starter(started_by: str, t: Texts) -> str:
    kind, _, number = started_by.partition(":")
    return t("starter.ext", number=number) if kind == "ext" else t.word("starter", started_by)


async def _heard(web: Web, evidence: tuple[EvidenceRow, ...]) -> tuple[HeardView, ...]:
    """Return the words of those announcements that were installed here and played."""
    played = {row.prompt_sha256 for row in evidence if row.prompt_sha256}
    if not played:
        return ()
    return tuple(
        HeardView(sha256=prompt.sha256, sentence=prompt.sentence)
        for prompt in await web.ports.reader.prompts()
        if prompt.sha256 in played and prompt.sentence
    )
