"""The audit log: who changed something, listened, downloaded or logged in."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from cdr.proof_rows import ENTRY_COLUMNS, Values, entry_values
from cdr.proofs import AuditFilter
from web.access import AuditViewer
from web.context import Web, web_of
from web.csv_files import AT_ONCE, csv_file
from web.pages.audit_words import entry
from web.pages.rendering import language_of, page
from web.search import Before, From, Period, To, day_of, turned
from web.texts import Texts

router = APIRouter(include_in_schema=False)

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "recordings": ("recording",),
    "logins": ("session", "login"),
    "extensions": ("extension",),
    "accounts": ("user", "token"),
    "prompts": ("prompt",),
    "checks": ("audit", "storage"),
}
"What can be chosen, and the first words of the actions that belong to it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Period):
    """What was asked for, as it stands in the form."""

    actor: str = ""
    object: str = ""
    kind: str = ""

    def fields(self) -> dict[str, str]:
        """Return the form's fields."""
        return {"actor": self.actor, "object": self.object, **self.days(), "kind": self.kind}


def _search(
    *,
    actor: Annotated[str, Query(max_length=100)] = "",
    name: Annotated[str, Query(alias="object", max_length=100)] = "",
    since: From = "",
    until: To = "",
    kind: Annotated[str, Query(max_length=20)] = "",
) -> Search:
    return Search(
        actor=actor.strip(),
        object=name.strip(),
        since=day_of(since),
        until=day_of(until),
        kind=kind if kind in KINDS else "",
    )


Searched: TypeAlias = Annotated[Search, Depends(_search)]


@router.get("/audit/log")
async def log_page(
    request: Request, viewer: AuditViewer, search: Searched, before: Before = None
) -> Response:
    """Show a page of the log."""
    web = web_of(request)
    size = web.settings.page_size
    rows = await web.ports.reader.audit(size + 1, before, _filter(web, search))
    t = Texts(language_of(request))
    shown = rows[:size]
    return page(
        request,
        "audit_log.html",
        viewer=viewer,
        tab="log",
        entries=[entry(web, row, t) for row in shown],
        search=search,
        kinds=tuple(KINDS),
        turn=turned("/audit/log", search, before, shown[-1].seq if len(rows) > size else None),
        head=next(iter(await web.ports.reader.audit(1)), None),
    )


@router.get("/audit/log.csv")
async def log_file(request: Request, viewer: AuditViewer, search: Searched) -> Response:
    """Send what was searched for, newest first."""
    del viewer
    web = web_of(request)
    return csv_file("mitschnitt-audit-log.csv", ENTRY_COLUMNS, _entries(web, _filter(web, search)))


def _filter(web: Web, search: Search) -> AuditFilter:
    since, until = search.bounds(web.settings.timezone)
    return AuditFilter(
        since=since,
        until=until,
        actor=search.actor or None,
        object=search.object or None,
        subjects=KINDS.get(search.kind),
    )


async def _entries(web: Web, where: AuditFilter) -> AsyncIterator[Iterable[Values]]:
    before, more = None, True
    while more:
        rows = await web.ports.reader.audit(AT_ONCE, before, where)
        yield [entry_values(row) for row in rows]
        before, more = (rows[-1].seq, True) if len(rows) == AT_ONCE else (None, False)
