"""The statistics: calls, newest first, with the loudspeaker."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cdr.queries import CallFilter
from cdr.rows import CallRow, PartyRow, SegmentRow
from web.access import PageViewer
from web.api import MAX_CURSOR, audio_url, live_url
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
    start_of_day,
)
from web.pages.rendering import language_of, page
from web.ports import LiveStatus
from web.recordings import present_paths
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
class Search:
    """What was asked for, as it stands in the form."""

    number: str = ""
    since: date | None = None
    until: date | None = None
    outcome: str = ""

    @property
    def is_any(self) -> bool:
        return self == Search()

    @property
    def swapped(self) -> bool:
        return self.since is not None and self.until is not None and self.since > self.until

    def query(self) -> dict[str, str]:
        """Return the parameters of a link to the same search."""
        values = {
            "number": self.number,
            "from": self.since.isoformat() if self.since else "",
            "to": self.until.isoformat() if self.until else "",
            "outcome": self.outcome,
        }
        return {name: text for name, text in values.items() if text}


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
    since: Annotated[str, Query(alias="from", max_length=10)] = "",
    until: Annotated[str, Query(alias="to", max_length=10)] = "",
    outcome: Annotated[str, Query(max_length=20)] = "",
    before: Annotated[int | None, Query(ge=1, le=MAX_CURSOR)] = None,
) -> Response:
    """Show a page of calls."""
    web = web_of(request)
    search = Search(
        number=number.strip(),
        since=_day(since),
        until=_day(until),
        outcome=outcome if outcome in OUTCOMES else "",
    )
    where = _filter(web, search, viewer.extensions)
    found = await web.ports.reader.calls(web.settings.page_size, before, where)
    present = await present_paths(web, found.calls)
    texts = Texts(language_of(request))
    older = None
    if found.cursor is not None:
        older = "/calls?" + urlencode(search.query() | {"before": str(found.cursor)})
    newest = None
    if before is not None:
        newest = "/calls" + (f"?{urlencode(search.query())}" if search.query() else "")
    return page(
        request,
        "calls.html",
        viewer=viewer,
        calls=[_view(web, row, texts, present) for row in found.calls],
        search=search,
        outcomes=OUTCOMES,
        older=older,
        newest=newest,
        disk_silent=present is None,
        live=await _live(web),
    )


def _day(text: str) -> date | None:
    """Return the day of a date field; what is none counts as empty."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # The neighbouring days must exist too, in every time zone.
    return day if date(1971, 1, 1) <= day <= date(9000, 1, 1) else None


def _filter(web: Web, search: Search, extensions: tuple[str, ...] | None) -> CallFilter:
    zone = web.settings.timezone
    after = search.until + timedelta(days=1) if search.until else None
    return CallFilter(
        number=search.number or None,
        since=start_of_day(search.since, zone) if search.since else None,
        until=start_of_day(after, zone) if after else None,
        outcome=search.outcome or None,
        extensions=extensions,
    )


async def _live(web: Web) -> LiveStatus | None:
    try:
        return await web.ports.live.status()
    except UnavailableError:
        return None


def _view(web: Web, call: CallRow, t: Texts, present: frozenset[str] | None) -> CallView:
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
        recordings=tuple(_recording(web, call, segment, t, present) for segment in call.segments),
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
