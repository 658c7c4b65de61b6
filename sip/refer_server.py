"""The server side of REFER: its 2xx, and the subscription that comes with it (RFC 3515 2.4).

A REFER that is taken opens a subscription inside its dialog without being asked: the referrer is
told how the INVITE goes that it wanted. The subscription has a life of its own (RFC 5057
section 4): most telephones say BYE long before the last NOTIFY, and some want to hear it still.

What a NOTIFY brings back changes nothing in the call: a telephone that does not answer it, or
knows nothing of the subscription any more, is just told no more.
"""

from dataclasses import dataclass
from functools import partial

from sip.core import Core
from sip.dialog import Dialog
from sip.errors import LocalProtocolError
from sip.in_dialog_client import InDialogClient
from sip.invite_usage import InviteUsage
from sip.message import Response
from sip.refer import SIPFRAG, Refer, sipfrag
from sip.timers import Timer
from sip.transaction_layer import ClientTransaction, ServerTransaction

LONGEST_S = 300.0
"How long a subscription may last; a call that is transferred is answered or lost before."

MAX_SUBSCRIPTIONS = 1000
"More are refused: whoever has that many transfers under way does not transfer calls."


@dataclass(slots=True, kw_only=True, eq=False)
class ReferSubscription:
    """One REFER whose end its referrer waits for."""

    id: int
    dialog: Dialog
    event: str
    "`refer`, with the CSeq of the REFER as its id from the second of a dialog on (2.4.6)."
    expires_at: float
    timer: Timer | None = None
    body: bytes = sipfrag(100)
    "What was told last."


class ReferServer:
    """Takes REFER requests for the application, and tells their referrers what comes of them."""

    def __init__(self, core: Core, in_dialog: InDialogClient) -> None:
        self._core = core
        self._in_dialog = in_dialog
        self._subscriptions: dict[int, ReferSubscription] = {}

    def __len__(self) -> int:
        return len(self._subscriptions)

    def accept(
        self, usage: InviteUsage, transaction: ServerTransaction, refer: Refer, now: float
    ) -> int:
        """Send the 2xx; returns the number of the subscription, which `notify` wants."""
        core, dialog = self._core, usage.dialog
        if dialog is None:
            raise LocalProtocolError(f"usage {usage.id} has no dialog")
        contact = core.contact_header(transaction.flow)
        subscription = ReferSubscription(
            id=core.new_id(),
            dialog=dialog,
            event=_event(usage, transaction.request.head.cseq),
            expires_at=now + LONGEST_S,
        )
        usage.refers += 1
        if not refer.subscribes or len(self) >= MAX_SUBSCRIPTIONS:
            core.respond(transaction, 200, now, headers=(contact, ("Refer-Sub", "false")))
            return subscription.id
        core.respond(transaction, 202, now, headers=(contact,))
        self._subscriptions[subscription.id] = subscription
        self._expire_later(subscription)
        self._tell(subscription, sipfrag(100), now)
        return subscription.id

    def notify(self, identifier: int, code: int, now: float, reason: str | None = None) -> None:
        """Tell a referrer how its INVITE goes; a final status is the last that it hears.

        Nothing happens where nobody listens, or not any more.
        """
        subscription = self._subscriptions.get(identifier)
        if subscription is None:
            return
        body = sipfrag(code, reason)
        if code < 200:
            self._tell(subscription, body, now)
        else:
            self._end(subscription, body, "noresource", now)

    def subscribe(self, usage: InviteUsage, transaction: ServerTransaction, now: float) -> bool:
        """Take the SUBSCRIBE that prolongs or ends a subscription; false: it is none of ours."""
        headers = transaction.request.headers
        event = (headers.get("Event") or "").replace(" ", "")
        found = next(
            (
                each
                for each in self._subscriptions.values()
                if each.dialog is usage.dialog and each.event == event
            ),
            None,
        )
        if found is None:
            return False
        text = (headers.get("Expires") or "").strip()
        wanted = float(text) if text.isascii() and text.isdigit() and len(text) < 9 else LONGEST_S
        expires_s = min(wanted, LONGEST_S)
        core = self._core
        granted = (core.contact_header(transaction.flow), ("Expires", str(int(expires_s))))
        core.respond(transaction, 200, now, headers=granted)
        found.expires_at = now + expires_s
        if expires_s:
            self._expire_later(found)
            self._tell(found, found.body, now)
        else:
            self._end(found, found.body, "timeout", now)
        return True

    # --- inside

    def _expire_later(self, subscription: ReferSubscription) -> None:
        if subscription.timer is not None:
            subscription.timer.cancel()
        subscription.timer = self._core.heap.start(
            subscription.expires_at, partial(self._expire, subscription)
        )

    def _expire(self, subscription: ReferSubscription, now: float) -> None:
        self._end(subscription, subscription.body, "timeout", now)

    def _end(self, subscription: ReferSubscription, body: bytes, why: str, now: float) -> None:
        self._forget(subscription)
        self._send(subscription, body, f"terminated;reason={why}", now)

    def _forget(self, subscription: ReferSubscription) -> None:
        self._subscriptions.pop(subscription.id, None)
        if subscription.timer is not None:
            subscription.timer.cancel()

    def _tell(self, subscription: ReferSubscription, body: bytes, now: float) -> None:
        subscription.body = body
        left = max(0, int(subscription.expires_at - now))
        self._send(subscription, body, f"active;expires={left}", now)

    def _send(self, subscription: ReferSubscription, body: bytes, state: str, now: float) -> None:
        dialog = subscription.dialog
        request = self._in_dialog.build(
            dialog,
            "NOTIFY",
            headers=(
                self._core.contact_header(dialog.flow),
                ("Event", subscription.event),
                ("Subscription-State", state),
            ),
            body=body,
            content_type=SIPFRAG,
        )
        report = partial(self._told, subscription)
        self._core.transactions.open_client(request, dialog.flow, report, now)

    def _told(
        self,
        subscription: ReferSubscription,
        _transaction: ClientTransaction,
        _response: Response | None,
        code: int,
        _now: float,
    ) -> None:
        if code >= 300:
            self._forget(subscription)


def _event(usage: InviteUsage, cseq: int) -> str:
    return f"refer;id={cseq}" if usage.refers else "refer"
