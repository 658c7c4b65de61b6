"""The question whether a call may be recorded, as a state table. It starts nothing itself.

The owner plays the prompt, tells what happens to it and to the asked party, and gets one
verdict. Only `GRANTED` may become a permit; everything else, known or not, is a no. The
same table serves the menu of an incoming or outgoing call and the question in the middle
of a call (`manual_consent = ask`), which the asking extension may take back.

A key counts from the prompt's set point, that is once the party has heard that it is about
a recording; what was pressed before is nothing, neither a yes nor a no.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import Final, TypeAlias

from ivr.key_pad import Way

ANSWER_TIME_S: Final = 5.0
"After the end of the prompt; then silence is a no."

START_TIME_S: Final = 10.0
"For a prompt that never begins: the party was not asked, so it has not agreed."

OVERTIME_S: Final = 3.0
"For a prompt whose end is never told, beyond its length."

AFTER_FIRST_PACKET_S: Final = 0.3
"The prompt begins so long after both ACK and first packet: the ear needs a moment."

AFTER_ACK_S: Final = 1.0
"A party that sends nothing hears the prompt all the same."


def prompt_due(*, acknowledged_at: float, first_packet_at: float | None) -> float:
    """Return when the prompt is to begin, as far as is known yet."""
    latest = acknowledged_at + AFTER_ACK_S
    if first_packet_at is None:
        return latest
    return min(latest, max(acknowledged_at, first_packet_at) + AFTER_FIRST_PACKET_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: facts of the prompt that is played."""

    prompt_id: str
    language: str
    sha256: str
    duration_ms: int
    counts_from_ms: int
    "The set point: a key counts from here."
    accept: str = "1"


class Departure(StrEnum):
    """How the asked party withdrew from the question."""

    HOLD = "hold"
    TRANSFER = "transfer"
    BYE = "bye"


@dataclass(frozen=True, slots=True)
class PromptStarted:
    at: float


@dataclass(frozen=True, slots=True)
class PromptProgressed:
    at: float
    played_ms: int


@dataclass(frozen=True, slots=True)
class PromptEnded:
    at: float
    played_ms: int
    completed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitPressed:
    """A key of the asked party; the caller has checked whose it is."""

    key: str
    at: float
    "Instant of its first packet, or of the request."
    transport: Way
    rtp_timestamp: int | None = None
    ssrc: int | None = None
    played_ms: int | None = None
    "Of the prompt at that instant, where whoever plays it knows."


@dataclass(frozen=True, slots=True)
class TimePassed:
    at: float


@dataclass(frozen=True, slots=True)
class PartyLeft:
    at: float
    how: Departure


@dataclass(frozen=True, slots=True)
class SessionRefreshed:
    """A re-INVITE or UPDATE that changes nothing (:rfc:`4028`)."""

    at: float


@dataclass(frozen=True, slots=True)
class QuestionCancelled:
    """The asking side gave up: a second press of its key, or it hung up."""

    at: float


Event: TypeAlias = (
    PromptStarted
    | PromptProgressed
    | PromptEnded
    | DigitPressed
    | TimePassed
    | PartyLeft
    | SessionRefreshed
    | QuestionCancelled
)


class Decision(StrEnum):
    GRANTED = "granted"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    LEFT = "left"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision with all facts for the evidence."""

    decision: Decision
    at: float
    "Monotonic seconds; of a digit: its first packet."
    prompt_id: str
    language: str
    sha256: str
    played_ms: int
    completed: bool
    digit: str | None = None
    transport: Way | None = None
    rtp_timestamp: int | None = None
    ssrc: int | None = None
    departure: Departure | None = None


class State(Enum):
    WAITING = auto()
    "The prompt has not begun."
    PLAYING = auto()
    LISTENING = auto()
    "The prompt has ended; the answer may still come."
    DECIDED = auto()


class ConsentMenu:
    """One question to one party. Times are monotonic seconds."""

    __slots__ = (
        "_completed",
        "_deadline",
        "_played_ms",
        "_started_at",
        "question",
        "state",
        "verdict",
    )

    def __init__(self, question: Question, now: float) -> None:
        self.question = question
        self.state = State.WAITING
        self.verdict: Verdict | None = None
        self._deadline = now + START_TIME_S
        self._started_at = now
        self._played_ms = 0
        self._completed = False

    def handle(self, event: Event) -> Verdict | None:
        """Take an event; return the verdict when it falls, once."""
        # Whatever it is: time that ran out before it is a no already.
        if self.state is not State.DECIDED and event.at > self._deadline:
            return self._decide(Decision.TIMED_OUT, self._deadline)
        return TABLE[self.state, type(event)](self, event)

    def next_timeout(self) -> float | None:
        """Return when `TimePassed` is due, if at all."""
        return None if self.state is State.DECIDED else self._deadline

    def ignore(self, event: Event) -> None:
        """Change nothing."""

    def start(self, event: Event) -> None:
        """Begin to count the prompt's time."""
        self.state = State.PLAYING
        self._started_at = event.at
        self._deadline = event.at + self.question.duration_ms / 1000 + ANSWER_TIME_S + OVERTIME_S

    def progress(self, event: Event) -> None:
        """Remember how much was played."""
        assert isinstance(event, PromptProgressed)
        self._played_ms = max(self._played_ms, event.played_ms)

    def end(self, event: Event) -> Verdict | None:
        """Wait for the answer, unless the prompt broke off before it said what it is about."""
        assert isinstance(event, PromptEnded)
        self._played_ms = max(self._played_ms, event.played_ms)
        self._completed = event.completed
        if not event.completed and self._played_ms < self.question.counts_from_ms:
            return self._decide(Decision.TIMED_OUT, event.at)
        self.state = State.LISTENING
        self._deadline = event.at + ANSWER_TIME_S
        return None

    def fail(self, event: Event) -> Verdict:
        """Take a prompt that ends without having begun for one that nobody heard."""
        return self._decide(Decision.TIMED_OUT, event.at)

    def judge(self, event: Event) -> Verdict | None:
        """Take a key for an answer, once the set point has been heard."""
        assert isinstance(event, DigitPressed)
        played_ms = self._played_at(event)
        if played_ms < self.question.counts_from_ms:
            return None
        self._played_ms = max(self._played_ms, played_ms)
        granted = event.key == self.question.accept
        return self._decide(
            Decision.GRANTED if granted else Decision.REFUSED, event.at, digit=event
        )

    def time_out(self, event: Event) -> Verdict | None:
        """Decide at the deadline, not before."""
        if event.at < self._deadline:
            return None
        return self._decide(Decision.TIMED_OUT, event.at)

    def leave(self, event: Event) -> Verdict:
        """Take the party's hold, transfer or BYE for a no."""
        assert isinstance(event, PartyLeft)
        return self._decide(Decision.LEFT, event.at, departure=event.how)

    def cancel(self, event: Event) -> Verdict:
        """End without an answer."""
        return self._decide(Decision.CANCELLED, event.at)

    def _played_at(self, digit: DigitPressed) -> int:
        """Return how much of the prompt the party had heard when it pressed."""
        if digit.played_ms is not None:
            return digit.played_ms
        elapsed_ms = max(0, int((digit.at - self._started_at) * 1000))
        # After the end the player's word is better than our clock.
        known = self._played_ms if self.state is State.LISTENING else self.question.duration_ms
        return min(elapsed_ms, known)

    def _decide(
        self,
        decision: Decision,
        at: float,
        *,
        digit: DigitPressed | None = None,
        departure: Departure | None = None,
    ) -> Verdict:
        self.state = State.DECIDED
        verdict = Verdict(
            decision=decision,
            at=at,
            prompt_id=self.question.prompt_id,
            language=self.question.language,
            sha256=self.question.sha256,
            played_ms=self._played_ms,
            completed=self._completed,
            departure=departure,
        )
        if digit is not None:
            verdict = replace(
                verdict,
                digit=digit.key,
                transport=digit.transport,
                rtp_timestamp=digit.rtp_timestamp,
                ssrc=digit.ssrc,
            )
        self.verdict = verdict
        return verdict


_Step: TypeAlias = Callable[[ConsentMenu, Event], Verdict | None]
_EVENTS: Final[tuple[type[Event], ...]] = (
    PromptStarted,
    PromptProgressed,
    PromptEnded,
    DigitPressed,
    TimePassed,
    PartyLeft,
    SessionRefreshed,
    QuestionCancelled,
)


def _row(*steps: _Step) -> dict[type[Event], _Step]:
    return dict(zip(_EVENTS, steps, strict=True))


_M = ConsentMenu
_ROWS: Final = {
    # started, progressed, ended, digit, time, left, refreshed, cancelled
    State.WAITING: _row(
        _M.start, _M.ignore, _M.fail, _M.ignore, _M.time_out, _M.leave, _M.ignore, _M.cancel
    ),
    State.PLAYING: _row(
        _M.ignore, _M.progress, _M.end, _M.judge, _M.time_out, _M.leave, _M.ignore, _M.cancel
    ),
    State.LISTENING: _row(
        _M.ignore, _M.ignore, _M.ignore, _M.judge, _M.time_out, _M.leave, _M.ignore, _M.cancel
    ),
    State.DECIDED: _row(*(_M.ignore,) * len(_EVENTS)),
}
TABLE: Final = {(state, event): step for state, row in _ROWS.items() for event, step in row.items()}
"What is done in each state on each event; nothing is left open."
