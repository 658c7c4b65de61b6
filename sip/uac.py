"""The client side of INVITE usages: calling, cancelling, forks (RFC 3261 sections 9.1, 13.2)."""

from dataclasses import dataclass, field
from functools import partial

from sip.address import Flow
from sip.build import HeaderList, OutgoingRequest, with_tag
from sip.core import Core
from sip.credentials import VOUCHING, vouching
from sip.dialog import Dialog
from sip.errors import LocalProtocolError
from sip.events import InviteAnswered, InviteFailed, InviteProgressed
from sip.hops import MAX_FORWARDS, hops_left, mark_of
from sip.in_dialog_client import InDialogClient, ignore
from sip.invite_usage import MAX_ACKS, InviteUsage
from sip.message import URI, Address, Request, Response
from sip.name_addr import write_address, write_uri
from sip.peer import Peer, attempt_for, may_answer
from sip.reliable import ReliableClient
from sip.reliable_state import Fork
from sip.timers import Timer
from sip.transaction import State
from sip.transaction_layer import ClientTransaction
from sip.usage_state import WAITING, UsageInput, UsageState

TERMINATED = (487, "Request Terminated")

MAX_LATE = 4096
"INVITEs that we gave up on and whose late 2xx we would still end; the oldest go first."


@dataclass(slots=True, kw_only=True, eq=False)
class LateInvite:
    """An INVITE without a final response that we wait for no more.

    pyVoIP answers CANCEL with 200, sends no 487, rings on, and may be picked up minutes later.
    """

    sent: OutgoingRequest
    target: URI
    local_tag: str
    flow: Flow
    timer: Timer
    acks: dict[str, bytes] = field(default_factory=dict)
    "By To-tag."


class InviteClient:
    """Sends INVITE requests and follows their responses."""

    def __init__(self, core: Core, in_dialog: InDialogClient) -> None:
        self._core = core
        self._in_dialog = in_dialog
        self._reliable = ReliableClient(core, in_dialog)
        self._late: dict[str, LateInvite] = {}

    def invite(
        self,
        *,
        target: URI,
        flow: Flow,
        from_: Address,
        to: Address,
        body: bytes,
        headers: HeaderList,
        caused_by: Request | None,
        now: float,
        routes: tuple[str, ...] = (),
        peer: Peer | None = None,
        silence_s: float | None = None,
    ) -> InviteUsage:
        """Call somebody (section 13.2.1).

        `silence_s`: how long nothing at all may come back, not even 100; None: 64*T1.
        """
        core = self._core
        branch, local_tag = core.branch(), core.token()
        hops = MAX_FORWARDS
        if caused_by is not None:
            branch += core.loops.mark(caused_by)
            hops = min(hops, hops_left(caused_by) - 1)
        sent = OutgoingRequest(
            method="INVITE",
            uri=write_uri(target),
            via=core.via(flow, branch),
            branch=branch,
            from_=with_tag(write_address(from_), local_tag),
            to=write_address(to),
            call_id=core.token(),
            cseq=1,
            routes=routes,
            max_forwards=hops,
            headers=(
                *core.request_headers(flow, headers, secure=target.scheme == "sips"),
                *self._in_dialog.sessions.request_headers(None),
            ),
            body=body,
        )
        usage = InviteUsage(
            id=core.new_id(),
            state=UsageState.CALLING,
            flow=flow,
            local_tag=local_tag,
            sent=sent,
            target=target,
            peer=peer,
            attempt=attempt_for(peer),
            late_offer=not body,
        )
        core.usages.add(usage)
        self._open(usage, sent, now)
        if silence_s is not None:
            core.heap.start(now + silence_s, partial(self._silence, usage))
        return usage

    def _open(self, usage: InviteUsage, sent: OutgoingRequest, now: float) -> None:
        usage.sent = sent
        usage.vouching = vouching(sent.headers)
        report = partial(self._report, usage)
        usage.calling = self._core.transactions.open_client(sent, usage.flow, report, now)

    def _silence(self, usage: InviteUsage, now: float) -> None:
        """Give up a call that nobody has answered in any way, so that another server may."""
        calling = usage.calling
        if usage.state is UsageState.CALLING and calling and calling.state is State.CALLING:
            self._core.transactions.give_up(calling, now)

    # --- cancelling

    def cancel(self, usage: InviteUsage, now: float, headers: HeaderList = ()) -> None:
        """Give up an unanswered call (section 9.1); `InviteFailed` with 487 follows."""
        assert usage.calling is not None
        usage.cancel_headers = tuple(headers)
        usage.move(UsageInput.CANCEL)
        if usage.calling.state is State.PROCEEDING:
            self._send_cancel(usage, now)

    def _send_cancel(self, usage: InviteUsage, now: float) -> None:
        calling = usage.calling
        assert calling is not None
        usage.cancel_sent = True
        core = self._core
        cancel = calling.sent.cancel(usage.cancel_headers)
        core.transactions.open_client(cancel, calling.flow, ignore, now)
        when = now + core.timers.give_up
        usage.give_up = core.heap.start(when, partial(self._stop_waiting, usage))

    def _stop_waiting(self, usage: InviteUsage, now: float) -> None:
        assert usage.calling is not None
        self._core.transactions.give_up(usage.calling, now)

    # --- responses

    def _report(
        self,
        usage: InviteUsage,
        transaction: ClientTransaction,
        response: Response | None,
        code: int,
        now: float,
    ) -> None:
        if response is None:
            if code == 408:
                self._expect_late_answer(usage, transaction, now)
            reason = "Request Timeout" if code == 408 else "Unreachable"
            self._fail(usage, code, reason, None, now)
        elif code < 200:
            self._progress(usage, transaction, response, now)
        elif code < 300:
            self._succeed(usage, transaction, response, now)
        elif (
            code == 422
            and usage.state in WAITING
            and (self._in_dialog.sessions.longer(usage, response))
        ) or (usage.state in WAITING and self._vouch(usage, response)):
            self._invite_again(usage, now)
        else:
            self._fail(usage, code, response.phrase, response, now)

    @staticmethod
    def _vouch(usage: InviteUsage, response: Response) -> bool:
        """Take a challenge of the peer; true when the INVITE is to be sent again (22.2)."""
        attempt = usage.attempt
        return attempt is not None and may_answer(usage.peer, response) and attempt.take(response)

    def _invite_again(self, usage: InviteUsage, now: float) -> None:
        """Send the INVITE anew: with credentials, or with a longer session (RFC 4028 7.3)."""
        sent = usage.sent
        assert sent is not None
        core = self._core
        branch = core.branch() + mark_of(sent.branch)
        session = dict(self._in_dialog.sessions.request_headers(usage))
        answers = usage.attempt.headers("INVITE", sent.uri) if usage.attempt is not None else ()
        kept = [header for header in sent.headers if header[0] not in session.keys() | VOUCHING]
        core.usages.forget_dialogs(usage)
        again = sent._replace(
            via=core.via(usage.flow, branch),
            branch=branch,
            cseq=sent.cseq + 1,
            headers=(*kept, *session.items(), *answers),
        )
        self._open(usage, again, now)

    def _fail(
        self, usage: InviteUsage, code: int, reason: str, response: Response | None, now: float
    ) -> None:
        if usage.state is UsageState.CANCELLING:
            code, reason = TERMINATED
        self._core.forget(usage, now)
        self._core.tell(usage, InviteFailed(usage.id, code, reason, response))

    def _progress(
        self,
        usage: InviteUsage,
        transaction: ClientTransaction,
        response: Response,
        now: float,
    ) -> None:
        if usage.state is UsageState.CANCELLING:
            if not usage.cancel_sent:
                self._send_cancel(usage, now)
            return
        if response.code == 100:
            return
        usage.move(UsageInput.PROGRESS)
        tag = response.head.to_tag
        if tag and (tag in usage.forks or len(usage.forks) < MAX_ACKS):
            fork = self._adopt_dialog(usage, transaction, response)
            if not self._reliable.receive(usage, fork, response, now):
                return
        self._core.tell(usage, InviteProgressed(usage.id, response))

    def answer_early(self, usage: InviteUsage, body: bytes, now: float) -> None:
        """Answer an early offer of the peer in the PRACK that it waits for."""
        tag = usage.dialog.remote_tag if usage.dialog is not None else ""
        fork = usage.forks.get(tag)
        if fork is None:
            raise LocalProtocolError(f"usage {usage.id} has no early dialog")
        self._reliable.answer(usage, fork, body, now)
        usage.late_offer = False

    def _adopt_dialog(
        self, usage: InviteUsage, transaction: ClientTransaction, response: Response
    ) -> Fork:
        """Make the dialog of a response the usage's own (sections 12.1.2 and 13.2.2.4)."""
        dialog = self._dialog(usage, transaction, response)
        fork = usage.forks.setdefault(dialog.remote_tag, Fork(dialog=dialog))
        usage.dialog = fork.dialog = dialog
        usage.note_allow(response)
        self._core.usages.add_dialog(usage, dialog.id)
        return fork

    @staticmethod
    def _dialog(usage: InviteUsage, transaction: ClientTransaction, response: Response) -> Dialog:
        """Return the dialog of a response; its numbers go on from the early one."""
        assert usage.target is not None
        dialog = Dialog.as_uac(
            transaction.sent, usage.target, usage.local_tag, response, usage.flow
        )
        fork = usage.forks.get(dialog.remote_tag)
        if fork is not None:
            early = fork.dialog
            dialog.local_cseq, dialog.remote_cseq = early.local_cseq, early.remote_cseq
        return dialog

    def _succeed(
        self,
        usage: InviteUsage,
        transaction: ClientTransaction,
        response: Response,
        now: float,
    ) -> None:
        in_dialog = self._in_dialog
        if in_dialog.acknowledge_again(usage, response):
            return
        sent = transaction.sent
        if usage.state not in WAITING:
            # A further fork, or an answer that crossed our CANCEL.
            dialog = self._dialog(usage, transaction, response)
            usage.keep_ack((dialog.remote_tag, sent.cseq), self._end(dialog, sent.cseq, now))
            if usage.state is UsageState.CANCELLING:
                self._fail(usage, *TERMINATED, None, now)
            return
        self._adopt_dialog(usage, transaction, response)
        usage.move(UsageInput.ANSWER)
        if usage.late_offer:
            usage.unsent_ack = sent.cseq
        else:
            in_dialog.acknowledge(usage, sent.cseq, b"")
        in_dialog.sessions.answered(usage, response, now)
        self._core.tell(usage, InviteAnswered(usage.id, response))

    def _end(self, dialog: Dialog, cseq: int, now: float) -> bytes:
        """End a call that nobody wants: ACK, then BYE; returns the ACK (section 13.2.2.4)."""
        flow = dialog.flow
        ack = bytes(self._in_dialog.build(dialog, "ACK", cseq=cseq))
        self._core.outbox.append((ack, flow))
        bye = self._in_dialog.build(dialog, "BYE")
        self._core.transactions.open_client(bye, flow, ignore, now)
        return ack

    # --- late answers

    def _expect_late_answer(
        self, usage: InviteUsage, transaction: ClientTransaction, now: float
    ) -> None:
        assert usage.target is not None
        if len(self._late) >= MAX_LATE:
            oldest = next(iter(self._late))
            self._late.pop(oldest).timer.cancel()
        branch = transaction.sent.branch
        when = now + self._core.timers.late_answer
        self._late[branch] = LateInvite(
            sent=transaction.sent,
            target=usage.target,
            local_tag=usage.local_tag,
            flow=transaction.flow,
            timer=self._core.heap.start(when, partial(self._forget_late, branch)),
        )

    def _forget_late(self, branch: str, _now: float) -> None:
        del self._late[branch]

    def receive_stray(self, response: Response, now: float) -> bool:
        """Take a 2xx to an INVITE that we gave up on; false when it is nothing to us."""
        head = response.head
        late = self._late.get(head.via.branch)
        if late is None or head.method != "INVITE" or not 200 <= response.code < 300:
            return False
        ack = late.acks.get(head.to_tag)
        if ack is not None:
            self._core.outbox.append((ack, late.flow))
        elif len(late.acks) < MAX_ACKS:
            dialog = Dialog.as_uac(late.sent, late.target, late.local_tag, response, late.flow)
            late.acks[head.to_tag] = self._end(dialog, late.sent.cseq, now)
        return True
