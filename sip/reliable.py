"""Reliable provisional responses: `100rel` and PRACK (RFC 3262), at both ends.

As a server we send those reliably that carry a session description, to callers who know the
extension, and all of them to callers who require it. There is one at a time: what is to be said
before its PRACK came waits, and so does the 2xx (section 3). As a client we acknowledge what
comes in order and drop the rest (section 4).

Where the INVITE had no offer, ours may go out in such a response, and its answer comes in the
PRACK. We divert from section 5 in one place: an offer inside a PRACK is refused (488). Nobody was
seen to send one, and UPDATE does the same.
"""

from collections.abc import Callable
from functools import partial

from sip.address import Flow
from sip.build import HeaderList
from sip.core import Core, with_defaults
from sip.errors import LocalProtocolError
from sip.in_dialog_client import InDialogClient
from sip.invite_usage import InviteUsage
from sip.message import Request, Response
from sip.option_tags import RELIABLE, has_option
from sip.reliable_state import Fork, ReliableState, Unpracked
from sip.transaction_layer import ServerTransaction

MAX_RSEQ = (1 << 31) - 1


def must_be_reliable(request: Request, *, described: bool) -> bool:
    """Tell whether a 1xx to this INVITE is to be sent reliably."""
    if has_option(request, "Require", RELIABLE):
        return True
    return described and has_option(request, "Supported", RELIABLE)


class ReliableServer:
    """Sends 1xx until they are acknowledged."""

    def __init__(self, core: Core, give_up: Callable[[InviteUsage, float], None]) -> None:
        """`give_up` ends a usage whose caller never sent the PRACK."""
        self._core = core
        self._give_up = give_up

    def send(  # noqa: PLR0917 - a response
        self,
        usage: InviteUsage,
        state: ReliableState,
        transaction: ServerTransaction,
        code: int,
        body: bytes,
        headers: HeaderList,
        now: float,
    ) -> None:
        """Send a 1xx until its PRACK comes; there must be none under way."""
        core, timers = self._core, self._core.timers
        state.rseq += 1
        own = (("Require", RELIABLE), ("RSeq", str(state.rseq)), core.allow)
        headers = with_defaults(headers, own)
        data = core.respond(
            transaction, code, now, to_tag=usage.local_tag, headers=headers, body=body
        )
        state.answered = state.answered or bool(body)
        pending = state.unpracked = Unpracked(
            data=data,
            rseq=state.rseq,
            interval=timers.t1,
            deadline=now + timers.give_up,
            described=bool(body),
        )
        again = partial(self._send_again, usage, state, transaction.flow)
        pending.timer = core.heap.start(now + timers.t1, again)

    def _send_again(self, usage: InviteUsage, state: ReliableState, flow: Flow, now: float) -> None:
        pending = state.unpracked
        assert pending is not None  # whoever clears it cancels the timer
        core = self._core
        if now >= pending.deadline:
            core.count("pracks_missing")
            self._give_up(usage, now)
            return
        core.count("retransmissions_sent")
        core.outbox.append((pending.data, flow))
        pending.interval *= 2
        when = min(now + pending.interval, pending.deadline)
        pending.timer = core.heap.start(when, partial(self._send_again, usage, state, flow))


class ReliableClient:
    """Acknowledges 1xx."""

    def __init__(self, core: Core, in_dialog: InDialogClient) -> None:
        self._core = core
        self._in_dialog = in_dialog

    def receive(self, usage: InviteUsage, fork: Fork, response: Response, now: float) -> bool:
        """Send the PRACK that a 1xx asks for; false when it is to be dropped (section 4).

        The first description in the answer to a late offer is the peer's own: `answer` it.
        """
        rseq = _rseq(response)
        if rseq is None:
            return True
        if fork.rseq is not None and rseq != fork.rseq + 1:
            self._core.count("retransmissions_received")
            return False
        fork.rseq = rseq
        rack = f"{rseq} {response.head.cseq} INVITE"
        if usage.late_offer and response.body and not fork.answered:
            fork.unsent = rack
        else:
            self._in_dialog.prack(usage, fork.dialog, rack, b"", now)
        fork.answered = fork.answered or bool(response.body)
        return True

    def answer(self, usage: InviteUsage, fork: Fork, body: bytes, now: float) -> None:
        """Send the PRACK that holds our answer to the peer's early offer (section 5)."""
        if not fork.unsent:
            raise LocalProtocolError("no early offer waits for an answer")
        rack, fork.unsent = fork.unsent, ""
        self._in_dialog.prack(usage, fork.dialog, rack, body, now)


def _rseq(response: Response) -> int | None:
    """Return the number of a reliable 1xx; one that can't be read makes it an ordinary one."""
    if not has_option(response, "Require", RELIABLE):
        return None
    text = response.headers.get("RSeq") or ""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    number = int(text)
    return number if 1 <= number <= MAX_RSEQ else None
