r"""INVITE usages (RFC 5057): one call leg from its INVITE to its end.

The state says what the next call of the application may be:

    server:  OFFERED -> RINGING -> ANSWERED -> ESTABLISHED -> ENDING -> (forgotten)
    client:  CALLING -> RINGING -> ESTABLISHED -> ENDING -> (forgotten)
                \----------\-> CANCELLING -> (forgotten)
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from sip.address import Flow
from sip.build import OutgoingRequest
from sip.dialog import Dialog, DialogId
from sip.message import URI
from sip.timers import Timer
from sip.transaction_layer import ClientTransaction, ServerTransaction

MAX_ACKS = 16
"More 2xx of further forks than this are no honest network."


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


@dataclass(slots=True, kw_only=True, eq=False)
class Unacknowledged:
    """A 2xx to an INVITE that we send until its ACK comes (RFC 3261 section 13.3.1.4)."""

    transaction: ServerTransaction
    data: bytes
    cseq: int
    interval: float
    "Seconds until it is sent again: T1, doubled up to T2."
    deadline: float
    timer: Timer | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class InviteUsage:
    """One call leg."""

    id: int
    state: UsageState
    flow: Flow
    local_tag: str
    dialog: Dialog | None = None
    "Confirmed once there was a 2xx; before that the early dialog of the last provisional."
    keys: list[DialogId] = field(default_factory=list)
    "Dialog ids under which the usage is found."

    # Server side
    invite: ServerTransaction | None = None
    unacknowledged: Unacknowledged | None = None
    ack_key: tuple[str, str, int] | None = None
    "Call-ID, From-tag and CSeq of the ACK that is awaited or was the last to come."
    provisional: bytes = b""
    refresh: Timer | None = None
    reinvite: ServerTransaction | None = None
    "A re-INVITE of the peer that has no final response yet."
    refers: int = 0
    "How many REFERs of the peer were taken."
    requests: dict[int, ServerTransaction] = field(default_factory=dict)
    "Requests of the peer that the application still has to answer."

    # Client side
    sent: OutgoingRequest | None = None
    target: URI | None = None
    calling: ClientTransaction | None = None
    late_offer: bool = False
    cancel_sent: bool = False
    give_up: Timer | None = None
    acks: dict[tuple[str, int], bytes] = field(default_factory=dict)
    "ACKs sent, by To-tag and CSeq, for retransmitted 2xx."
    unsent_ack: int | None = None
    "CSeq of a 2xx with an offer that the application has to `ack`."
    reinviting: int | None = None
    "Request id of a re-INVITE of ours under way."

    # The end
    bye_id: int | None = None
    "Request id of our BYE, which may still wait for the ACK."
    bye_headers: tuple[tuple[str, str], ...] = ()
    silent: bool = False
    "The application has abandoned the usage and wants no more events."

    def keep_ack(self, key: tuple[str, int], ack: bytes) -> None:
        """Keep an ACK for retransmissions of its 2xx, the last few only."""
        while len(self.acks) >= MAX_ACKS:
            del self.acks[next(iter(self.acks))]
        self.acks[key] = ack

    def note_request(self, transaction: ServerTransaction) -> None:
        """Keep a request that the application has to answer, as long as it can."""
        self.requests = {key: kept for key, kept in self.requests.items() if not kept.final}
        self.requests[transaction.id] = transaction


class UsageTable:
    """All usages, found by number, by dialog and by the ACK that they await."""

    def __init__(self) -> None:
        self._by_id: dict[int, InviteUsage] = {}
        self._by_dialog: dict[DialogId, InviteUsage] = {}
        self._by_ack: dict[tuple[str, str, int], InviteUsage] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, usage: InviteUsage) -> None:
        """Take in a new usage."""
        self._by_id[usage.id] = usage

    def get(self, identifier: int) -> InviteUsage | None:
        """Return a usage by its number."""
        return self._by_id.get(identifier)

    def flows(self) -> set[Flow]:
        """Return the flows of all usages."""
        usages = self._by_id.values()
        return {each.flow for each in usages} | {
            each.dialog.flow for each in usages if each.dialog is not None
        }

    def add_dialog(self, usage: InviteUsage, key: DialogId) -> None:
        """Let requests of a dialog find the usage."""
        if key not in usage.keys:
            usage.keys.append(key)
            self._by_dialog[key] = usage

    def by_dialog(self, key: DialogId) -> InviteUsage | None:
        """Return the usage of a dialog."""
        return self._by_dialog.get(key)

    def await_ack(self, usage: InviteUsage, key: tuple[str, str, int]) -> None:
        """Let the ACK of a 2xx find the usage."""
        if usage.ack_key is not None:
            self._by_ack.pop(usage.ack_key, None)
        usage.ack_key = key
        self._by_ack[key] = usage

    def by_ack(self, key: tuple[str, str, int]) -> InviteUsage | None:
        """Return the usage that awaits an ACK, or had it already."""
        return self._by_ack.get(key)

    def remove(self, usage: InviteUsage) -> None:
        """Forget a usage and stop what it still had running."""
        usage.state = UsageState.ENDED
        self._by_id.pop(usage.id, None)
        for key in usage.keys:
            self._by_dialog.pop(key, None)
        if usage.ack_key is not None:
            self._by_ack.pop(usage.ack_key, None)
        for timer in (usage.refresh, usage.give_up):
            if timer is not None:
                timer.cancel()
        stop_retransmitting(usage)


def stop_retransmitting(usage: InviteUsage) -> None:
    """Send the 2xx no more."""
    if usage.unacknowledged is not None and usage.unacknowledged.timer is not None:
        usage.unacknowledged.timer.cancel()
    usage.unacknowledged = None
