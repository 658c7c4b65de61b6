"""Storage: what is used, what is free, how fast it grows, and when it will be full."""

import logging
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cdr.records import AuditEntry
from cdr.usage import (
    DAY_US,
    OCTETS_PER_MINUTE,
    WINDOW_DAYS,
    DayUsage,
    Growth,
    growth,
    minutes_left,
    planned_octets,
    window_start,
)
from web.access import AdminForm, PageViewer, Viewer
from web.context import Web, web_of
from web.errors import HttpProblem, UnavailableError
from web.formats import day_text, local, number_text, size_text
from web.pages.rendering import language_of, page
from web.ports import StorageFigures
from web.texts import Texts

logger = logging.getLogger("web.storage")

router = APIRouter(include_in_schema=False)

WARNINGS = {"low": "storage.low", "critical": "storage.critical"}

MAX_MINUTES = 10_000_000
MAX_DAYS = 36_500

CHART_HEIGHT = 48
BAR = 10
"Units of the drawing, gap included."


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One figure with what it means."""

    name: str
    value: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskView:
    """The file system, in words."""

    folder: str
    facts: tuple[Fact, ...]
    percent: int
    warning: str | None
    "Key of a sentence."


@dataclass(frozen=True, slots=True, kw_only=True)
class BarView:
    """One day of the chart."""

    x: int
    y: float
    height: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """The calculator's fields and its answer."""

    minutes: str
    days: str
    result: str | None
    bad: bool


@router.get("/storage")
async def storage_page(
    request: Request,
    viewer: PageViewer,
    minutes: Annotated[str, Query(max_length=20)] = "2000",
    days: Annotated[str, Query(max_length=20)] = "365",
) -> Response:
    """Show the figures."""
    return await _show(request, viewer, calculation=_calculate(request, minutes, days))


@router.post("/storage/test")
async def test_storage(request: Request, form: AdminForm) -> Response:
    """Write and remove a small file where the recordings are."""
    web = web_of(request)
    try:
        trouble = await web.disk.run(web.ports.storage.test)
    except UnavailableError as error:
        trouble = str(error)
    except OSError as error:
        trouble = error.strerror or type(error).__name__
    await web.ports.changes.write(
        AuditEntry(
            at=web.ports.wall(),
            actor=form.viewer.actor,
            action="storage.test",
            object="recordings",
            detail={"trouble": trouble},
        )
    )
    return await _show(
        request,
        form.viewer,
        calculation=_calculate(request, "2000", "365"),
        tested=True,
        test_trouble=trouble,
    )


async def _show(
    request: Request,
    viewer: Viewer,
    *,
    calculation: Calculation,
    tested: bool = False,
    test_trouble: str | None = None,
) -> Response:
    if not viewer.admin:
        raise HttpProblem(403, "only for administrators")
    web = web_of(request)
    t = Texts(language_of(request))
    now = web.ports.wall()
    usage = await web.ports.reader.usage(window_start(now))
    stored = await web.ports.reader.stored()
    figures, trouble = await _figures(web)
    count = number_text(stored.recordings, t.language)
    recordings = Fact(
        name=t("storage.recordings"),
        value=size_text(stored.octets, t.language),
        hint=t("storage.recordings_count", count=count),
    )
    rate = growth(usage, now)
    disk = None
    if figures is not None:
        disk = _disk(figures, recordings, rate, local(now, web.settings.timezone).date(), t)
    return page(
        request,
        "storage.html",
        viewer=viewer,
        disk=disk,
        facts=disk.facts if disk else (recordings, _growth_fact(rate, t)),
        trouble=trouble,
        bars=_bars(usage, now, t),
        chart_width=WINDOW_DAYS * BAR,
        chart_height=CHART_HEIGHT,
        chart_days=WINDOW_DAYS,
        chart_from=day_text(_utc_day(now // DAY_US - WINDOW_DAYS + 1), t.language),
        chart_to=day_text(_utc_day(now // DAY_US), t.language),
        calculation=calculation,
        octets_per_minute=OCTETS_PER_MINUTE,
        tested=tested,
        test_trouble=test_trouble,
    )


async def _figures(web: Web) -> tuple[StorageFigures | None, str | None]:
    try:
        return await web.disk.run(web.ports.storage.figures), None
    except UnavailableError as error:
        return None, str(error)
    except OSError as error:
        logger.warning("no figures of the storage: %s", error)
        return None, error.strerror or type(error).__name__


def _disk(
    figures: StorageFigures, recordings: Fact, rate: Growth, today: date, t: Texts
) -> DiskView:
    used = figures.total_octets - figures.free_octets
    share = figures.free_octets / figures.total_octets if figures.total_octets else 0.0
    warning = WARNINGS.get(figures.level)
    minutes = number_text(minutes_left(figures.free_octets), t.language)
    total = size_text(figures.total_octets, t.language)
    return DiskView(
        folder=figures.folder,
        facts=(
            recordings,
            Fact(
                name=t("storage.used"),
                value=size_text(used, t.language),
                hint=t("storage.used_of", total=total),
            ),
            Fact(
                name=t("storage.free"),
                value=size_text(figures.free_octets, t.language),
                hint=t("storage.free_minutes", minutes=minutes),
            ),
            _growth_fact(rate, t),
            _full_fact(rate, figures.free_octets, today, t),
        ),
        percent=round(100 * (1 - share)),
        warning=warning,
    )


def _growth_fact(rate: Growth, t: Texts) -> Fact:
    name = t("storage.growth")
    if rate.days == 0:
        return Fact(name=name, value="–", hint=t("storage.no_growth"))  # noqa: RUF001 - a dash
    key = "storage.growth_day" if rate.days == 1 else "storage.growth_days"
    minutes = number_text(rate.minutes_per_day, t.language, 0 if rate.minutes_per_day >= 10 else 1)
    return Fact(
        name=name,
        value=size_text(rate.octets_per_day, t.language),
        hint=t(key, minutes=minutes, days=rate.days),
    )


def _full_fact(rate: Growth, free_octets: int, today: date, t: Texts) -> Fact:
    name = t("storage.full")
    full_on = rate.full_on(free_octets, today)
    if full_on is None:
        key = "storage.full_far" if rate.octets_per_day else "storage.full_never"
        return Fact(name=name, value="–", hint=t(key))  # noqa: RUF001 - a dash
    return Fact(
        name=name,
        value=day_text(full_on, t.language),
        hint=t("storage.full_days", days=number_text((full_on - today).days, t.language)),
    )


def _utc_day(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def _bars(usage: tuple[DayUsage, ...], now: int, t: Texts) -> list[BarView]:
    """Return one bar per day of the window, the days without recordings too."""
    first = now // DAY_US - WINDOW_DAYS + 1
    seconds = {day.day: day.seconds for day in usage}
    most = max((seconds.get(first + n, 0.0) for n in range(WINDOW_DAYS)), default=0.0)
    bars = []
    for n in range(WINDOW_DAYS):
        amount = seconds.get(first + n, 0.0)
        height = round(max(CHART_HEIGHT * amount / most, 1.0), 1) if amount else 0.0
        title = t(
            "storage.chart_day",
            date=day_text(_utc_day(first + n), t.language),
            minutes=number_text(amount / 60, t.language, 0 if amount >= 600 else 1),
        )
        bars.append(
            BarView(x=n * BAR, y=round(CHART_HEIGHT - height, 1), height=height, title=title)
        )
    return bars


def _calculate(request: Request, minutes: str, days: str) -> Calculation:
    t = Texts(language_of(request))
    per_day, for_days = _number(minutes), _number(days)
    bad = per_day is None or for_days is None
    result = None
    if per_day is not None and for_days is not None:
        bad = per_day > MAX_MINUTES or for_days > MAX_DAYS
    if per_day is not None and for_days is not None and not bad:
        result = t(
            "calculator.result",
            day=size_text(planned_octets(per_day, 1), t.language),
            total=size_text(planned_octets(per_day, for_days), t.language),
            days=number_text(for_days, t.language),
        )
    return Calculation(minutes=minutes.strip(), days=days.strip(), result=result, bad=bad)


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
