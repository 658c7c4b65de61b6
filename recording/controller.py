"""What the record key does: one state machine for `*1`, INFO, the pages and a dialled code.

It knows no telephones. Its owner says who pressed what, carries out the actions that come back,
and reports how the question to the outside party ended. Who may do what stands in the policy's
`Decision`; the states say what is going on:

    idle -> recording             the opt-ins, an attested consent or an earlier yes carry it
    idle -> asking -> recording   the outside party agreed by key
    idle -> waiting -> asking     the call is on hold: the question comes when it is resumed
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final, TypeAlias

from recording.policy import Decision, OnKey


class Wish(StrEnum):
    """What a press means."""

    TOGGLE = "toggle"
    ON = "on"
    OFF = "off"


class State(Enum):
    IDLE = auto()
    WAITING = auto()
    "The question is asked when the call is resumed."
    ASKING = auto()
    RECORDING = auto()


class Action(Enum):
    """What the owner has to do, sounds included."""

    NOTHING = auto()
    START = auto()
    "Begin a segment; it is on."
    STOP = auto()
    "End the segment; it is off."
    ASK = auto()
    "Put the question to the outside party."
    POSTPONE = auto()
    "Say that the outside party will be asked."
    CANCEL = auto()
    "Take the question back; it is off."
    CONFIRM_ON = auto()
    "It was on already."
    CONFIRM_OFF = auto()
    "It was off already."
    REFUSE = auto()
    "Say that it is not allowed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """Somebody of our side asks for something."""

    number: str
    "The extension's."
    wish: Wish
    held: bool
    "Whether the call is on hold."


class RecordingController:
    """The record key of one call."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.state = State.IDLE
        self.consented = False
        "The outside party has agreed in this call."

    def press(self, press: Press) -> Action:
        """Take a press of the key."""
        return TABLE[self.state, press.wish](self, press)

    def begin(self) -> None:
        """Note that a recording began by itself."""
        self.state = State.RECORDING

    def ask(self) -> None:
        """Note that the question is being asked, whoever wanted it."""
        self.state = State.ASKING

    def resumed(self) -> Action:
        """Take the end of a hold."""
        if self.state is not State.WAITING:
            return Action.NOTHING
        self.state = State.ASKING
        return Action.ASK

    def answered(self, *, granted: bool) -> Action:
        """Take the outside party's answer."""
        if self.state is not State.ASKING:
            return Action.NOTHING
        self.state = State.RECORDING if granted else State.IDLE
        self.consented = self.consented or granted
        return Action.START if granted else Action.NOTHING

    def ended(self) -> None:
        """Note that the recording is over, or could not begin."""
        self.state = State.IDLE

    # --- the steps of the table

    def start(self, press: Press) -> Action:
        """Begin, ask, or refuse, as the policy says."""
        decision = self.decision
        if press.number not in decision.may_start:
            return Action.REFUSE
        if decision.on_key is OnKey.START or self.consented:
            self.state = State.RECORDING
            return Action.START
        if press.held:
            self.state = State.WAITING
            return Action.POSTPONE
        self.state = State.ASKING
        return Action.ASK

    def stop(self, press: Press) -> Action:
        """End the segment."""
        if press.number not in self.decision.may_stop:
            return Action.REFUSE
        self.state = State.IDLE
        return Action.STOP

    def take_back(self, press: Press) -> Action:
        """Give up the question."""
        if press.number not in self.decision.may_start:
            return Action.REFUSE
        asked, self.state = self.state, State.IDLE
        return Action.CANCEL if asked is State.ASKING else Action.CONFIRM_OFF

    def is_on(self, press: Press) -> Action:
        """Say the same as at the start."""
        return Action.CONFIRM_ON if press.number in self.decision.may_start else Action.REFUSE

    def is_off(self, press: Press) -> Action:
        """Say the same as at the end."""
        return Action.CONFIRM_OFF if press.number in self.decision.may_start else Action.REFUSE

    def will_be_asked(self, press: Press) -> Action:
        """Say so again."""
        return Action.POSTPONE if press.number in self.decision.may_start else Action.REFUSE

    def is_asked(self, press: Press) -> Action:
        """Go on with the question."""
        return Action.NOTHING if press.number in self.decision.may_start else Action.REFUSE


_Step: TypeAlias = Callable[[RecordingController, Press], Action]
_C: TypeAlias = RecordingController

TABLE: Final[Mapping[tuple[State, Wish], _Step]] = {
    (State.IDLE, Wish.TOGGLE): _C.start,
    (State.IDLE, Wish.ON): _C.start,
    (State.IDLE, Wish.OFF): _C.is_off,
    (State.WAITING, Wish.TOGGLE): _C.take_back,
    (State.WAITING, Wish.ON): _C.will_be_asked,
    (State.WAITING, Wish.OFF): _C.take_back,
    (State.ASKING, Wish.TOGGLE): _C.take_back,
    (State.ASKING, Wish.ON): _C.is_asked,
    (State.ASKING, Wish.OFF): _C.take_back,
    (State.RECORDING, Wish.TOGGLE): _C.stop,
    (State.RECORDING, Wish.ON): _C.is_on,
    (State.RECORDING, Wish.OFF): _C.stop,
}
"What a press does in each state; nothing is left open."
