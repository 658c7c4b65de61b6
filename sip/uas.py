"""The server side of INVITE usages: from the offered INVITE to the ACK of our 2xx.

RFC 3261 sections 9.2, 13.3 and 14.2.
"""

from functools import partial

from sip.address import Flow
from sip.build import HeaderList
from sip.core import Core, with_defaults
from sip.dialog import Dialog
from sip.errors import LocalProtocolError, RemoteProtocolError
from sip.events import (
    AckMissing,
    AckReceived,
    Authorized,
    InDialogReceived,
    InviteCancelled,
    InviteOffered,
)
from sip.in_dialog_client import InDialogClient
from sip.invite_usage import InviteUsage, Unacknowledged, stop_retransmitting
from sip.message import Request
from sip.option_tags import RELIABLE
from sip.reliable import ReliableServer, must_be_reliable
from sip.reliable_state import ReliableState
from sip.replacing import replaced_by
from sip.transaction_layer import ServerTransaction
from sip.usage_state import UNANSWERED, UsageInput, UsageState


def record_route(request: Request) -> list[tuple[str, str]]:
    """Return the Record-Route headers that a dialog-forming response repeats (12.1.1)."""
    return [("Record-Route", value) for value in request.headers.getlist("Record-Route")]


class InviteServer:
    """Answers INVITE requests."""

    def __init__(self, core: Core, in_dialog: InDialogClient) -> None:
        self._core = core
        self._in_dialog = in_dialog
        self.sessions = in_dialog.sessions
        self._reliable = ReliableServer(core, self._never_acknowledged)

    def offer(
        self, transaction: ServerTransaction, flow: Flow, authorized: Authorized, now: float
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
            peer=authorized.peer,
            invite=transaction,
        )
        usage.note_allow(transaction.request)
        transaction.usage = usage.id
        core.usages.add(usage)
        core.usages.add_dialog(usage, dialog.id)
        replaces = replaced.id if replaced is not None else None
        core.tell(
            usage, InviteOffered(usage.id, transaction.request, flow, authorized.identity, replaces)
        )

    def provisional(
        self, usage: InviteUsage, code: int, now: float, body: bytes, headers: HeaderList
    ) -> None:
        """Send a 1xx, and again each minute until the final response (13.3.1.1)."""
        if not 101 <= code <= 199:
            raise LocalProtocolError(f"not a provisional response: {code}")
        _unanswered(usage)
        usage.move(UsageInput.PROGRESS)
        if usage.reliable is None or usage.reliable.answer is None:
            self._say(usage, code, body, tuple(headers), now)

    def _say(
        self, usage: InviteUsage, code: int, body: bytes, headers: HeaderList, now: float
    ) -> None:
        core, transaction = self._core, _unanswered(usage)
        request = transaction.request
        own = [core.contact_header(usage.flow, secure=usage.secure), *record_route(request)]
        headers = with_defaults(headers, own)
        reliable = self._reliability(usage, request, described=bool(body))
        if reliable is None:
            # An offer of ours can only be in a response that is sure to arrive (13.2.1).
            body = body if request.body else b""
            core.respond(transaction, code, now, to_tag=usage.local_tag, headers=headers, body=body)
        elif reliable.unpracked is not None:
            reliable.waiting.append((code, body, headers))
            return
        elif body or request.body or reliable.answered:
            reliable.offering = reliable.offering or (bool(body) and not request.body)
            self._reliable.send(usage, reliable, transaction, code, body, headers, now)
        else:
            # The first reliable response to an INVITE without an offer has to hold one (RFC 3262
            # section 5), and ours is in the 2xx.
            return
        usage.progress = code, body if reliable is None else b"", headers
        self._refresh_later(usage, now)

    def _reliability(
        self, usage: InviteUsage, request: Request, *, described: bool
    ) -> ReliableState | None:
        """Return the state of reliable responses where this one has to be one."""
        core = self._core
        if RELIABLE not in core.supported or not must_be_reliable(request, described=described):
            return None
        if usage.reliable is None:
            first = 1 + int(core.dice() * (1 << 30))
            usage.reliable = ReliableState(cseq=request.head.cseq, rseq=first)
        return usage.reliable

    def takes_reliable(self, usage: InviteUsage) -> bool:
        """Tell whether a description in a 1xx will be sent reliably."""
        if usage.invite is None or usage.state not in UNANSWERED:
            return False
        known = must_be_reliable(usage.invite.request, described=True)
        return known and RELIABLE in self._core.supported

    def receive_prack(self, usage: InviteUsage, transaction: ServerTransaction, now: float) -> None:
        """Take a PRACK, and say what had to wait for it (RFC 3262 section 3)."""
        state, request = usage.reliable, transaction.request
        if state is None or not state.acknowledged(request):
            self._core.respond(transaction, 481, now)
            return
        self._answer_prack(usage, state, transaction, now)
        while usage.state in UNANSWERED and state.waiting and state.unpracked is None:
            code, body, headers = state.waiting.popleft()
            self._say(usage, code, body, headers, now)
        if state.answer is not None and not state.holds_answer:
            state.answer(now)

    def _answer_prack(
        self, usage: InviteUsage, state: ReliableState, transaction: ServerTransaction, now: float
    ) -> None:
        core, request = self._core, transaction.request
        if state.offering and request.body:
            state.offering = False
            usage.note_request(transaction)
            core.tell(usage, InDialogReceived(usage.id, transaction.id, request))
        elif state.offering:
            core.respond(transaction, 400, now, reason="Missing Answer")
            self.reject(usage, 488, now)
            core.tell(usage, InviteCancelled(usage.id, "prack"))
        else:
            core.respond(transaction, 488 if request.body else 200, now)

    def _never_acknowledged(self, usage: InviteUsage, now: float) -> None:
        self.reject(usage, 504, now)
        self._core.tell(usage, InviteCancelled(usage.id, "prack"))

    def _refresh_later(self, usage: InviteUsage, now: float) -> None:
        if usage.refresh is not None:
            usage.refresh.cancel()
        when = now + self._core.timers.provisional_refresh
        usage.refresh = self._core.heap.start(when, partial(self._refresh, usage))

    def _refresh(self, usage: InviteUsage, now: float) -> None:
        # The timer is cancelled with the final response, so there is one to refresh.
        assert usage.progress is not None
        code, body, headers = usage.progress
        self._say(usage, code, body, headers, now)

    def answer(self, usage: InviteUsage, body: bytes, now: float, headers: HeaderList) -> None:
        """Accept the call; the 2xx is sent until its ACK comes.

        It waits for the PRACK of a session description, and then brings none of its own.
        """
        state = usage.reliable
        if state is not None and state.holds_answer:
            state.waiting.clear()
            state.answer = partial(self._answer, usage, b"", tuple(headers))
            return
        self._answer(usage, b"" if state is not None and state.answered else body, headers, now)

    def _answer(self, usage: InviteUsage, body: bytes, headers: HeaderList, now: float) -> None:
        transaction = _unanswered(usage)
        if usage.reliable is not None:
            usage.reliable.stop()
        self.accept(usage, transaction, now, body=body, headers=headers)
        usage.move(UsageInput.ANSWER)

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
        described = bool(request.body)
        if usage.refresh is not None:
            usage.refresh.cancel()
            usage.refresh = None
        session = self.sessions.accept(usage, request, now)
        data = core.respond(
            transaction,
            code,
            now,
            to_tag=usage.local_tag,
            reason=reason,
            headers=(
                *core.response_headers(usage.flow, headers, secure=usage.secure),
                *session,
                *record_route(request),
            ),
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
        usage.unanswered_offer = bool(body) and not described
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
        usage.unanswered_offer = False
        usage.move(UsageInput.ACKNOWLEDGE)
        self._in_dialog.send_owed_bye(usage, now)
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
        if usage is None or not usage.is_from(flow):
            self._core.count("stray_acks")
            return
        if usage.unacknowledged is None:
            self._core.count("retransmissions_received")
            return
        stop_retransmitting(usage)
        usage.unanswered_offer = False
        usage.move(UsageInput.ACKNOWLEDGE)
        self._core.tell(usage, AckReceived(usage.id, request))
        self._in_dialog.send_owed_bye(usage, now)


def ack_key(request: Request) -> tuple[str, str, int]:
    """Return what an ACK and its INVITE have in common with every peer."""
    head = request.head
    return head.call_id, head.from_tag, head.cseq


def _unanswered(usage: InviteUsage) -> ServerTransaction:
    if usage.invite is None or usage.state not in UNANSWERED:
        raise LocalProtocolError(f"usage {usage.id} waits for no answer: {usage.state.name}")
    return usage.invite
