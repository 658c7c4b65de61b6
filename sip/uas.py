"""The server side of INVITE usages: from the offered INVITE to the ACK of our 2xx.

RFC 3261 sections 9.2, 13.3 and 14.2.
"""

from functools import partial

from sip.address import Flow
from sip.build import HeaderList
from sip.core import Core, with_defaults
from sip.dialog import Dialog
from sip.errors import LocalProtocolError, RemoteProtocolError
from sip.events import AckMissing, AckReceived, InviteCancelled, InviteOffered
from sip.in_dialog_client import InDialogClient
from sip.invite_usage import InviteUsage, Unacknowledged, UsageState, stop_retransmitting
from sip.message import Request
from sip.replacing import replaced_by
from sip.transaction_layer import ServerTransaction

UNANSWERED = (UsageState.OFFERED, UsageState.RINGING)


def record_route(request: Request) -> list[tuple[str, str]]:
    """Return the Record-Route headers that a dialog-forming response repeats (12.1.1)."""
    return [("Record-Route", value) for value in request.headers.getlist("Record-Route")]


class InviteServer:
    """Answers INVITE requests."""

    def __init__(self, core: Core, in_dialog: InDialogClient) -> None:
        self._core = core
        self._in_dialog = in_dialog

    def offer(
        self, transaction: ServerTransaction, flow: Flow, identity: object | None, now: float
    ) -> None:
        """Make a usage of a new INVITE and show it to the application."""
        core = self._core
        local_tag = core.token()
        try:
            dialog = Dialog.as_uas(transaction.request, local_tag, flow)
            replaced = replaced_by(transaction.request, core.usages)
        except RemoteProtocolError as error:
            core.respond(transaction, error.status, now, reason=error.reason)
            return
        usage = InviteUsage(
            id=core.new_id(),
            state=UsageState.OFFERED,
            flow=flow,
            local_tag=local_tag,
            dialog=dialog,
            invite=transaction,
        )
        transaction.usage = usage.id
        core.usages.add(usage)
        core.usages.add_dialog(usage, dialog.id)
        replaces = replaced.id if replaced is not None else None
        core.tell(usage, InviteOffered(usage.id, transaction.request, flow, identity, replaces))

    def provisional(
        self, usage: InviteUsage, code: int, now: float, body: bytes, headers: HeaderList
    ) -> None:
        """Send a 1xx, and again each minute until the final response (13.3.1.1)."""
        if not 101 <= code <= 199:
            raise LocalProtocolError(f"not a provisional response: {code}")
        transaction = _unanswered(usage)
        usage.state = UsageState.RINGING
        core = self._core
        own = [core.contact_header(usage.flow), *record_route(transaction.request)]
        usage.provisional = core.respond(
            transaction,
            code,
            now,
            to_tag=usage.local_tag,
            headers=with_defaults(headers, own),
            body=body,
        )
        self._refresh_later(usage, now)

    def _refresh_later(self, usage: InviteUsage, now: float) -> None:
        if usage.refresh is not None:
            usage.refresh.cancel()
        when = now + self._core.timers.provisional_refresh
        usage.refresh = self._core.heap.start(when, partial(self._refresh, usage))

    def _refresh(self, usage: InviteUsage, now: float) -> None:
        # The timer is cancelled with the final response, so there is one to refresh.
        self._core.transactions.respond(_unanswered(usage), 180, usage.provisional, now)
        self._refresh_later(usage, now)

    def answer(self, usage: InviteUsage, body: bytes, now: float, headers: HeaderList) -> None:
        """Accept the call; the 2xx is sent until its ACK comes."""
        transaction = _unanswered(usage)
        self.accept(usage, transaction, now, body=body, headers=headers)
        usage.state = UsageState.ANSWERED

    def accept(
        self,
        usage: InviteUsage,
        transaction: ServerTransaction,
        now: float,
        *,
        code: int = 200,
        reason: str | None = None,
        headers: HeaderList = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> None:
        """Send a 2xx to an INVITE or re-INVITE and start to wait for the ACK (13.3.1.4)."""
        core, request = self._core, transaction.request
        if usage.refresh is not None:
            usage.refresh.cancel()
            usage.refresh = None
        data = core.respond(
            transaction,
            code,
            now,
            to_tag=usage.local_tag,
            reason=reason,
            headers=(*core.response_headers(usage.flow, headers), *record_route(request)),
            body=body,
            content_type=content_type,
        )
        stop_retransmitting(usage)
        timers = core.timers
        pending = Unacknowledged(
            transaction=transaction,
            data=data,
            cseq=request.head.cseq,
            interval=timers.t1,
            deadline=now + timers.give_up,
        )
        usage.unacknowledged = pending
        core.usages.await_ack(usage, ack_key(request))
        pending.timer = core.heap.start(now + timers.t1, partial(self._send_again, usage))

    def _send_again(self, usage: InviteUsage, now: float) -> None:
        pending = usage.unacknowledged
        assert pending is not None  # whoever clears it cancels the timer
        core = self._core
        if now >= pending.deadline:
            self._miss_ack(usage, now)
            return
        core.count("retransmissions_sent")
        core.outbox.append((pending.data, pending.transaction.flow))
        pending.interval = min(2 * pending.interval, core.timers.t2)
        when = min(now + pending.interval, pending.deadline)
        pending.timer = core.heap.start(when, partial(self._send_again, usage))

    def _miss_ack(self, usage: InviteUsage, now: float) -> None:
        self._core.count("acks_missing")
        stop_retransmitting(usage)
        if usage.state is UsageState.ANSWERED:
            usage.state = UsageState.ESTABLISHED
        if usage.bye_id is not None:
            self._in_dialog.send_bye(usage, usage.bye_id, now)
        self._core.tell(usage, AckMissing(usage.id))

    def reject(
        self,
        usage: InviteUsage,
        code: int,
        now: float,
        reason: str | None = None,
        headers: HeaderList = (),
    ) -> None:
        """Refuse the call with a final response and forget it."""
        if not 300 <= code <= 699:
            raise LocalProtocolError(f"not a refusal: {code}")
        transaction = _unanswered(usage)
        self._core.respond(
            transaction, code, now, to_tag=usage.local_tag, reason=reason, headers=headers
        )
        self._core.forget(usage, now)

    def cancelled(self, usage: InviteUsage, reason: str, now: float) -> None:
        """End an unanswered usage because the caller gave up (section 9.2)."""
        self.reject(usage, 487, now)
        self._core.tell(usage, InviteCancelled(usage.id, reason))

    def receive_cancel(self, request: Request, flow: Flow, now: float) -> None:
        """Take a CANCEL (section 9.2): 200 for itself, 487 for what it cancels."""
        core = self._core
        invite = core.transactions.find(request, flow, "INVITE")
        if invite is None:
            core.count("stray_requests")
            core.reply(request, flow, 481)
            return
        usage = core.usages.get(invite.usage) if invite.usage is not None else None
        own = core.transactions.open_server(request, flow, now)
        core.respond(own, 200, now, to_tag=usage.local_tag if usage is not None else "")
        if usage is None or invite.final:
            return
        if usage.invite is invite:
            self.cancelled(usage, request.headers.get("Reason") or "", now)
        else:
            core.respond(invite, 487, now)
            usage.reinvite = None

    def receive_ack(self, request: Request, flow: Flow, now: float) -> None:
        """Take the ACK of a 2xx, whatever its To-tag and branch say (pyVoIP makes them up)."""
        usage = self._core.usages.by_ack(ack_key(request))
        if usage is None or usage.flow.remote.host != flow.remote.host:
            self._core.count("stray_acks")
            return
        if usage.unacknowledged is None:
            self._core.count("retransmissions_received")
            return
        stop_retransmitting(usage)
        if usage.state is UsageState.ANSWERED:
            usage.state = UsageState.ESTABLISHED
        self._core.tell(usage, AckReceived(usage.id, request))
        if usage.bye_id is not None:
            self._in_dialog.send_bye(usage, usage.bye_id, now)


def ack_key(request: Request) -> tuple[str, str, int]:
    """Return what an ACK and its INVITE have in common with every peer."""
    head = request.head
    return head.call_id, head.from_tag, head.cseq


def _unanswered(usage: InviteUsage) -> ServerTransaction:
    if usage.invite is None or usage.state not in UNANSWERED:
        raise LocalProtocolError(f"usage {usage.id} waits for no answer: {usage.state.name}")
    return usage.invite
