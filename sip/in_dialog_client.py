"""Our requests inside a dialog: BYE, re-INVITE, ACK and the rest (RFC 3261 12.2.1, 14.1, 15)."""

import re
from dataclasses import dataclass
from functools import partial
from typing import Literal

from sip.build import HeaderList, OutgoingRequest
from sip.core import Core
from sip.credentials import Attempt, vouching
from sip.dialog import Dialog
from sip.errors import LocalProtocolError
from sip.events import RequestCompleted, UsageEnded
from sip.invite_usage import InviteUsage
from sip.message import Response
from sip.peer import attempt_for, may_answer
from sip.session_keeper import TRY_AGAIN_S, SessionKeeper
from sip.transaction import State
from sip.transaction_layer import ClientTransaction
from sip.usage_state import TALKING, UsageInput, UsageState

TARGET_REFRESH = ("INVITE", "UPDATE")

_SECONDS = re.compile(r"[0-9]{1,6}")


def ignore(
    _transaction: ClientTransaction, _response: Response | None, _code: int, _now: float
) -> None:
    """Report of a request whose result changes nothing: CANCEL, the BYE of a fork."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request of ours has to be sent again with."""

    id: int | None
    "By which the application knows it; None: it does not."
    headers: tuple[tuple[str, str], ...]
    attempt: Attempt | None
    dialog: Dialog


def _vouch(usage: InviteUsage, asked: _Asked, response: Response) -> bool:
    """Take a challenge of the peer; true when the request is to be sent again (22.2)."""
    attempt = asked.attempt
    return attempt is not None and may_answer(usage.peer, response) and attempt.take(response)


class InDialogClient:
    """Sends requests inside dialogs and tells what came of them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.sessions = SessionKeeper(core, self)

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
        if method == "UPDATE" and body:
            if usage.offering or usage.offered:
                return self._glare(usage, request_id)
            usage.updating = request_id
        self._open(usage, method, request_id, now, headers, body=body, content_type=content_type)
        return request_id

    def update(self, usage: InviteUsage, now: float) -> None:
        """Refresh the session by an UPDATE without a body; nobody is told (RFC 4028)."""
        self._open(usage, "UPDATE", None, now, ())

    def prack(self, usage: InviteUsage, dialog: Dialog, rack: str, body: bytes, now: float) -> None:
        """Acknowledge a 1xx of an early dialog (RFC 3262); nobody is told what comes of it."""
        headers = (("RAck", rack),)
        self._open(usage, "PRACK", None, now, headers, body=body, dialog=dialog)

    def _glare(self, usage: InviteUsage, request_id: int) -> int:
        """Complete an offer that the peer would refuse with 491: another one is under way."""
        wait = self._glare_wait(usage)
        self._core.tell(usage, RequestCompleted(usage.id, request_id, None, 491, wait))
        return request_id

    def _glare_wait(self, usage: InviteUsage) -> float:
        """Return how long to wait after a 491, in steps of 10 ms (section 14.1).

        Whoever made the Call-ID waits longer, so that the other end comes first.
        """
        dice = self._core.dice()
        return (210 + int(dice * 190)) / 100 if usage.sent is not None else int(dice * 200) / 100

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
        if usage.offered or usage.updating is not None or usage.unacknowledged is not None:
            # Glare: an offer of the peer is not finished, ours would get 491 (section 14.1).
            return self._glare(usage, request_id)
        usage.reinviting = request_id
        usage.late_offer = not body
        self._open(usage, "INVITE", request_id, now, headers, body=body)
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
        if usage.state not in TALKING:
            raise LocalProtocolError(f"usage {usage.id} has no dialog to end: {usage.state.name}")
        usage.bye_id = self._core.new_id()
        usage.bye_headers = tuple(headers)
        if usage.state is UsageState.ESTABLISHED:
            self.send_bye(usage, usage.bye_id, now)
        return usage.bye_id

    def send_owed_bye(self, usage: InviteUsage, now: float) -> None:
        """Send the BYE that waited for the ACK of our 2xx.

        The ACK of a re-INVITE keeps none waiting: then the BYE is under way already.
        """
        if usage.bye_id is not None and usage.state is UsageState.ESTABLISHED:
            self.send_bye(usage, usage.bye_id, now)

    def send_bye(self, usage: InviteUsage, request_id: int, now: float) -> None:
        """Send the BYE of a usage."""
        usage.move(UsageInput.BYE)
        self._core.refuse_pending(usage, now)
        self._open(usage, "BYE", request_id, now, usage.bye_headers)

    def _open(
        self,
        usage: InviteUsage,
        method: str,
        request_id: int | None,
        now: float,
        headers: HeaderList,
        *,
        body: bytes = b"",
        content_type: str | None = None,
        attempt: Attempt | None = None,
        dialog: Dialog | None = None,
    ) -> None:
        """Send a request; `attempt` holds what its challenges were answered with so far.

        `dialog`: another one than the newest of the usage.
        """
        dialog = dialog or usage.dialog
        if dialog is None:
            raise LocalProtocolError(f"usage {usage.id} has no dialog: {usage.state.name}")
        session = self.sessions.request_headers(usage) if method in TARGET_REFRESH else ()
        request = self.build(
            dialog,
            method,
            headers=(*headers, *session),
            body=body,
            content_type=content_type,
        )
        attempt = attempt or attempt_for(usage.peer)
        if attempt is not None:
            answers = attempt.headers(method, request.uri)
            request = request._replace(headers=(*request.headers, *answers))
        asked = _Asked(request_id, tuple(headers), attempt, dialog)
        core, report = self._core, partial(self._completed, usage, asked)
        transaction = core.transactions.open_client(request, dialog.flow, report, now)
        if method == "INVITE":
            usage.vouching = vouching(request.headers)
            # Provisional responses stop Timer B for good: bound the wait for a final one.
            when = now + core.timers.give_up
            core.heap.start(when, partial(self._cancel_reinvite, transaction))

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
            headers = core.request_headers(dialog.flow, headers, secure=dialog.secure)
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
        asked: _Asked,
        transaction: ClientTransaction,
        response: Response | None,
        code: int,
        now: float,
    ) -> None:
        if code < 200:
            return
        sent, method = transaction.sent, transaction.sent.method
        request_id = asked.id
        if response is not None and self._goes_on(usage, asked, sent, response, now):
            return
        wait = self._wait(usage, response, code)
        if method == "BYE":
            self._core.forget(usage, now)
        elif method in TARGET_REFRESH:
            usage.close_offer(request_id)
            self._refreshed(usage, response, code, wait, now)
        if request_id is not None:
            told = RequestCompleted(usage.id, request_id, response, code, wait)
            self._core.tell(usage, told)
        if code == 481 and method != "PRACK":
            self.lose(usage, "gone", now)
        elif code == 408 and method in TARGET_REFRESH:
            self.lose(usage, "timeout", now)

    def _goes_on(
        self,
        usage: InviteUsage,
        asked: _Asked,
        sent: OutgoingRequest,
        response: Response,
        now: float,
    ) -> bool:
        """Take a final response; true where it is no result: seen before, or asked again."""
        code, refreshes = response.code, sent.method in TARGET_REFRESH
        if sent.method == "INVITE" and code < 300:
            return self._acknowledged(usage, sent.cseq, response)
        if not (refreshes and code == 422 and self.sessions.longer(usage, response)) and not (
            _vouch(usage, asked, response)
        ):
            return False
        self._send_again(usage, asked, sent, now)
        return True

    def _send_again(
        self, usage: InviteUsage, asked: _Asked, sent: OutgoingRequest, now: float
    ) -> None:
        self._open(
            usage,
            sent.method,
            asked.id,
            now,
            asked.headers,
            body=sent.body,
            content_type=sent.content_type,
            attempt=asked.attempt,
            dialog=asked.dialog,
        )

    def _refreshed(
        self,
        usage: InviteUsage,
        response: Response | None,
        code: int,
        wait: float | None,
        now: float,
    ) -> None:
        """Note what a re-INVITE or UPDATE of ours has changed in the dialog."""
        if response is not None and code < 300:
            usage.note_allow(response)
            if usage.dialog is not None:
                usage.dialog.refresh_target(response)
            self.sessions.answered(usage, response, now)
            return
        if code in (405, 501):
            usage.peer_takes_update = False
        self.sessions.refresh_again(usage, now, TRY_AGAIN_S if wait is None else wait)

    def _wait(self, usage: InviteUsage, response: Response | None, code: int) -> float | None:
        if code == 491:
            return self._glare_wait(usage)
        text = response.headers.get("Retry-After", "") if response is not None else ""
        match = _SECONDS.match(text or "")
        return float(match[0]) if match else None

    def lose(self, usage: InviteUsage, cause: Literal["timeout", "gone"], now: float) -> None:
        """Take the dialog for dead (RFC 3261 section 12.2.1.2, RFC 5057).

        A silent peer ends the call only when it does not answer a re-INVITE or UPDATE: cheap
        phones never answer INFO or OPTIONS. It still gets a BYE, in case it can hear. Before the
        2xx the INVITE itself decides.
        """
        if usage.state not in TALKING:
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

    def _acknowledged(self, usage: InviteUsage, cseq: int, response: Response) -> bool:
        """ACK the 2xx of a re-INVITE; true when it was seen before."""
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
        ack = bytes(self.build(usage.dialog, "ACK", headers=usage.vouching, body=body, cseq=cseq))
        usage.keep_ack((usage.dialog.remote_tag, cseq), ack)
        self._core.outbox.append((ack, usage.dialog.flow))

    def ack(self, usage: InviteUsage, body: bytes) -> None:
        """Send the ACK that holds the answer to a late offer (section 13.2.1)."""
        if usage.unsent_ack is None:
            raise LocalProtocolError(f"usage {usage.id} waits for no ACK of ours")
        cseq, usage.unsent_ack = usage.unsent_ack, None
        self.acknowledge(usage, cseq, body)
