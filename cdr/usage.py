"""How much the recordings take, how fast they grow, and when the disk will be full.

From real traffic: the recordings table itself, of the last weeks. Pure functions; days are UTC
days, because a forecast over weeks does not care where midnight is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

DAY_US = 86_400_000_000
OCTETS_PER_MINUTE = 200_000
"""What is promised per recorded minute, for planning: 2,000 minutes a day are 400 MB a day.
24 kbit/s are 180,000."""

WINDOW_DAYS = 28
"Whole weeks, so that weekends count as they should."

FAR_DAYS = 3650
"Nobody foresees the traffic of so many days."

UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsage:
    """What was recorded on one day."""

    day: int
    "Days since 1970-01-01 UTC."
    octets: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is there now."""

    recordings: int
    octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What an average day brings."""

    days: int
    "Over how many days; 0: nothing was recorded in the window."
    octets_per_day: float
    minutes_per_day: float

    def days_until_full(self, free_octets: int) -> float | None:
        """Return how long the space will last; None where nothing grows."""
        if self.octets_per_day <= 0:
            return None
        return free_octets / self.octets_per_day

    def full_on(self, free_octets: int, today: date) -> date | None:
        """Return the day when the space will be used up; None where that is not in sight."""
        days = self.days_until_full(free_octets)
        if days is None or days > FAR_DAYS:
            return None
        return today + timedelta(days=math.floor(days))


def growth(usage: Sequence[DayUsage], now: int) -> Growth:
    """Return the average over the window's days, from the first recording in it until `now`.

    Days without recordings count. A first day that has only begun counts as a whole one: the
    forecast of a fresh installation is not dramatic.
    """
    today = now // DAY_US
    window = [day for day in usage if today - WINDOW_DAYS < day.day <= today]
    if not window:
        return Growth(days=0, octets_per_day=0.0, minutes_per_day=0.0)
    days = today - min(day.day for day in window) + 1
    return Growth(
        days=days,
        octets_per_day=sum(day.octets for day in window) / days,
        minutes_per_day=sum(day.seconds for day in window) / 60 / days,
    )


def window_start(now: int) -> int:
    """Return when the window began that `growth` looks at (Unix microseconds)."""
    return (now // DAY_US - WINDOW_DAYS + 1) * DAY_US


def planned_octets(minutes_per_day: float, days: float) -> int:
    """Return what so much traffic takes."""
    return round(minutes_per_day * days * OCTETS_PER_MINUTE)


def minutes_left(free_octets: int) -> int:
    """Return how many minutes of recordings fit in."""
    return free_octets // OCTETS_PER_MINUTE


def scaled(octets: float) -> tuple[float, int, str]:
    """Return `(400.0, 0, "MB")`: value, places after the point, and a decimal unit.

    Decimal, as disks are sold, and with three digits at least.
    """
    value, unit = float(octets), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    places = 0 if unit == 0 or value >= 99.95 or round(value, 1).is_integer() else 1
    return value, places, UNITS[unit]


def size_text(octets: float) -> str:
    """Return `400 MB`, in English."""
    value, places, unit = scaled(octets)
    return f"{value:,.{places}f} {unit}"
