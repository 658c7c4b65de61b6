"""The figures of the storage for the command line; the arithmetic is that of the page."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from b2bua.datadir import DataFolder
from b2bua.errors import DataFolderError
from b2bua.reports import read
from b2bua.wall_clock import wall_us
from cdr.queries import ReadOnly
from cdr.usage import DayUsage, Stored, growth, planned_octets, size_text, window_start
from recording.storage import free_space


def storage_report(folder: DataFolder, configured: Path | None) -> dict[str, Any]:
    """Return folder, figures and forecast; raises `DataFolderError`."""
    now = wall_us()

    async def query(database: ReadOnly) -> tuple[tuple[DayUsage, ...], Stored]:
        return await database.usage(window_start(now)), await database.stored()

    usage, stored = read(folder, query)
    root = folder.recordings(configured)
    try:
        state = free_space(root)
    except OSError as error:
        raise DataFolderError(f"{root}: {os.strerror(error.errno or 0)}") from error
    rate = growth(usage, now)
    until_full = rate.days_until_full(state.free_octets)
    full_on = rate.full_on(state.free_octets, datetime.now(UTC).date())
    return {
        "folder": str(root),
        "total_octets": state.total_octets,
        "used_octets": state.total_octets - state.free_octets,
        "free_octets": state.free_octets,
        "level": str(state.level),
        "recordings": stored.recordings,
        "recordings_octets": stored.octets,
        "growth_days": rate.days,
        "growth_octets_per_day": round(rate.octets_per_day),
        "growth_minutes_per_day": round(rate.minutes_per_day, 1),
        "days_until_full": None if until_full is None else int(until_full),
        "full_on": None if full_on is None else full_on.isoformat(),
    }


def calculated(minutes_per_day: int, days: int) -> dict[str, int]:
    """Return what so much talk takes."""
    return {
        "minutes_per_day": minutes_per_day,
        "days": days,
        "octets_per_day": planned_octets(minutes_per_day, 1),
        "octets": planned_octets(minutes_per_day, days),
    }


def in_words(report: dict[str, Any], plan: dict[str, int] | None) -> list[str]:
    """Return the report as lines for people."""
    growth_text = "no traffic yet"
    if report["growth_days"]:
        growth_text = (
            f"{size_text(report['growth_octets_per_day'])}, "
            f"{report['growth_minutes_per_day']:g} minutes, "
            f"average of {report['growth_days']} days"
        )
    full = report["full_on"] or "not in sight"
    if report["full_on"]:
        full += f", in {report['days_until_full']} days"
    facts = [
        ("folder", report["folder"]),
        ("total", size_text(report["total_octets"])),
        ("used", size_text(report["used_octets"])),
        ("free", f"{size_text(report['free_octets'])} ({report['level']})"),
        ("recordings", f"{report['recordings']}, {size_text(report['recordings_octets'])}"),
        ("growth per day", growth_text),
        ("full on", full),
    ]
    if plan is not None:
        need = (
            f"{plan['minutes_per_day']} minutes a day: {size_text(plan['octets_per_day'])} a day, "
            f"{size_text(plan['octets'])} in {plan['days']} days"
        )
        facts.append(("plan", need))
    return [f"{name:16} {text}" for name, text in facts]
