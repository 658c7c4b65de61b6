"""INVITE usages (RFC 5057): one call leg from its INVITE to its end.

The state says what the next call of the application may be; how it moves is in
`sip/usage_state.py`.
"""

from collections import Counter
from dataclasses import dataclass, field

from sip.address import Flow
from sip.build import HeaderList, OutgoingRequest
from sip.credentials import Attempt
from sip.dialog import Dialog, DialogId
from sip.message import URI, Request, Response
from sip.option_tags import has_option
from sip.peer import Peer
from sip.reliable_state import Fork, ReliableState
from sip.session_timer import SessionState
from sip.timers import Timer
from sip.transaction_layer import ClientTransaction, ServerTransaction
from sip.usage_state import (
    CLIENT_USAGE,
    SERVER_USAGE,
    UNANSWERED,
    WAITING,
    UsageInput,
    UsageState,
    move,
)

MAX_ACKS = 16
"More 2xx of further forks than this are no honest network."


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
    peer: Peer | None = None
    "Whose addresses and challenges are as good as the flow's own."
    keys: list[DialogId] = field(default_factory=list)
    "Dialog ids under which the usage is found."

    # Server side
    invite: ServerTransaction | None = None
    unacknowledged: Unacknowledged | None = None
    ack_key: tuple[str, str, int] | None = None
    "Call-ID, From-tag and CSeq of the ACK that is awaited or was the last to come."
    unanswered_offer: bool = False
    "Our 2xx held an offer; its answer comes in the ACK."
    progress: tuple[int, bytes, HeaderList] | None = None
    "The newest 1xx, to be repeated: code, body, headers."
    refresh: Timer | None = None
    reliable: ReliableState | None = None
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
    attempt: Attempt | None = None
    "What answers challenges to the INVITE."
    vouching: tuple[tuple[str, str], ...] = ()
    "Credentials of the newest INVITE of ours, which its ACK repeats (section 22.1)."
    late_offer: bool = False
    cancel_sent: bool = False
    cancel_headers: tuple[tuple[str, str], ...] = ()
    "What the CANCEL says beyond its own: why (RFC 3326)."
    give_up: Timer | None = None
    acks: dict[tuple[str, int], bytes] = field(default_factory=dict)
    "ACKs sent, by To-tag and CSeq, for retransmitted 2xx."
    unsent_ack: int | None = None
    "CSeq of a 2xx with an offer that the application has to `ack`."
    reinviting: int | None = None
    "Request id of a re-INVITE of ours under way."
    forks: dict[str, Fork] = field(default_factory=dict)
    "Early dialogs by their remote tag."

    # Both
    updating: int | None = None
    "Request id of an UPDATE with an offer of ours under way."
    peer_takes_update: bool = False
    peer_has_timer: bool = False
    session: SessionState | None = None
    min_se_s: int = 0
    "What a 422 of the peer asked for (RFC 4028 section 7.3)."
    longer: int = 0
    "How often it did so in a row."

    # The end
    bye_id: int | None = None
    "Request id of our BYE, which may still wait for the ACK."
    bye_headers: tuple[tuple[str, str], ...] = ()
    silent: bool = False
    "The application has abandoned the usage and wants no more events."

    def move(self, given: UsageInput) -> None:
        """Go on to the next state. The only place where `state` changes."""
        self.state = move(
            CLIENT_USAGE if self.sent is not None else SERVER_USAGE, self.state, given
        )

    @property
    def secure(self) -> bool:
        """Whether our Contact is to be a `sips` URI."""
        return self.dialog is not None and self.dialog.secure

    def is_from(self, flow: Flow) -> bool:
        """Tell whether what came over a flow can be the peer's."""
        host = flow.remote.host
        return host == self.flow.remote.host or (self.peer is not None and self.peer.is_at(host))

    def keep_ack(self, key: tuple[str, int], ack: bytes) -> None:
        """Keep an ACK for retransmissions of its 2xx, the last few only."""
        while len(self.acks) >= MAX_ACKS:
            del self.acks[next(iter(self.acks))]
        self.acks[key] = ack

    def note_allow(self, message: Request | Response) -> None:
        """Remember whether the peer takes UPDATE, if it says anything about it."""
        if message.headers.get("Allow") is not None:
            self.peer_takes_update = has_option(message, "Allow", "update")

    def close_offer(self, request_id: int | None) -> None:
        """Note that a re-INVITE or UPDATE of ours has its final response."""
        self.reinviting = None if self.reinviting == request_id else self.reinviting
        self.updating = None if self.updating == request_id else self.updating

    @property
    def offering(self) -> bool:
        """Whether an offer of ours waits for its answer."""
        if self.reinviting is not None or self.updating is not None or self.unanswered_offer:
            return True
        if self.reliable is not None and self.reliable.offering:
            return True
        if self.state not in WAITING or self.sent is None:
            return False
        fork = self.forks.get(self.dialog.remote_tag) if self.dialog is not None else None
        return fork is None or not fork.answered

    @property
    def offered(self) -> bool:
        """Whether an offer of the peer waits for its answer."""
        if self.reinvite is not None or self.unsent_ack is not None:
            return True
        if any(each.request.body and not each.final for each in self.requests.values()):
            return True
        if self.state not in UNANSWERED or self.sent is not None:
            return False
        reliable = self.reliable
        return reliable is None or not reliable.answered or reliable.unpracked is not None

    def note_request(self, transaction: ServerTransaction) -> None:
        """Keep a request that the application has to answer, as long as it can."""
        self.requests = {key: kept for key, kept in self.requests.items() if not kept.final}
        self.requests[transaction.id] = transaction


class UsageTable:
    """All usages, found by number, by dialog and by the ACK that they await."""

    def __init__(self) -> None:
        self._by_id: dict[int, InviteUsage] = {}
        self._with: Counter[int] = Counter()
        "How many there are with each peer, by its `id`: peers live as long as we do."
        self._by_dialog: dict[DialogId, InviteUsage] = {}
        self._by_ack: dict[tuple[str, str, int], InviteUsage] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, usage: InviteUsage) -> None:
        """Take in a new usage."""
        self._by_id[usage.id] = usage
        if usage.peer is not None:
            self._with[id(usage.peer)] += 1

    def get(self, identifier: int) -> InviteUsage | None:
        """Return a usage by its number."""
        return self._by_id.get(identifier)

    def count_of(self, peer: Peer) -> int:
        """Return how many usages there are with a peer."""
        return self._with[id(peer)]

    def flows(self) -> set[Flow]:
        """Return the flows of all usages."""
        usages = self._by_id.values()
        return {each.flow for each in usages} | {
            each.dialog.flow for each in usages if each.dialog is not None
        }

    def move(self, old: Flow, new: Flow) -> None:
        """Let what went over one flow go over another."""
        for usage in self._by_id.values():
            if usage.flow == old:
                usage.flow = new
            if usage.dialog is not None and usage.dialog.flow == old:
                usage.dialog.flow = new

    def add_dialog(self, usage: InviteUsage, key: DialogId) -> None:
        """Let requests of a dialog find the usage."""
        if key not in usage.keys:
            usage.keys.append(key)
            self._by_dialog[key] = usage

    def forget_dialogs(self, usage: InviteUsage) -> None:
        """Let go of the early dialogs of an INVITE that is sent anew."""
        for key in usage.keys:
            self._by_dialog.pop(key, None)
        usage.keys.clear()
        usage.forks.clear()
        usage.dialog = None

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
        usage.move(UsageInput.END)
        if self._by_id.pop(usage.id, None) is not None and usage.peer is not None:
            self._with[id(usage.peer)] -= 1
        for key in usage.keys:
            self._by_dialog.pop(key, None)
        if usage.ack_key is not None:
            self._by_ack.pop(usage.ack_key, None)
        for timer in (usage.refresh, usage.give_up):
            if timer is not None:
                timer.cancel()
        if usage.reliable is not None:
            usage.reliable.stop()
        if usage.session is not None:
            usage.session.stop()
        stop_retransmitting(usage)


def stop_retransmitting(usage: InviteUsage) -> None:
    """Send the 2xx no more."""
    if usage.unacknowledged is not None and usage.unacknowledged.timer is not None:
        usage.unacknowledged.timer.cancel()
    usage.unacknowledged = None
