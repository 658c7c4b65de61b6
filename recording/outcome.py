"""What a call's row says about its recording: exactly one outcome, and why.

The order of `Outcome` is the order of precedence: the first one whose facts are there
applies. So a call that was recorded in part and lost audio is `failed`, and a call that
rang without answer is `not_connected`, whatever its policy would have been.

Pure: facts in, conclusion out. The same function judges a call, and one segment of it.
"""

from dataclasses import dataclass
from enum import StrEnum

from recording.reasons import Reason, ReasonKey, because


class Outcome(StrEnum):
    """In order of precedence."""

    WITHDRAWN = "withdrawn"
    "A party took its consent back."

    FAILED = "failed"
    "Wanted and permitted, but audio is missing."

    RECORDED = "recorded"
    TOO_SHORT = "too_short"
    "Recorded, but less than the configured minimum."

    NOT_CONNECTED = "not_connected"
    "The parties never talked."

    REFUSED = "refused"
    "Asked, and the answer was no, silence or another key."

    BLOCKED = "blocked"
    "Wanted, but could not even be asked or started."

    NOT_WANTED = "not_wanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known when a call (or segment) is over."""

    connected: bool
    "The parties talked to each other."

    withdrawn: Reason | None = None
    failure: Reason | None = None
    "Audio is missing that was wanted and permitted."

    started: bool = False
    "At least one recording began, with its permits."

    recorded_s: float = 0.0
    "Length of all playable files."

    minimum_s: float = 0.0
    "Configured: a shorter recording is `too_short`."

    recorded_because: Reason | None = None
    "In place of the plain sentence, e.g. recovered, or a legal duty."

    not_connected: Reason | None = None
    "More exact than that nobody talked."

    refused: Reason | None = None
    blocked: Reason | None = None
    not_wanted: Reason | None = None


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The outcome and the sentence that says why."""

    outcome: Outcome
    reason: Reason


def conclude(facts: Facts) -> Conclusion:
    """Return the one outcome that applies."""
    seconds, minimum = facts.recorded_s, facts.minimum_s
    whole = short = apart = None
    if seconds > 0 and seconds >= minimum:
        whole = facts.recorded_because or because(ReasonKey.RECORDED, seconds=seconds)
    if facts.started or seconds > 0:
        short = because(ReasonKey.TOO_SHORT, seconds=seconds, minimum=minimum)
    if not facts.connected:
        apart = facts.not_connected or because(ReasonKey.NOT_CONNECTED)
    table: tuple[tuple[Outcome, Reason | None], ...] = (
        (Outcome.WITHDRAWN, facts.withdrawn),
        (Outcome.FAILED, facts.failure),
        (Outcome.RECORDED, whole),
        (Outcome.TOO_SHORT, short),
        (Outcome.NOT_CONNECTED, apart),
        (Outcome.REFUSED, facts.refused),
        (Outcome.BLOCKED, facts.blocked),
    )
    for outcome, reason in table:
        if reason is not None:
            return Conclusion(outcome, reason)
    return Conclusion(Outcome.NOT_WANTED, facts.not_wanted or because(ReasonKey.NOBODY_ASKED))
