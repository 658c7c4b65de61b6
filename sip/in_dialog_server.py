"""Requests of the peer inside a dialog, and the application's answers (RFC 3261 12.2.2, 14.2, 15).

A request belongs to a dialog when both its tags do and it comes from the host that the dialog's
flow leads to; anything else is answered with 481, so that a call can't be touched by someone
who merely guessed or saw its identifiers.
"""

from sip.address import Flow
from sip.build import HeaderList
from sip.core import Core
from sip.errors import LocalProtocolError
from sip.events import (
    InDialogReceived,
    InviteCancelled,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.in_dialog_client import TARGET_REFRESH
from sip.invite_usage import InviteUsage
from sip.message import Request
from sip.refer import Refer
from sip.refer_server import ReferServer
from sip.transaction_layer import ServerTransaction
from sip.uas import InviteServer
from sip.usage_state import TALKING, UNANSWERED, UsageState


class InDialogServer:
    """Takes requests inside dialogs and sends their answers."""

    def __init__(self, core: Core, invites: InviteServer, refers: ReferServer) -> None:
        self._core = core
        self._invites = invites
        self._refers = refers

    def find(self, request: Request, flow: Flow) -> InviteUsage | None:
        """Return the usage that a request with a To-tag belongs to."""
        head = request.head
        usage = self._core.usages.by_dialog((head.call_id, head.to_tag, head.from_tag))
        if usage is None or not usage.is_from(flow):
            return None
        return usage

    def receive(self, usage: InviteUsage, transaction: ServerTransaction, now: float) -> None:
        """Take a new request of a dialog."""
        request = transaction.request
        dialog = usage.dialog
        assert dialog is not None
        transaction.usage = usage.id
        early_fork = dialog.remote_tag != request.head.from_tag
        if not early_fork and not dialog.receive_cseq(request.head.cseq):
            self._core.respond(transaction, 500, now, headers=(self._core.retry_after(),))
            return
        if not early_fork and transaction.flow.transport == dialog.flow.transport != "UDP":
            # The peer opened a new connection, and the old one may be gone (RFC 5626 section 4.3).
            dialog.flow = transaction.flow
        if request.method == "BYE":
            self._bye(usage, transaction, now)
        elif usage.state is UsageState.ENDING:
            self._core.respond(transaction, 481, now)
        elif request.method == "INVITE":
            self._reinvite(usage, transaction, now)
        elif request.method == "SUBSCRIBE" and self._refers.subscribe(usage, transaction, now):
            return
        elif request.method == "PRACK":
            self._invites.receive_prack(usage, transaction, now)
        elif request.method == "UPDATE" and "UPDATE" in self._core.allow[1]:
            self._update(usage, transaction, now)
        else:
            usage.note_request(transaction)
            event = InDialogReceived(usage.id, transaction.id, request)
            self._core.tell(usage, event)

    def _bye(self, usage: InviteUsage, transaction: ServerTransaction, now: float) -> None:
        """End the usage (section 15.1.2); what is still unanswered gets 487."""
        core, request = self._core, transaction.request
        if usage.state in TALKING:
            core.respond(transaction, 200, now)
            core.forget(usage, now)
            if usage.bye_id is not None:
                core.tell(usage, RequestCompleted(usage.id, usage.bye_id, None, 481))
            core.tell(usage, UsageEnded(usage.id, "bye", request))
        elif usage.state is UsageState.ENDING:
            # Both sides hung up at once: ours runs to its own end.
            core.respond(transaction, 200, now)
        elif usage.state in UNANSWERED and usage.invite is not None:
            core.respond(transaction, 200, now)
            self._invites.reject(usage, 487, now)
            core.tell(usage, InviteCancelled(usage.id, "bye"))
        else:
            # A callee may not send BYE in an early dialog (section 15): it answers the INVITE.
            core.respond(transaction, 481, now)

    def _reinvite(self, usage: InviteUsage, transaction: ServerTransaction, now: float) -> None:
        """Offer a re-INVITE to the application, one at a time (section 14.2)."""
        core = self._core
        if usage.reinviting is not None or usage.updating is not None:
            core.respond(transaction, 491, now)
        elif usage.state not in TALKING or usage.offered or usage.unacknowledged:
            core.respond(transaction, 500, now, headers=(core.retry_after(),))
        else:
            usage.note_allow(transaction.request)
            core.respond(transaction, 100, now)
            usage.reinvite = transaction
            core.tell(usage, ReinviteReceived(usage.id, transaction.id, transaction.request))

    def _update(self, usage: InviteUsage, transaction: ServerTransaction, now: float) -> None:
        """Take an UPDATE (RFC 3311 section 5.2); one without an offer only refreshes."""
        core, request = self._core, transaction.request
        usage.note_allow(request)
        if not request.body:
            self._settle(usage, transaction, 200)
            session = self._invites.sessions.accept(usage, request, now)
            headers = core.response_headers(usage.flow, session, secure=usage.secure)
            core.respond(transaction, 200, now, headers=headers)
        elif usage.offering:
            core.respond(transaction, 491, now)
        elif usage.offered:
            core.respond(transaction, 500, now, headers=(core.retry_after(),))
        else:
            usage.note_request(transaction)
            core.tell(usage, InDialogReceived(usage.id, transaction.id, request))

    def pending(self, identifier: int) -> ServerTransaction | None:
        """Return a request that the application has still to answer, None when it has ended."""
        transaction = self._core.transactions.by_id(identifier)
        if transaction is None or transaction.final:
            self._core.count("late_calls")
            return None
        return transaction

    def respond(
        self,
        identifier: int,
        code: int,
        now: float,
        *,
        reason: str | None,
        headers: HeaderList,
        body: bytes,
        content_type: str | None,
    ) -> None:
        """Answer a request that was offered to the application, in a dialog or outside."""
        core, transaction = self._core, self.pending(identifier)
        if transaction is None:
            return
        request = transaction.request
        if request.method != "INVITE" and code < 200:
            raise LocalProtocolError("RFC 4320: no provisional response but to INVITE")
        usage = core.usages.get(transaction.usage) if transaction.usage is not None else None
        if usage is not None and usage.invite is transaction:
            raise LocalProtocolError("the first INVITE is answered with answer() or reject()")
        if usage is not None:
            self._settle(usage, transaction, code)
        if usage is not None and request.method == "INVITE" and 200 <= code < 300:
            self._invites.accept(
                usage,
                transaction,
                now,
                code=code,
                reason=reason,
                headers=headers,
                body=body,
                content_type=content_type,
            )
            return
        if usage is not None and request.method in TARGET_REFRESH and code < 300:
            headers = core.response_headers(usage.flow, headers, secure=usage.secure)
            if request.method == "UPDATE":
                headers = (*headers, *self._invites.sessions.accept(usage, request, now))
        core.respond(
            transaction,
            code,
            now,
            reason=reason,
            headers=headers,
            body=body,
            content_type=content_type,
        )

    def accept_refer(self, identifier: int, refer: Refer, now: float) -> int | None:
        """Take a REFER that was offered to the application; None where it came to its end."""
        transaction = self.pending(identifier)
        usage = self._core.usages.get(transaction.usage or 0) if transaction is not None else None
        if transaction is None or usage is None:
            return None
        usage.requests.pop(transaction.id, None)
        return self._refers.accept(usage, transaction, refer, now)

    def _settle(self, usage: InviteUsage, transaction: ServerTransaction, code: int) -> None:
        """Note what a response changes in the usage."""
        if code < 200:
            return
        usage.requests.pop(transaction.id, None)
        if usage.reinvite is transaction:
            usage.reinvite = None
        request = transaction.request
        if code < 300 and request.method in TARGET_REFRESH and usage.dialog is not None:
            usage.dialog.refresh_target(request)
            if transaction.flow.transport == usage.dialog.flow.transport:
                # The phone's NAT gave it another port: later requests go where this came from.
                # Not to TCP, where it came over it only because it was long (section 18.1.1).
                usage.dialog.flow = transaction.flow
