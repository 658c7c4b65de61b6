"""The proofs: each recording with what it rests on, and whether all of it is whole."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from cdr.proof_rows import GROUND_COLUMNS, Values, ground_values
from cdr.proofs import AuditFilter, RecordedCall
from cdr.queries import CallFilter
from cdr.records import AuditEntry
from cdr.rows import SegmentRow
from web.access import AuditForm, AuditViewer, Viewer
from web.checks import CheckRunningError, Findings
from web.context import Web, web_of
from web.csv_files import AT_ONCE, csv_file
from web.formats import duration_text, local, moment_text, number_text
from web.pages.audit_sheet import sheet_url
from web.pages.audit_words import DecisionView, MomentView, decisions, details, moment
from web.pages.rendering import language_of, page
from web.search import Before, From, Period, To, day_of, turned
from web.texts import Texts

router = APIRouter(include_in_schema=False)

BASES: Final = ("consent", "attested", "opt_in", "legal_duty")
GROUNDLESS: Final = "none"
"In the place of a basis: recordings that rest on nothing."

CHECK: Final = ("audit.verify", "audit")
"Action and object of the row that a check leaves in the log."

NAMED: Final = 5
"Things that are wrong and named; the others are counted."


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Period):
    """What was asked for, as it stands in the form."""

    number: str = ""
    basis: str = ""

    def fields(self) -> dict[str, str]:
        """Return the form's fields."""
        return {"number": self.number, **self.days(), "basis": self.basis}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingView:
    """One recording of a call, and whether somebody had agreed before it began."""

    url: str
    at: MomentView
    length: str
    grounded: bool
    gone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedView:
    """One row: a call, its recordings, and who had agreed."""

    at: MomentView
    src: str
    dst: str
    direction: str
    direction_word: str
    recordings: tuple[RecordingView, ...]
    decisions: tuple[DecisionView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One thing that was checked, in words."""

    name: str
    text: str
    good: bool
    url: str = ""
    "Where what is wrong is shown."


def _search(
    *,
    number: Annotated[str, Query(max_length=64)] = "",
    since: From = "",
    until: To = "",
    basis: Annotated[str, Query(max_length=20)] = "",
) -> Search:
    return Search(
        number=number.strip(),
        since=day_of(since),
        until=day_of(until),
        basis=basis if basis in (*BASES, GROUNDLESS) else "",
    )


Searched: TypeAlias = Annotated[Search, Depends(_search)]


@router.get("/audit")
async def recordings_page(
    request: Request, viewer: AuditViewer, search: Searched, before: Before = None
) -> Response:
    """Show a page of recorded calls with their grounds."""
    return await _show(request, viewer, search, before)


@router.get("/audit/recordings.csv")
async def recordings_file(request: Request, viewer: AuditViewer, search: Searched) -> Response:
    """Send what was searched for: one line for each decision about each recording."""
    del viewer
    web = web_of(request)
    return csv_file(
        "mitschnitt-recordings.csv", GROUND_COLUMNS, _grounds(web, _filter(web, search))
    )


@router.post("/audit/check")
async def check(request: Request, form: AuditForm) -> Response:
    """Go through log, calls and recordings, and leave a row that says what was found."""
    web = web_of(request)
    try:
        findings = await web.checks.run(web.ports.reader)
    except CheckRunningError:
        return await _show(request, form.viewer, Search(), notice="check.running")
    except TimeoutError:
        return await _show(request, form.viewer, Search(), notice="check.late")
    action, name = CHECK
    await web.ports.changes.write(
        AuditEntry(
            at=web.ports.wall(),
            actor=form.viewer.actor,
            action=action,
            object=name,
            detail={
                "whole": findings.whole,
                "rows": findings.log.checked,
                "calls": findings.calls.checked,
                "recordings": findings.recordings.checked,
            },
        )
    )
    return await _show(request, form.viewer, Search(), findings=findings)


def _filter(web: Web, search: Search) -> CallFilter:
    since, until = search.bounds(web.settings.timezone)
    groundless = search.basis == GROUNDLESS
    return CallFilter(
        number=search.number or None,
        since=since,
        until=until,
        recorded=True,
        basis=search.basis if search.basis and not groundless else None,
        groundless=groundless,
    )


async def _grounds(web: Web, where: CallFilter) -> AsyncIterator[Iterable[Values]]:
    cursor, more = None, True
    while more:
        found = await web.ports.reader.recorded(AT_ONCE, cursor, where)
        yield [ground_values(ground) for each in found.calls for ground in each.grounds()]
        cursor, more = found.cursor, found.cursor is not None


async def _show(
    request: Request,
    viewer: Viewer,
    search: Search,
    before: int | None = None,
    *,
    findings: Findings | None = None,
    notice: str | None = None,
) -> Response:
    web = web_of(request)
    t = Texts(language_of(request))
    found = await web.ports.reader.recorded(web.settings.page_size, before, _filter(web, search))
    return page(
        request,
        "audit.html",
        viewer=viewer,
        tab="recordings",
        calls=[_view(web, each, t) for each in found.calls],
        search=search,
        bases=BASES,
        groundless=GROUNDLESS,
        turn=turned("/audit", search, before, found.cursor),
        checks=_findings(findings, t) if findings is not None else (),
        whole=findings is not None and findings.whole,
        notice=notice,
        last_check=await _last_check(web, t),
    )


def _view(web: Web, recorded: RecordedCall, t: Texts) -> RecordedView:
    call = recorded.call
    return RecordedView(
        at=moment(web, call.calldate, t),
        src=call.src,
        dst=call.dst,
        direction=call.direction,
        direction_word=t.word("direction", call.direction),
        recordings=tuple(
            RecordingView(
                url=sheet_url(each.id),
                at=moment(web, each.started_at, t),
                length="" if each.state == "open" else duration_text(each.duration_s),
                grounded=recorded.is_grounded(each),
                gone=each.state == "vanished",
            )
            for each in call.segments
        ),
        decisions=decisions(web, recorded, t),
    )


# --- what a check has found


async def _last_check(web: Web, t: Texts) -> str:
    """Tell when it was checked last, and what came of it; empty where it never was."""
    action, name = CHECK
    subject = (action.partition(".")[0],)
    rows = await web.ports.reader.audit(1, None, AuditFilter(object=name, subjects=subject))
    if not rows:
        return ""
    date = moment_text(local(rows[0].at, web.settings.timezone), t.language)
    who = rows[0].actor.partition(":")[2] or rows[0].actor
    whole = (details(rows[0].detail) or {}).get("whole") is True
    return t("check.last_good" if whole else "check.last_bad", date=date, actor=who)


def _findings(findings: Findings, t: Texts) -> tuple[CheckView, ...]:
    return (_log(findings, t), _calls(findings, t), _recordings(findings, t))


def _log(findings: Findings, t: Texts) -> CheckView:
    report = findings.log
    if report.fault is None:
        text = t("check.log_good", count=number_text(report.checked, t.language))
    else:
        text = t(f"check.log_{report.fault.kind}", row=report.fault.row, last=report.fault.last)
    return CheckView(name=t("check.log"), text=text, good=report.intact)


def _calls(findings: Findings, t: Texts) -> CheckView:
    report = findings.calls
    if report.complete:
        text = t("check.calls_good", count=number_text(report.checked, t.language))
    else:
        gaps = [str(a) if a == b else f"{a}–{b}" for a, b in report.gaps]  # noqa: RUF001 - a dash
        text = t("check.calls_bad", numbers=_some(gaps, t))
    return CheckView(name=t("check.calls"), text=text, good=report.complete)


def _recordings(findings: Findings, t: Texts) -> CheckView:
    report = findings.recordings
    without = report.groundless
    if not without:
        text = t("check.recordings_good", count=number_text(report.checked, t.language))
    else:
        text = t("check.recordings_bad", names=_some([_name(each) for each in without], t))
    return CheckView(
        name=t("check.recordings"),
        text=text,
        good=not without,
        url=f"/audit?basis={GROUNDLESS}" if without else "",
    )


def _name(recording: SegmentRow) -> str:
    return recording.relative_path or recording.id


def _some(names: list[str], t: Texts) -> str:
    text = ", ".join(names[:NAMED])
    more = len(names) - NAMED
    return (
        t("check.and_more", names=text, count=number_text(more, t.language)) if more > 0 else text
    )
