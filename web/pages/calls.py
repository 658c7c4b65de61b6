"""The statistics: calls, newest first, with the loudspeaker."""

import re
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cdr.queries import CallFilter
from cdr.rows import CallRow, PartyRow, SegmentRow
from web.access import PageViewer
from web.api import audio_url, live_url
from web.audio import file_name
from web.context import Web, web_of
from web.errors import UnavailableError
from web.formats import (
    clock_text,
    day_text,
    duration_text,
    local,
    moment_text,
    number_text,
    rfc3339,
)
from web.pages.audit_sheet import sheet_url
from web.pages.rendering import language_of, page, see_other
from web.ports import LiveStatus
from web.recordings import present_paths
from web.search import Before, From, Period, To, day_of, turned
from web.texts import Texts

router = APIRouter(include_in_schema=False)

OUTCOMES = (
    "recorded",
    "refused",
    "blocked",
    "not_wanted",
    "not_connected",
    "too_short",
    "withdrawn",
    "failed",
)
"In the order of the list in the search form."

CALLEE = 1
"The side of whoever was called."

_DISPLAY_NAME = re.compile(r'\s*"?([^"<]*?)"?\s*<')


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Period):
    """What was asked for, as it stands in the form."""

    number: str = ""
    outcome: str = ""

    def fields(self) -> dict[str, str]:
        """Return the form's fields."""
        return {"number": self.number, **self.days(), "outcome": self.outcome}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingView:
    """One loudspeaker with its download, or why there is none."""

    url: str | None
    name: str = ""
    text: str = ""
    length: str = ""
    label: str = ""
    "For those who hear the page."
    title: str = ""
    "In the player."
    notes: tuple[str, ...] = ()
    running: bool = False
    proof: str = ""
    "Where it is told what it rests on; empty for those who may not see it."
    proof_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """One row, in words."""

    day: str
    clock: str
    iso: str
    src: str
    src_name: str
    dst: str
    dst_name: str
    did: str
    answered_by: str
    "Who was not called and answered: a member of a group, or whoever it was forwarded to."
    direction: str
    direction_word: str
    duration: str
    talked: str
    disposition: str
    result: str
    outcome: str
    outcome_word: str
    why: str
    recordings: tuple[RecordingView, ...]


@router.get("/calls")
async def calls_page(
    request: Request,
    viewer: PageViewer,
    *,
    number: Annotated[str, Query(max_length=64)] = "",
    since: From = "",
    until: To = "",
    outcome: Annotated[str, Query(max_length=20)] = "",
    before: Before = None,
) -> Response:
    """Show a page of calls; an auditor, who sees none, has another first page."""
    if not viewer.may_see_calls:
        return see_other("/audit")
    web = web_of(request)
    search = Search(
        number=number.strip(),
        since=day_of(since),
        until=day_of(until),
        outcome=outcome if outcome in OUTCOMES else "",
    )
    where = _filter(web, search, viewer.extensions)
    found = await web.ports.reader.calls(web.settings.page_size, before, where)
    present = await present_paths(web, found.calls)
    texts = Texts(language_of(request))
    return page(
        request,
        "calls.html",
        viewer=viewer,
        calls=[
            _view(web, row, texts, present, with_proofs=viewer.may_audit) for row in found.calls
        ],
        search=search,
        outcomes=OUTCOMES,
        turn=turned("/calls", search, before, found.cursor),
        disk_silent=present is None,
        live=await _live(web),
    )


def _filter(web: Web, search: Search, extensions: tuple[str, ...] | None) -> CallFilter:
    since, until = search.bounds(web.settings.timezone)
    return CallFilter(
        number=search.number or None,
        since=since,
        until=until,
        outcome=search.outcome or None,
        extensions=extensions,
    )


async def _live(web: Web) -> LiveStatus | None:
    try:
        return await web.ports.live.status()
    except UnavailableError:
        return None


def _view(
    web: Web, call: CallRow, t: Texts, present: frozenset[str] | None, *, with_proofs: bool
) -> CallView:
    moment = local(call.calldate, web.settings.timezone)
    running = call.state == "open"
    callee = _callee(call)
    why = web.ports.sentences.sentence(call.outcome_reason, call.outcome_params, t.language)
    return CallView(
        day=day_text(moment.date(), t.language),
        clock=clock_text(moment),
        iso=rfc3339(call.calldate),
        src=call.src,
        src_name=_name(call),
        dst=call.dst,
        dst_name=callee.name if callee is not None and callee.number == call.dst else "",
        did=call.did if call.did != call.dst else "",
        answered_by=_answered_by(call, callee, t),
        direction=call.direction,
        direction_word=t.word("direction", call.direction),
        duration="" if running else duration_text(call.duration),
        talked=_talked(call, t),
        disposition=call.disposition.lower().replace(" ", "-") or "running",
        result=t("call.running") if running else t.word("disposition", call.disposition),
        outcome=call.outcome,
        outcome_word=t.word("outcome", call.outcome),
        why=why,
        recordings=tuple(
            _with_proof(_recording(web, call, segment, t, present), call, segment, t)
            if with_proofs
            else _recording(web, call, segment, t, present)
            for segment in call.segments
        ),
    )


def _talked(call: CallRow, t: Texts) -> str:
    if call.state == "open":
        return ""
    if call.answered_at is None:
        return t("call.rang", time=duration_text(call.duration))
    return t("call.talked", time=duration_text(call.billsec))


def _callee(call: CallRow) -> PartyRow | None:
    """Return the extension that has answered, if it was one."""
    found = (party for party in reversed(call.parties) if party.side == CALLEE and party.extension)
    return next(found, None)


def _answered_by(call: CallRow, callee: PartyRow | None, t: Texts) -> str:
    if callee is None or callee.number == call.dst:
        return ""
    who = f"{callee.number}, {callee.name}" if callee.name else callee.number
    return t("call.answered_by", who=who)


def _name(call: CallRow) -> str:
    """Return the caller's display name, where it says more than the number."""
    match = _DISPLAY_NAME.match(call.clid)
    name = match[1] if match is not None else ""
    return "" if name == call.src else name


def _recording(
    web: Web, call: CallRow, segment: SegmentRow, t: Texts, present: frozenset[str] | None
) -> RecordingView:
    notes = _notes(segment, t)
    if segment.state == "open":
        return _running(web, call, segment, t)
    if not segment.playable:
        # Without a file: the sentence why says it, unless someone took the file away.
        gone = segment.state == "vanished"
        return RecordingView(url=None, notes=(t("recording.vanished"),) if gone else ())
    if present is None:
        return RecordingView(url=None, notes=notes)
    if segment.relative_path not in present:
        return RecordingView(url=None, notes=(t("recording.vanished"),))
    time = duration_text(segment.duration_s)
    several = len(call.segments) > 1
    part = t("play.part", number=segment.number) if several else ""
    label = t("play.label", caller=call.src, callee=call.dst, time=time)
    began = moment_text(local(segment.started_at, web.settings.timezone), t.language)
    title = t("player.now", caller=call.src, callee=call.dst, began=began)
    return RecordingView(
        url=audio_url(segment.id),
        name=file_name(segment),
        text=part or t("play"),
        length=time,
        label=f"{label} ({part})" if several else label,
        title=f"{title}, {part}" if several else title,
        notes=notes,
    )


def _with_proof(view: RecordingView, call: CallRow, segment: SegmentRow, t: Texts) -> RecordingView:
    label = t("proof.label", caller=call.src, callee=call.dst)
    return replace(view, proof=sheet_url(segment.id), proof_label=label)


def _running(web: Web, call: CallRow, segment: SegmentRow, t: Texts) -> RecordingView:
    """Return the loudspeaker of a recording that is being made."""
    began = moment_text(local(segment.started_at, web.settings.timezone), t.language)
    title = t("player.now", caller=call.src, callee=call.dst, began=began)
    return RecordingView(
        url=live_url(segment.id),
        text=t("play"),
        label=t("play.live_label", caller=call.src, callee=call.dst),
        title=f"{title} ({t('live')})",
        notes=(t("recording.open"),),
        running=True,
    )


def _notes(segment: SegmentRow, t: Texts) -> tuple[str, ...]:
    notes = []
    if segment.missing_s >= 1:
        seconds = number_text(segment.missing_s, t.language)
        notes.append(t("recording.missing_audio", seconds=seconds))
    if segment.recovered:
        notes.append(t("recording.recovered"))
    return tuple(notes)
