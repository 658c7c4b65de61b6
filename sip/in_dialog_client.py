"""Our requests inside a dialog: BYE, re-INVITE, ACK and the rest (RFC 3261 12.2.1, 14.1, 15)."""

from functools import partial
from typing import Literal

from sip.build import HeaderList, OutgoingRequest
from sip.core import Core
from sip.dialog import Dialog
from sip.errors import LocalProtocolError
from sip.events import RequestCompleted, UsageEnded
from sip.invite_usage import InviteUsage, UsageState
from sip.message import Response
from sip.transaction import State
from sip.transaction_layer import ClientTransaction

TARGET_REFRESH = ("INVITE", "UPDATE")


def ignore(
    _transaction: ClientTransaction, _response: Response | None, _code: int, _now: float
) -> None:
    """Report of a request whose result changes nothing: CANCEL, the BYE of a fork."""


class InDialogClient:
    """Sends requests inside dialogs and tells what came of them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # --- requests

    def request(
        self,
        usage: InviteUsage,
        method: str,
        now: float,
        *,
        headers: HeaderList = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> int:
        """Send a request; its result comes as `RequestCompleted`."""
        if method in ("ACK", "BYE", "CANCEL", "INVITE"):
            raise LocalProtocolError(f"{method} has a method of its own")
        if usage.state is UsageState.ENDING:
            return self.too_late(usage.id)
        request_id = self._core.new_id()
        self._open(usage, method, request_id, now, headers, body=body, content_type=content_type)
        return request_id

    def reinvite(
        self, usage: InviteUsage, body: bytes, now: float, headers: HeaderList = ()
    ) -> int:
        """Offer anew (section 14.1); without a body the peer's 2xx holds the offer."""
        if usage.state is UsageState.ENDING:
            return self.too_late(usage.id)
        if usage.state is not UsageState.ESTABLISHED:
            raise LocalProtocolError(f"usage {usage.id} is not established: {usage.state.name}")
        if usage.reinviting is not None:
            raise LocalProtocolError(f"usage {usage.id} has a re-INVITE under way")
        request_id = self._core.new_id()
        if usage.reinvite is not None or usage.unacknowledged is not None:
            # Glare: an INVITE of the peer is not finished, ours would get 491 (section 14.1).
            self._core.tell(usage, RequestCompleted(usage.id, request_id, None, 491))
            return request_id
        usage.reinviting = request_id
        usage.late_offer = not body
        transaction = self._open(usage, "INVITE", request_id, now, headers, body=body)
        # Provisional responses stop Timer B for good: bound the wait for a final one.
        when = now + self._core.timers.give_up
        self._core.heap.start(when, partial(self._cancel_reinvite, transaction))
        return request_id

    def _cancel_reinvite(self, transaction: ClientTransaction, now: float) -> None:
        if transaction.state is State.PROCEEDING:
            core = self._core
            cancel = transaction.sent.cancel()
            core.transactions.open_client(cancel, transaction.flow, ignore, now)
            when = now + core.timers.give_up
            core.heap.start(when, partial(core.transactions.give_up, transaction))

    def bye(self, usage: InviteUsage, now: float, headers: HeaderList = ()) -> int:
        """End the call; waits for the ACK of our 2xx where that is still missing (15)."""
        if usage.bye_id is not None:
            return usage.bye_id
        if usage.state not in (UsageState.ANSWERED, UsageState.ESTABLISHED):
            raise LocalProtocolError(f"usage {usage.id} has no dialog to end: {usage.state.name}")
        usage.bye_id = self._core.new_id()
        usage.bye_headers = tuple(headers)
        if usage.state is UsageState.ESTABLISHED:
            self.send_bye(usage, usage.bye_id, now)
        return usage.bye_id

    def send_bye(self, usage: InviteUsage, request_id: int, now: float) -> None:
        """Send the BYE of a usage."""
        usage.state = UsageState.ENDING
        self._core.refuse_pending(usage, now)
        self._open(usage, "BYE", request_id, now, usage.bye_headers)

    def _open(
        self,
        usage: InviteUsage,
        method: str,
        request_id: int,
        now: float,
        headers: HeaderList,
        *,
        body: bytes = b"",
        content_type: str | None = None,
    ) -> ClientTransaction:
        if usage.dialog is None:
            raise LocalProtocolError(f"usage {usage.id} has no dialog: {usage.state.name}")
        request = self.build(
            usage.dialog, method, headers=headers, body=body, content_type=content_type
        )
        report = partial(self._completed, usage, request_id)
        return self._core.transactions.open_client(request, usage.dialog.flow, report, now)

    def build(
        self,
        dialog: Dialog,
        method: str,
        *,
        headers: HeaderList = (),
        body: bytes = b"",
        content_type: str | None = None,
        cseq: int | None = None,
    ) -> OutgoingRequest:
        """Return a new request of any dialog; an ACK brings the CSeq of its INVITE."""
        core = self._core
        branch = core.branch()
        if method in TARGET_REFRESH:
            headers = core.request_headers(dialog.flow, headers)
        return dialog.request(
            method,
            cseq=dialog.next_cseq() if cseq is None else cseq,
            via=core.via(dialog.flow, branch),
            branch=branch,
            headers=tuple(headers),
            body=body,
            content_type=content_type,
        )

    # --- results

    def _completed(  # noqa: PLR0917 - a bound `Report`
        self,
        usage: InviteUsage,
        request_id: int,
        transaction: ClientTransaction,
        response: Response | None,
        code: int,
        now: float,
    ) -> None:
        if code < 200:
            return
        method = transaction.sent.method
        if method == "INVITE" and response is not None and code < 300:
            if self._acknowledged(usage, transaction, response):
                return
            usage.reinviting = None
        elif method == "INVITE":
            usage.reinviting = None
        elif method == "BYE":
            self._core.forget(usage, now)
        if usage.dialog is not None and method in TARGET_REFRESH and response and code < 300:
            usage.dialog.refresh_target(response)
        self._core.tell(usage, RequestCompleted(usage.id, request_id, response, code))
        if code == 481:
            self.lose(usage, "gone", now)
        elif code == 408 and method in TARGET_REFRESH:
            self.lose(usage, "timeout", now)

    def lose(self, usage: InviteUsage, cause: Literal["timeout", "gone"], now: float) -> None:
        """Take the dialog for dead (RFC 3261 section 12.2.1.2, RFC 5057).

        A silent peer ends the call only when it does not answer a re-INVITE or UPDATE: cheap
        phones never answer INFO or OPTIONS. It still gets a BYE, in case it can hear. Before the
        2xx the INVITE itself decides.
        """
        if usage.state not in (UsageState.ANSWERED, UsageState.ESTABLISHED):
            return
        self._core.tell(usage, UsageEnded(usage.id, cause))
        usage.silent = True
        if cause == "timeout" and usage.state is UsageState.ESTABLISHED:
            usage.bye_id = self._core.new_id()
            self.send_bye(usage, usage.bye_id, now)
        else:
            self._core.forget(usage, now)

    def too_late(self, usage: int) -> int:
        """Complete a request for a usage that has ended meanwhile."""
        request_id = self._core.new_id()
        self._core.count("late_calls")
        self._core.events.append(RequestCompleted(usage, request_id, None, 481))
        return request_id

    # --- ACK

    def _acknowledged(
        self, usage: InviteUsage, transaction: ClientTransaction, response: Response
    ) -> bool:
        """ACK the 2xx of a re-INVITE; true when it was seen before."""
        cseq = transaction.sent.cseq
        if self.acknowledge_again(usage, response):
            return True
        if usage.late_offer and usage.state is UsageState.ESTABLISHED:
            usage.unsent_ack = cseq
        else:
            self.acknowledge(usage, cseq, b"")
        return False

    def acknowledge_again(self, usage: InviteUsage, response: Response) -> bool:
        """Repeat the ACK of a 2xx that was seen before (13.2.2.4); false when it is a new one."""
        key = (response.head.to_tag, response.head.cseq)
        ack, dialog = usage.acks.get(key), usage.dialog
        if ack is not None:
            self._core.count("retransmissions_received")
            self._core.outbox.append((ack, dialog.flow if dialog is not None else usage.flow))
            return True
        return dialog is not None and key == (dialog.remote_tag, usage.unsent_ack)

    def acknowledge(self, usage: InviteUsage, cseq: int, body: bytes) -> None:
        """Send the ACK of a 2xx and keep it for its retransmissions."""
        assert usage.dialog is not None
        ack = bytes(self.build(usage.dialog, "ACK", body=body, cseq=cseq))
        usage.keep_ack((usage.dialog.remote_tag, cseq), ack)
        self._core.outbox.append((ack, usage.dialog.flow))

    def ack(self, usage: InviteUsage, body: bytes) -> None:
        """Send the ACK that holds the answer to a late offer (section 13.2.1)."""
        if usage.unsent_ack is None:
            raise LocalProtocolError(f"usage {usage.id} waits for no ACK of ours")
        cseq, usage.unsent_ack = usage.unsent_ack, None
        self.acknowledge(usage, cseq, body)
