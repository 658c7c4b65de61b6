"""Which child gets the next leg or recording: the one that has least to do."""

from collections.abc import Sequence
from dataclasses import dataclass

from b2bua.errors import MitschnittError

SILENT_S = 4.0
"""A recorder reports once a second, and its ring holds some 4 s: one that has said nothing for so
long would lose what is put there."""


class RecorderBusyError(MitschnittError):
    """No recorder takes a new recording now."""


@dataclass(slots=True)
class Load:
    """How much of a processor a child uses, from the CPU seconds that it reports."""

    share: float = 0.0
    "Of one processor, between the last two reports."
    _cpu_s: float = 0.0
    _at: float | None = None

    def report(self, cpu_s: float, now: float) -> None:
        """Take a total; `now` in seconds, monotonic."""
        if self._at is not None and now > self._at:
            self.share = max(0.0, cpu_s - self._cpu_s) / (now - self._at)
        self._cpu_s, self._at = cpu_s, now


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A child as it is weighed."""

    share: float
    "Of a processor, a report ago."
    count: int
    "Legs or recordings now."
    level: int = 0
    "How hard pressed a recorder says it is; media workers never are."
    taking: bool = True


def choose(candidates: Sequence[Candidate]) -> int | None:
    """Return the index of the best candidate; None where none takes any more.

    The share is a second old and shakes, so only tenths of it count, and whoever comes in
    meanwhile goes by the count.
    """
    takers = [index for index, each in enumerate(candidates) if each.taking]
    return min(takers, key=lambda index: _rank(candidates[index]), default=None)


def _rank(candidate: Candidate) -> tuple[int, float, int]:
    return candidate.level, round(candidate.share, 1), candidate.count
