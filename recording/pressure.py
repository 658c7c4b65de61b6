"""How hard pressed a recorder is, and what it does about that: a table with hysteresis.

Up goes one level at a time, when the backlog has been over the next level's `enter` bounds
for `RISE_AFTER_S` without a break; down, when it has been under the present level's `leave`
bounds for `FALL_AFTER_S`. Between the two bounds nothing changes. So a stall of a moment (a
recorder that was stopped and catches up) costs nothing, and nothing flickers.

Recordings that run are never touched: a level only decides about those that begin.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from recording.encoder import LOWEST_QUALITY

RISE_AFTER_S: Final = 1.0

FALL_AFTER_S: Final = 10.0


class Level(IntEnum):
    """How things stand, from good to bad."""

    CALM = 0
    CHEAPER = 1
    "New recordings at LAME's lowest quality."
    FULL = 2
    "No new recordings."


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits in a recorder."""

    behind_s: float
    "From the newest packet that was read to now."
    encoding_s: float
    "Age of the oldest chunk that is not encoded."
    unread: float
    "Share of the fullest ring that was not read yet, 0 to 1."


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the table: any `enter` bound leads up to it, all `leave` bounds down from it."""

    enter_s: float
    leave_s: float
    enter_unread: float
    leave_unread: float


STEPS: Final[Mapping[Level, Step]] = {
    Level.CHEAPER: Step(enter_s=1.0, leave_s=0.5, enter_unread=0.3, leave_unread=0.15),
    Level.FULL: Step(enter_s=2.5, leave_s=1.25, enter_unread=0.6, leave_unread=0.4),
}
"""A recorder on a quiet machine is some 50 ms behind. A ring holds about 4 s; from 2.5 s on each
further recording would bring those that run nearer to losing packets."""


class Pressure:
    """The level of one recorder; the clock is the caller's (seconds, monotonic)."""

    def __init__(self) -> None:
        self.level = Level.CALM
        self._direction = 0
        self._since = 0.0
        "When `_direction` began."

    def update(self, backlog: Backlog, now: float) -> bool:
        """Take a look at the backlog; return whether the level has changed."""
        direction = self._wanted(backlog)
        if direction != self._direction:
            self._direction, self._since = direction, now
        patience_s = RISE_AFTER_S if direction > 0 else FALL_AFTER_S
        if direction == 0 or now - self._since < patience_s:
            return False
        self.level = Level(self.level + direction)
        self._since = now
        return True

    def quality(self, configured: int) -> int:
        """Return the quality at which a recording begins now."""
        return configured if self.level is Level.CALM else LOWEST_QUALITY

    def _wanted(self, backlog: Backlog) -> int:
        waits_s = max(backlog.behind_s, backlog.encoding_s)
        if self.level is not Level.FULL:
            above = STEPS[Level(self.level + 1)]
            if waits_s >= above.enter_s or backlog.unread >= above.enter_unread:
                return 1
        if self.level is not Level.CALM:
            here = STEPS[self.level]
            if waits_s < here.leave_s and backlog.unread < here.leave_unread:
                return -1
        return 0
