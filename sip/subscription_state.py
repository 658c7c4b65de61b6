"""How a notifier paces what it tells one subscriber, as a table (RFC 6665 section 4.2).

One NOTIFY at a time is under way, so that they can't overtake each other, and between two of
them lies a rest. What changes meanwhile is told once, as it is by then: documents hold the full
state, so nothing is lost by that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto


class PaceState(Enum):
    """Where a subscription stands."""

    QUIET = auto()
    "The subscriber knows how things are."
    TELLING = auto()
    "A NOTIFY is under way."
    OWING = auto()
    "A NOTIFY is under way, and says what is not so any more."
    RESTING = auto()
    "Told, and the next NOTIFY would come too soon."
    WAITING = auto()
    "There is something to tell when the rest is over."
    OVER = auto()
    "Told that it is over, or lost: nothing follows."


class PaceInput(Enum):
    """What moves a subscription."""

    CHANGE = auto()
    "There is something to tell."
    ANSWERED = auto()
    "The NOTIFY was answered."
    RESTED = auto()
    "The rest is over."
    END = auto()
    "The subscription ends, and its subscriber is to be told."
    LOST = auto()
    "Nobody listens any more."


class PaceAction(Enum):
    """What is to be done."""

    NOTHING = auto()
    TELL = auto()
    "Send a NOTIFY with how things are."
    REST = auto()
    "Wait until the next one may go out."
    SAY_GOODBYE = auto()
    "Send the last NOTIFY: terminated."
    FORGET = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """Where an input leads, and what it makes us do."""

    state: PaceState
    action: PaceAction = PaceAction.NOTHING


_S, _I, _A = PaceState, PaceInput, PaceAction

_TELL = Step(_S.TELLING, _A.TELL)
_END = Step(_S.OVER, _A.SAY_GOODBYE)
_LOST = Step(_S.OVER, _A.FORGET)
_OVER = Step(_S.OVER)

PACE: Mapping[PaceState, Mapping[PaceInput, Step]] = {
    _S.QUIET: {
        _I.CHANGE: _TELL,
        _I.ANSWERED: Step(_S.QUIET),
        _I.RESTED: Step(_S.QUIET),
        _I.END: _END,
        _I.LOST: _LOST,
    },
    _S.TELLING: {
        _I.CHANGE: Step(_S.OWING),
        _I.ANSWERED: Step(_S.RESTING, _A.REST),
        _I.RESTED: Step(_S.TELLING),
        _I.END: _END,
        _I.LOST: _LOST,
    },
    _S.OWING: {
        _I.CHANGE: Step(_S.OWING),
        _I.ANSWERED: Step(_S.WAITING, _A.REST),
        _I.RESTED: Step(_S.OWING),
        _I.END: _END,
        _I.LOST: _LOST,
    },
    _S.RESTING: {
        _I.CHANGE: Step(_S.WAITING),
        _I.ANSWERED: Step(_S.RESTING),
        _I.RESTED: Step(_S.QUIET),
        _I.END: _END,
        _I.LOST: _LOST,
    },
    _S.WAITING: {
        _I.CHANGE: Step(_S.WAITING),
        _I.ANSWERED: Step(_S.WAITING),
        _I.RESTED: _TELL,
        _I.END: _END,
        _I.LOST: _LOST,
    },
    _S.OVER: dict.fromkeys(PaceInput, _OVER),
}
"Every input is decided in every state: answers and timers may come late."
