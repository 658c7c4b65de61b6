"""The life of an INVITE usage as two tables (RFC 3261 sections 12 and 13, RFC 5057).

A table says which inputs a state takes and where they lead; `move` is the only way from one
state to another. An input that a state does not have is a bug of ours: what the peer may do
wrong was met before (`sip/in_dialog_server.py`).
"""

from collections.abc import Mapping
from enum import Enum, auto

from sip.errors import LocalProtocolError


class UsageState(Enum):
    """Where a usage stands."""

    OFFERED = auto()
    "Server: the INVITE is here and nobody has rung yet."
    CALLING = auto()
    "Client: no response of 101 or more yet."
    RINGING = auto()
    "A response between 101 and 199 was sent or received."
    CANCELLING = auto()
    "Client: we want to cancel; CANCEL is sent or waits for the first provisional response."
    ANSWERED = auto()
    "Server: our 2xx waits for its ACK."
    ESTABLISHED = auto()
    "2xx and ACK were exchanged."
    ENDING = auto()
    "Our BYE is under way."
    ENDED = auto()
    "Forgotten; only late timers and responses still hold the object."

    __hash__ = object.__hash__  # members are singletons; Enum's own hash costs a Python call


class UsageInput(Enum):
    """What moves a usage."""

    PROGRESS = auto()
    "A response between 101 and 199."
    ANSWER = auto()
    "The 2xx to the INVITE."
    ACKNOWLEDGE = auto()
    "The ACK of our 2xx came, or was awaited for 64*T1."
    CANCEL = auto()
    "We give the call up before its answer."
    BYE = auto()
    "We send BYE."
    END = auto()
    "Refused, cancelled, ended by the peer, answered BYE, or lost."

    __hash__ = object.__hash__


Table = Mapping[UsageState, Mapping[UsageInput, UsageState]]

_S, _I = UsageState, UsageInput

SERVER_USAGE: Table = {
    _S.OFFERED: {_I.PROGRESS: _S.RINGING, _I.ANSWER: _S.ANSWERED, _I.END: _S.ENDED},
    _S.RINGING: {_I.PROGRESS: _S.RINGING, _I.ANSWER: _S.ANSWERED, _I.END: _S.ENDED},
    _S.ANSWERED: {_I.ACKNOWLEDGE: _S.ESTABLISHED, _I.END: _S.ENDED},
    _S.ESTABLISHED: {_I.ACKNOWLEDGE: _S.ESTABLISHED, _I.BYE: _S.ENDING, _I.END: _S.ENDED},
    _S.ENDING: {_I.ACKNOWLEDGE: _S.ENDING, _I.END: _S.ENDED},
    _S.ENDED: {_I.END: _S.ENDED},
}
"""A call that came in. `ACKNOWLEDGE` of one that is established or
ending is that of a re-INVITE."""

CLIENT_USAGE: Table = {
    _S.CALLING: {
        _I.PROGRESS: _S.RINGING,
        _I.ANSWER: _S.ESTABLISHED,
        _I.CANCEL: _S.CANCELLING,
        _I.END: _S.ENDED,
    },
    _S.RINGING: {
        _I.PROGRESS: _S.RINGING,
        _I.ANSWER: _S.ESTABLISHED,
        _I.CANCEL: _S.CANCELLING,
        _I.END: _S.ENDED,
    },
    _S.CANCELLING: {_I.END: _S.ENDED},
    _S.ESTABLISHED: {_I.ACKNOWLEDGE: _S.ESTABLISHED, _I.BYE: _S.ENDING, _I.END: _S.ENDED},
    _S.ENDING: {_I.ACKNOWLEDGE: _S.ENDING, _I.END: _S.ENDED},
    _S.ENDED: {_I.END: _S.ENDED},
}
"A call of ours. A 2xx that crosses our CANCEL is answered with ACK and BYE, and is no `ANSWER`."

UNANSWERED = (UsageState.OFFERED, UsageState.RINGING)
"Server: what still waits for a final response of ours."

WAITING = (UsageState.CALLING, UsageState.RINGING)
"Client: what still waits for a final response of the peer."

TALKING = (UsageState.ANSWERED, UsageState.ESTABLISHED)


def move(table: Table, state: UsageState, given: UsageInput) -> UsageState:
    """Return the next state; raises `LocalProtocolError` where the table has none."""
    try:
        return table[state][given]
    except KeyError:
        raise LocalProtocolError(f"no {given.name} for a usage that is {state.name}") from None
