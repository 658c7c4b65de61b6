"""The table of a recorder's load, on a virtual clock."""

import itertools

import pytest

from recording.encoder import LOWEST_QUALITY
from recording.pressure import (
    FALL_AFTER_S,
    RISE_AFTER_S,
    STEPS,
    Backlog,
    Level,
    Pressure,
)

QUIET = Backlog(behind_s=0.05, encoding_s=0.02, unread=0.01)


def backlog(waits_s: float = 0.05, *, encoding_s: float = 0.0, unread: float = 0.01) -> Backlog:
    return Backlog(behind_s=waits_s, encoding_s=encoding_s, unread=unread)


class Clock:
    """Updates a pressure every 20 ms of its own time."""

    def __init__(self) -> None:
        self.pressure = Pressure()
        self.now = 100.0

    def run(self, state: Backlog, seconds: float) -> list[Level]:
        """Let it last; return the levels that it went to."""
        levels = []
        end = self.now + seconds
        while self.now < end:
            self.now += 0.02
            if self.pressure.update(state, self.now):
                levels.append(self.pressure.level)
        return levels

    def press(self, level: Level) -> None:
        self.run(backlog(60.0), (RISE_AFTER_S + 0.1) * level)
        assert self.pressure.level is level


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_quiet_recorder_stays_calm(clock: Clock) -> None:
    assert clock.run(QUIET, 60.0) == []
    assert clock.pressure.level is Level.CALM


@pytest.mark.parametrize(
    "state",
    [
        backlog(STEPS[Level.CHEAPER].enter_s),
        backlog(encoding_s=STEPS[Level.CHEAPER].enter_s),
        backlog(unread=STEPS[Level.CHEAPER].enter_unread),
    ],
)
def test_each_bound_alone_leads_up(clock: Clock, state: Backlog) -> None:
    assert clock.run(state, RISE_AFTER_S - 0.1) == []
    assert clock.run(state, 60.0) == [Level.CHEAPER]


@pytest.mark.parametrize(
    "state",
    [
        backlog(STEPS[Level.FULL].enter_s),
        backlog(encoding_s=STEPS[Level.FULL].enter_s),
        backlog(unread=STEPS[Level.FULL].enter_unread),
    ],
)
def test_first_it_becomes_cheaper_then_it_is_full(clock: Clock, state: Backlog) -> None:
    assert clock.run(state, 60.0) == [Level.CHEAPER, Level.FULL]


def test_a_stall_of_a_moment_changes_nothing(clock: Clock) -> None:
    for _ in range(10):
        assert clock.run(backlog(8.0), RISE_AFTER_S - 0.1) == []
        assert clock.run(QUIET, 0.02) == []


def test_it_comes_down_one_by_one_when_it_was_calm_for_long(clock: Clock) -> None:
    clock.press(Level.FULL)
    assert clock.run(QUIET, FALL_AFTER_S - 0.1) == []
    assert clock.run(QUIET, 0.2) == [Level.CHEAPER]
    assert clock.run(QUIET, FALL_AFTER_S + 0.1) == [Level.CALM]


def test_a_relapse_starts_the_calm_anew(clock: Clock) -> None:
    clock.press(Level.FULL)
    clock.run(QUIET, FALL_AFTER_S - 1.0)
    clock.run(backlog(STEPS[Level.FULL].leave_s), 0.02)
    assert clock.run(QUIET, FALL_AFTER_S - 0.1) == []
    assert clock.pressure.level is Level.FULL


@pytest.mark.parametrize("level", [Level.CHEAPER, Level.FULL])
def test_between_the_bounds_nothing_changes(clock: Clock, level: Level) -> None:
    clock.press(level)
    step = STEPS[level]
    assert clock.run(backlog((step.enter_s + step.leave_s) / 2), 120.0) == []
    assert clock.run(backlog(unread=(step.enter_unread + step.leave_unread) / 2), 120.0) == []


def test_the_rows_of_the_table_leave_room_between_up_and_down() -> None:
    for step in STEPS.values():
        assert 0 < step.leave_s < step.enter_s
        assert 0 < step.leave_unread < step.enter_unread < 1
    for lower, higher in itertools.pairwise(STEPS[level] for level in sorted(STEPS)):
        assert lower.enter_s <= higher.enter_s
        assert lower.enter_unread < higher.enter_unread


def test_the_quality_is_the_configured_one_only_while_it_is_calm(clock: Clock) -> None:
    assert clock.pressure.quality(3) == 3
    clock.press(Level.CHEAPER)
    assert clock.pressure.quality(3) == LOWEST_QUALITY
