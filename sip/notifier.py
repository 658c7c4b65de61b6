"""The notifier: subscriptions to what our lamps show (RFC 6665 section 4.2, RFC 4235).

The application decides who may watch what, and says how each watched thing is; all that follows
(refreshes, the pace of NOTIFYs, the end) is done here. A subscription belongs to an *owner*, for
the bounds, and watches a *resource*, a name that only the application understands.

Ours, beyond the RFC: where a subscriber's connection ends, its subscriptions end with it. It
gets 481 for its refresh and subscribes anew.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from sip.address import Flow
from sip.core import Core
from sip.dialog import Dialog, DialogId
from sip.dialog_info import DIALOG_INFO, OFF, DialogInfo
from sip.errors import RemoteProtocolError
from sip.in_dialog_client import InDialogClient
from sip.message import Request, Response
from sip.subscribe import PACKAGE, Subscribe
from sip.subscription_state import PACE, PaceAction, PaceInput, PaceState
from sip.timers import Timer
from sip.transaction_layer import ClientTransaction, ServerTransaction
from sip.uas import record_route

ALLOW_EVENTS = ("Allow-Events", PACKAGE)

PASSING = frozenset({500, 503})
"Answers to a NOTIFY after which the subscriber may still be there."


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierLimits:
    """Bounds of the notifier; durations in seconds."""

    shortest_s: int = 60
    "Shorter subscriptions get 423."
    longest_s: int = 3600
    rest_s: float = 1.0
    "Between two NOTIFYs of one subscription."
    at_once: int = 20
    "NOTIFYs about one change in one go; the others follow in as many, each `turn_s` later."
    turn_s: float = 0.02
    per_owner: int = 200
    "A telephone with all of its key modules has some 100 keys."
    total: int = 10_000


@dataclass(slots=True, kw_only=True, eq=False)
class Subscription:
    """One lamp of one telephone."""

    dialog: Dialog
    event: str
    entity: str
    "What the subscriber called the watched one."
    owner: str
    resource: str
    shown: DialogInfo
    "How it is."
    told: DialogInfo | None = None
    "What the newest NOTIFY said."
    expires_at: float
    version: int = 0
    "Of the next document."
    pace: PaceState = PaceState.QUIET
    rested_at: float = 0.0
    "When the next NOTIFY may go out."
    expiry: Timer | None = None
    rest: Timer | None = None


class Notifier:
    """All subscriptions of an endpoint."""

    def __init__(self, core: Core, in_dialog: InDialogClient, limits: NotifierLimits) -> None:
        self._core = core
        self._in_dialog = in_dialog
        self._limits = limits
        self._by_dialog: dict[DialogId, Subscription] = {}
        self._by_resource: dict[str, list[Subscription]] = {}
        self._by_owner: dict[str, list[Subscription]] = {}

    def __len__(self) -> int:
        return len(self._by_dialog)

    # --- the application's side

    def accept(
        self,
        transaction: ServerTransaction,
        *,
        owner: str,
        resource: str,
        shown: DialogInfo,
        now: float,
    ) -> bool:
        """Take a SUBSCRIBE outside a dialog, or refuse it with what is wrong with it.

        200 and the first NOTIFY go out; true where the subscription lives on.
        """
        request, flow = transaction.request, transaction.flow
        try:
            wish = Subscribe.parse(request)
            expires_s = self._granted(wish)
            dialog = Dialog.as_uas(request, self._core.token(), flow)
        except RemoteProtocolError as error:
            self._refuse(transaction, error, now)
            return False
        if len(self) >= self._limits.total:
            self._core.count("overloaded")
            self._core.respond(transaction, 503, now, headers=(("Retry-After", "60"),))
            return False
        self._make_room(owner, now)
        subscription = Subscription(
            dialog=dialog,
            event=wish.event,
            entity=str(request.uri),
            owner=owner,
            resource=resource,
            shown=shown,
            expires_at=now + expires_s,
        )
        self._grant(transaction, subscription, expires_s, now)
        self._by_dialog[dialog.id] = subscription
        self._by_resource.setdefault(resource, []).append(subscription)
        self._by_owner.setdefault(owner, []).append(subscription)
        self._prolong(subscription, expires_s, now)
        return expires_s > 0

    def is_watched(self, resource: str) -> bool:
        """Tell whether anybody watches a resource."""
        return resource in self._by_resource

    def owners(self) -> tuple[str, ...]:
        """Return who has subscriptions."""
        return tuple(self._by_owner)

    def show(self, resource: str, shown: DialogInfo, now: float) -> None:
        """Tell everybody who watches `resource` how it is, as far as they don't know it.

        Where many watch, a few at a time: calls don't wait for hundreds of messages.
        """
        limits = self._limits
        stale = [each for each in self._by_resource.get(resource, ()) if each.shown != shown]
        for place, subscription in enumerate(stale):
            subscription.shown = shown
            turn = place // limits.at_once
            if turn == 0:
                self._catch_up(subscription, now)
            else:
                later = partial(self._catch_up, subscription)
                self._core.heap.start(now + turn * limits.turn_s, later)

    def revoke(self, owner: str, now: float) -> None:
        """End all subscriptions of one who may watch no more."""
        for subscription in tuple(self._by_owner.get(owner, ())):
            subscription.shown = OFF
            self._end(subscription, "rejected", now)

    # --- the core's side

    def find(self, request: Request, flow: Flow) -> Subscription | None:
        """Return the subscription that a SUBSCRIBE with a To-tag belongs to."""
        head = request.head
        found = self._by_dialog.get((head.call_id, head.to_tag, head.from_tag))
        if request.method != "SUBSCRIBE" or found is None:
            return None
        return found if found.dialog.flow.remote.host == flow.remote.host else None

    def refresh(
        self, subscription: Subscription, transaction: ServerTransaction, now: float
    ) -> None:
        """Take the SUBSCRIBE that prolongs or ends a subscription."""
        request, dialog = transaction.request, subscription.dialog
        if not dialog.receive_cseq(request.head.cseq):
            self._core.respond(transaction, 500, now, headers=(self._core.retry_after(),))
            return
        try:
            wish = Subscribe.parse(request)
            expires_s = self._granted(wish)
        except RemoteProtocolError as error:
            self._refuse(transaction, error, now)
            return
        dialog.refresh_target(request)
        if transaction.flow.transport == dialog.flow.transport:
            dialog.flow = transaction.flow  # behind NAT the telephone may have got another port
        self._grant(transaction, subscription, expires_s, now)
        self._prolong(subscription, expires_s, now)

    def flows(self) -> Iterator[Flow]:
        """Return the flows that subscribers are told on."""
        return (each.dialog.flow for each in self._by_dialog.values())

    def connection_lost(self, flow: Flow, now: float) -> None:
        """Forget whoever was told on a connection that has ended."""
        for subscription in [s for s in self._by_dialog.values() if s.dialog.flow == flow]:
            self._feed(subscription, PaceInput.LOST, now)

    # --- granting

    def _granted(self, wish: Subscribe) -> int:
        """Return the seconds that a wish gets; raises `RemoteProtocolError` 423."""
        if 0 < wish.expires_s < self._limits.shortest_s:
            raise RemoteProtocolError(423, "Interval Too Brief")
        return min(wish.expires_s, self._limits.longest_s)

    def _refuse(
        self, transaction: ServerTransaction, error: RemoteProtocolError, now: float
    ) -> None:
        headers: Iterable[tuple[str, str]] = ()
        if error.status == 423:
            headers = (("Min-Expires", str(self._limits.shortest_s)),)
        elif error.status == 489:
            headers = (ALLOW_EVENTS,)
        elif error.status == 406:
            headers = (("Accept", DIALOG_INFO),)
        self._core.respond(transaction, error.status, now, reason=error.reason, headers=headers)

    def _grant(
        self,
        transaction: ServerTransaction,
        subscription: Subscription,
        expires_s: int,
        now: float,
    ) -> None:
        dialog = subscription.dialog
        granted = (
            self._core.contact_header(transaction.flow, secure=dialog.secure),
            ("Expires", str(expires_s)),
            ALLOW_EVENTS,
            *record_route(transaction.request),
        )
        self._core.respond(transaction, 200, now, to_tag=dialog.local_tag, headers=granted)

    def _make_room(self, owner: str, now: float) -> None:
        """End the owner's oldest subscription where it has as many as it may have.

        Mostly that is of the life before a restart of the telephone, and nobody hears it.
        """
        own = self._by_owner.get(owner)
        if own is not None and len(own) >= self._limits.per_owner:
            self._end(own[0], f"probation;retry-after={self._limits.longest_s}", now)

    def _prolong(self, subscription: Subscription, expires_s: int, now: float) -> None:
        """Let it last from now on, and tell how things are (RFC 6665 section 4.2.1.2)."""
        subscription.expires_at = now + expires_s
        if subscription.expiry is not None:
            subscription.expiry.cancel()
        if expires_s == 0:
            self._end(subscription, "timeout", now)
            return
        expire = partial(self._end, subscription, "timeout")
        subscription.expiry = self._core.heap.start(subscription.expires_at, expire)
        self._feed(subscription, PaceInput.CHANGE, now)

    # --- telling

    def _catch_up(self, subscription: Subscription, now: float) -> None:
        if subscription.shown != subscription.told:
            self._feed(subscription, PaceInput.CHANGE, now)

    def _feed(self, subscription: Subscription, given: PaceInput, now: float) -> None:
        """Move from one state to another, and do what follows: the only way."""
        step = PACE[subscription.pace][given]
        subscription.pace = step.state
        match step.action:
            case PaceAction.TELL:
                left = max(0, round(subscription.expires_at - now))
                self._send(subscription, f"active;expires={left}", now)
            case PaceAction.REST:
                rested = partial(self._feed, subscription, PaceInput.RESTED)
                subscription.rest = self._core.heap.start(subscription.rested_at, rested)
            case PaceAction.SAY_GOODBYE | PaceAction.FORGET:
                self._forget(subscription)

    def _end(self, subscription: Subscription, why: str, now: float) -> None:
        if subscription.pace is not PaceState.OVER:
            self._feed(subscription, PaceInput.END, now)
            self._send(subscription, f"terminated;reason={why}", now)

    def _forget(self, subscription: Subscription) -> None:
        del self._by_dialog[subscription.dialog.id]
        _take_out(self._by_resource, subscription.resource, subscription)
        _take_out(self._by_owner, subscription.owner, subscription)
        if subscription.expiry is not None:
            subscription.expiry.cancel()
        if subscription.rest is not None:
            subscription.rest.cancel()

    def _send(self, subscription: Subscription, state: str, now: float) -> None:
        dialog, version = subscription.dialog, subscription.version
        subscription.version += 1
        subscription.told = subscription.shown
        subscription.rested_at = now + self._limits.rest_s
        request = self._in_dialog.build(
            dialog,
            "NOTIFY",
            headers=(
                self._core.contact_header(dialog.flow, secure=dialog.secure),
                ("Event", subscription.event),
                ("Subscription-State", state),
            ),
            body=subscription.shown.document(subscription.entity, version),
            content_type=DIALOG_INFO,
        )
        report = partial(self._told, subscription)
        self._core.transactions.open_client(request, dialog.flow, report, now)

    def _told(
        self,
        subscription: Subscription,
        _transaction: ClientTransaction,
        response: Response | None,
        code: int,
        now: float,
    ) -> None:
        """Take the answer to a NOTIFY (RFC 6665 section 4.2.2, RFC 5057 section 5.1)."""
        if code < 200:
            return
        heard = code < 300 or (response is not None and code in PASSING)
        self._feed(subscription, PaceInput.ANSWERED if heard else PaceInput.LOST, now)


def _take_out(table: dict[str, list[Subscription]], key: str, subscription: Subscription) -> None:
    table[key].remove(subscription)
    if not table[key]:
        del table[key]
