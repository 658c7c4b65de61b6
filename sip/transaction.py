"""The four transaction state machines as tables (RFC 3261 section 17, RFC 6026).

A table says for every state and every input what happens; nothing else in the package decides
that. `Transaction.feed` is the only way to change a state. It returns the actions of the rule,
which the transaction layer carries out: this file sends nothing and reads no clock.

Where we go beyond the RFCs' figures:

- `State.TERMINATED` takes every input and does nothing, so that a late timer is harmless.
- A client INVITE transaction takes `Input.GIVE_UP`: RFC 3261 section 9.1 lets the core destroy it
  when no final response comes within 64*T1 of a CANCEL.
- A non-INVITE server transaction that the application does not answer ends by itself after
  64*T1: then the client has timed out too, and RFC 4320 section 4.2 forbids a late answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from sip.timers import Timers


class State(Enum):
    """States of RFC 3261 figures 5 to 8, and Accepted of RFC 6026."""

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()

    __hash__ = object.__hash__  # members are singletons; Enum's own hash costs a Python call


class Input(Enum):
    """What can happen to a transaction."""

    RECEIVE_1XX = auto()
    RECEIVE_2XX = auto()
    RECEIVE_300_699 = auto()
    RECEIVE_REQUEST = auto()
    "The request again: a retransmission."
    RECEIVE_ACK = auto()
    SEND_1XX = auto()
    SEND_2XX = auto()
    SEND_300_699 = auto()
    TIMER_A = auto()
    TIMER_B = auto()
    TIMER_D = auto()
    TIMER_E = auto()
    TIMER_F = auto()
    TIMER_G = auto()
    TIMER_H = auto()
    TIMER_I = auto()
    TIMER_J = auto()
    TIMER_K = auto()
    TIMER_L = auto()
    TIMER_M = auto()
    GIVE_UP = auto()
    "Someone owes a final response for 64*T1: our application, or a peer that we sent a CANCEL."
    TRANSPORT_ERROR = auto()

    __hash__ = object.__hash__


class Action(Enum):
    """What the transaction layer does for a rule, in the order of the rule."""

    SEND = auto()
    "Send the message at hand and keep it for `RESEND`."
    RESEND = auto()
    "Send the kept message again; nothing where none was kept yet."
    ACK = auto()
    "Answer a final response to INVITE with the ACK of this hop (RFC 3261 section 17.1.1.3)."
    PASS = auto()
    "Give the message to the transaction user."
    TIMED_OUT = auto()
    "Tell the transaction user that nobody answered."
    UNREACHABLE = auto()
    "Tell the transaction user that the transport failed."
    STOP = auto()
    "Stop all timers."
    START_A = auto()
    START_B = auto()
    START_D = auto()
    START_E = auto()
    START_E_SLOW = auto()
    "Timer E at T2, as the Proceeding state has it."
    START_F = auto()
    START_G = auto()
    START_H = auto()
    START_I = auto()
    START_J = auto()
    START_K = auto()
    START_L = auto()
    START_M = auto()
    START_GIVE_UP = auto()

    __hash__ = object.__hash__


class Rule(NamedTuple):
    """The next state and what to do."""

    state: State
    actions: tuple[Action, ...]


Table = Mapping[State, Mapping[Input, Rule]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machine:
    """One kind of transaction."""

    name: str
    inputs: frozenset[Input]
    "Every state has a rule for each of them."
    start: Rule
    table: Table


def _go(state: State, *actions: Action) -> Rule:
    return Rule(state, actions)


def _end(*actions: Action) -> Rule:
    return Rule(State.TERMINATED, (Action.STOP, *actions))


def _machine(name: str, start: Rule, rows: dict[State, dict[Input, Rule]]) -> Machine:
    """Complete the rows: what a row does not name leaves its state and does nothing.

    The tests hold the completed tables against their own list, pair by pair.
    """
    inputs = frozenset(given for row in rows.values() for given in row)
    table = {
        state: {given: row.get(given, Rule(state, ())) for given in inputs}
        for state, row in (rows | {State.TERMINATED: {}}).items()
    }
    return Machine(name=name, inputs=inputs, start=start, table=table)


_S, _I, _A = State, Input, Action

CLIENT_INVITE = _machine(
    "client INVITE",
    _go(_S.CALLING, _A.SEND, _A.START_A, _A.START_B),
    {
        _S.CALLING: {
            _I.RECEIVE_1XX: _go(_S.PROCEEDING, _A.STOP, _A.PASS),
            _I.RECEIVE_2XX: _go(_S.ACCEPTED, _A.STOP, _A.START_M, _A.PASS),
            _I.RECEIVE_300_699: _go(_S.COMPLETED, _A.STOP, _A.ACK, _A.START_D, _A.PASS),
            _I.TIMER_A: _go(_S.CALLING, _A.RESEND, _A.START_A),
            _I.TIMER_B: _end(_A.TIMED_OUT),
            _I.GIVE_UP: _end(_A.TIMED_OUT),
            _I.TRANSPORT_ERROR: _end(_A.UNREACHABLE),
        },
        _S.PROCEEDING: {
            _I.RECEIVE_1XX: _go(_S.PROCEEDING, _A.PASS),
            _I.RECEIVE_2XX: _go(_S.ACCEPTED, _A.START_M, _A.PASS),
            _I.RECEIVE_300_699: _go(_S.COMPLETED, _A.ACK, _A.START_D, _A.PASS),
            _I.GIVE_UP: _end(_A.TIMED_OUT),
        },
        _S.COMPLETED: {
            _I.RECEIVE_300_699: _go(_S.COMPLETED, _A.ACK),
            _I.TIMER_D: _end(),
            _I.TRANSPORT_ERROR: _end(),
        },
        _S.ACCEPTED: {
            _I.RECEIVE_2XX: _go(_S.ACCEPTED, _A.PASS),
            _I.TIMER_M: _end(),
        },
    },
)
"RFC 3261 figure 5 with RFC 6026 section 7.2."

CLIENT_NON_INVITE = _machine(
    "client non-INVITE",
    _go(_S.TRYING, _A.SEND, _A.START_E, _A.START_F),
    {
        _S.TRYING: {
            _I.RECEIVE_1XX: _go(_S.PROCEEDING, _A.PASS),
            _I.RECEIVE_2XX: _go(_S.COMPLETED, _A.STOP, _A.START_K, _A.PASS),
            _I.RECEIVE_300_699: _go(_S.COMPLETED, _A.STOP, _A.START_K, _A.PASS),
            _I.TIMER_E: _go(_S.TRYING, _A.RESEND, _A.START_E),
            _I.TIMER_F: _end(_A.TIMED_OUT),
            _I.TRANSPORT_ERROR: _end(_A.UNREACHABLE),
        },
        _S.PROCEEDING: {
            _I.RECEIVE_1XX: _go(_S.PROCEEDING, _A.PASS),
            _I.RECEIVE_2XX: _go(_S.COMPLETED, _A.STOP, _A.START_K, _A.PASS),
            _I.RECEIVE_300_699: _go(_S.COMPLETED, _A.STOP, _A.START_K, _A.PASS),
            _I.TIMER_E: _go(_S.PROCEEDING, _A.RESEND, _A.START_E_SLOW),
            _I.TIMER_F: _end(_A.TIMED_OUT),
            _I.TRANSPORT_ERROR: _end(_A.UNREACHABLE),
        },
        _S.COMPLETED: {
            _I.TIMER_K: _end(),
        },
    },
)
"RFC 3261 figure 6."

SERVER_INVITE = _machine(
    "server INVITE",
    _go(_S.PROCEEDING),
    {
        _S.PROCEEDING: {
            _I.RECEIVE_REQUEST: _go(_S.PROCEEDING, _A.RESEND),
            _I.SEND_1XX: _go(_S.PROCEEDING, _A.SEND),
            _I.SEND_2XX: _go(_S.ACCEPTED, _A.SEND, _A.START_L),
            _I.SEND_300_699: _go(_S.COMPLETED, _A.SEND, _A.START_G, _A.START_H),
        },
        _S.COMPLETED: {
            _I.RECEIVE_REQUEST: _go(_S.COMPLETED, _A.RESEND),
            _I.RECEIVE_ACK: _go(_S.CONFIRMED, _A.STOP, _A.START_I),
            _I.TIMER_G: _go(_S.COMPLETED, _A.RESEND, _A.START_G),
            _I.TIMER_H: _end(_A.TIMED_OUT),
            _I.TRANSPORT_ERROR: _end(_A.UNREACHABLE),
        },
        _S.CONFIRMED: {
            _I.TIMER_I: _end(),
        },
        _S.ACCEPTED: {
            # A retransmitted INVITE is absorbed: the user agent core sends the 2xx again by
            # its own clock (RFC 6026 section 7.1), and no second call comes of it.
            _I.RECEIVE_ACK: _go(_S.ACCEPTED, _A.PASS),
            _I.SEND_2XX: _go(_S.ACCEPTED, _A.SEND),
            _I.TIMER_L: _end(),
        },
    },
)
"RFC 3261 figure 7 with RFC 6026 section 7.1; a lost provisional is told to nobody."

SERVER_NON_INVITE = _machine(
    "server non-INVITE",
    _go(_S.TRYING, _A.START_GIVE_UP),
    {
        _S.TRYING: {
            _I.SEND_2XX: _go(_S.COMPLETED, _A.STOP, _A.SEND, _A.START_J),
            _I.SEND_300_699: _go(_S.COMPLETED, _A.STOP, _A.SEND, _A.START_J),
            _I.SEND_1XX: _go(_S.PROCEEDING, _A.SEND),
            _I.GIVE_UP: _end(),
        },
        _S.PROCEEDING: {
            _I.RECEIVE_REQUEST: _go(_S.PROCEEDING, _A.RESEND),
            _I.SEND_1XX: _go(_S.PROCEEDING, _A.SEND),
            _I.SEND_2XX: _go(_S.COMPLETED, _A.STOP, _A.SEND, _A.START_J),
            _I.SEND_300_699: _go(_S.COMPLETED, _A.STOP, _A.SEND, _A.START_J),
            _I.GIVE_UP: _end(),
        },
        _S.COMPLETED: {
            _I.RECEIVE_REQUEST: _go(_S.COMPLETED, _A.RESEND),
            _I.TIMER_J: _end(),
            _I.TRANSPORT_ERROR: _end(_A.UNREACHABLE),
        },
    },
)
"RFC 3261 figure 8."

MACHINES = (CLIENT_INVITE, CLIENT_NON_INVITE, SERVER_INVITE, SERVER_NON_INVITE)


class TimerRule(NamedTuple):
    """What a START action starts."""

    fires: Input
    seconds: float
    backoff: bool
    "Doubles with each start in a row."
    limit: float
    unreliable_only: bool
    "Not started over TCP and TLS, which retransmit by themselves."


def timer_rules(timers: Timers, *, reliable: bool) -> dict[Action, TimerRule]:
    """Return RFC 3261 table 4 for one kind of transport, by the action that starts a timer."""
    t1, t2, give_up = timers.t1, timers.t2, timers.give_up
    wait_d = 0.0 if reliable else timers.unreliable_d
    wait_j = 0.0 if reliable else give_up
    wait_t4 = 0.0 if reliable else timers.t4
    once = (False, give_up, False)
    return {
        _A.START_A: TimerRule(_I.TIMER_A, t1, True, give_up, True),
        _A.START_B: TimerRule(_I.TIMER_B, give_up, *once),
        _A.START_D: TimerRule(_I.TIMER_D, wait_d, *once),
        _A.START_E: TimerRule(_I.TIMER_E, t1, True, t2, True),
        _A.START_E_SLOW: TimerRule(_I.TIMER_E, t2, False, t2, True),
        _A.START_F: TimerRule(_I.TIMER_F, give_up, *once),
        _A.START_G: TimerRule(_I.TIMER_G, t1, True, t2, True),
        _A.START_H: TimerRule(_I.TIMER_H, give_up, *once),
        _A.START_I: TimerRule(_I.TIMER_I, wait_t4, *once),
        _A.START_J: TimerRule(_I.TIMER_J, wait_j, *once),
        _A.START_K: TimerRule(_I.TIMER_K, wait_t4, *once),
        _A.START_L: TimerRule(_I.TIMER_L, give_up, *once),
        _A.START_M: TimerRule(_I.TIMER_M, give_up, *once),
        _A.START_GIVE_UP: TimerRule(_I.GIVE_UP, give_up, *once),
    }


class Transaction:
    """A state and the machine that moves it."""

    __slots__ = ("machine", "state")

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.state = machine.start.state

    def restart(self) -> None:
        """Begin anew: what was sent came nowhere."""
        self.state = self.machine.start.state

    def feed(self, given: Input) -> tuple[Action, ...]:
        """Move on one input and return what to do. Nothing else moves `state`."""
        rule = self.machine.table[self.state][given]
        self.state = rule.state
        return rule.actions


def response_input(code: int, *, sent: bool) -> Input:
    """Return the input that a response of this status code is."""
    if code < 200:
        return Input.SEND_1XX if sent else Input.RECEIVE_1XX
    if code < 300:
        return Input.SEND_2XX if sent else Input.RECEIVE_2XX
    return Input.SEND_300_699 if sent else Input.RECEIVE_300_699
