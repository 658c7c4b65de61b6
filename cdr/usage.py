"""How much the recordings take, how fast they grow, and when the disk will be full.

From real traffic: the recordings table itself, of the last weeks. Pure functions; days are UTC
days, because a forecast over weeks does not care where midnight is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

DAY_US = 86_400_000_000
OCTETS_PER_MINUTE = 200_000
"What is promised per recorded minute, for planning: 2,000 minutes a day are 400 MB a day."

WINDOW_DAYS = 28
"Whole weeks, so that weekends count as they should."


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
