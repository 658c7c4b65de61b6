"""Where messages from the wire go (RFC 3261 section 8.2).

The order in which a request is met is a matter of safety as much as of protocol:

1. a keepalive is no message; what can't be parsed gets its 4xx or 505, where that is possible;
2. a known transaction absorbs its retransmissions, ACK and CANCEL;
3. a To-tag must belong to one of our dialogs (481);
4. a request that came twice by different paths is refused (482), too many are shed (503);
5. `authorize` is asked, and until it agrees nothing is kept: its refusal is stateless;
6. only now is there a transaction, a 100 Trying, and an event.
"""

from collections.abc import Callable

from sip.address import Flow
from sip.binding import REGISTER_EXTENSIONS
from sip.contact import read_contacts
from sip.core import Core
from sip.dialog import header_values
from sip.errors import RemoteProtocolError
from sip.events import Authorized, Refused, RequestOffered
from sip.in_dialog_client import TARGET_REFRESH
from sip.in_dialog_server import InDialogServer
from sip.message import Request, is_keepalive, parse
from sip.notifier import Notifier
from sip.session_timer import is_too_small
from sip.stun import answer as stun_answer
from sip.stun import is_stun
from sip.uac import InviteClient
from sip.uas import InviteServer

Authorize = Callable[[Request, Flow, float], Authorized | Refused]

SDP = "application/sdp"


class Receiver:
    """Takes messages and hands them to the part of the core that they concern."""

    def __init__(
        self,
        core: Core,
        *,
        authorize: Authorize,
        max_transactions: int,
        max_usages: int,
        invite_client: InviteClient,
        invite_server: InviteServer,
        in_dialog: InDialogServer,
        notifier: Notifier,
    ) -> None:
        self._core = core
        self._authorize = authorize
        self._max_transactions = max_transactions
        self._max_usages = max_usages
        self._uac = invite_client
        self._uas = invite_server
        self._server = in_dialog
        self._notifier = notifier

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a datagram or a framed message."""
        core = self._core
        core.count("received")
        if data[:1] < b"A" and self._receive_life_sign(data, flow):
            return
        try:
            message = parse(data)
        except RemoteProtocolError as error:
            self.refuse(error, flow)
            return
        if isinstance(message, Request):
            self._receive_request(message, flow, now)
            return
        message.source = flow.remote
        if not core.transactions.receive_response(message, now) and not (
            self._uac.receive_stray(message, now)
        ):
            core.count("stray_responses")

    def _receive_life_sign(self, data: bytes, flow: Flow) -> bool:
        """Take what is no message; false where it may be one after all."""
        if is_stun(data):
            self._receive_stun(data, flow)
            return True
        if not is_keepalive(data):
            return False
        self._core.count("keepalives")
        if flow.reliable and data == b"\r\n\r\n":
            self._core.outbox.append((b"\r\n", flow))
        return True

    def _receive_stun(self, data: bytes, flow: Flow) -> None:
        """Answer a life sign, of those only who are registered: we are no mirror for others."""
        core = self._core
        core.count("keepalives")
        answer = stun_answer(data, flow.remote) if core.is_registered(flow) else None
        if answer is not None:
            core.outbox.append((answer, flow))

    def refuse(self, error: RemoteProtocolError, flow: Flow) -> None:
        """Answer what could not be read, where enough of it could to address an answer."""
        self._core.count("malformed")
        if error.request is not None and error.request.headers.get("Via"):
            self._core.reply(error.request, flow, error.status, error.reason)

    def _receive_request(self, request: Request, flow: Flow, now: float) -> None:
        method = request.method
        if method == "ACK":
            self._receive_ack(request, flow, now)
            return
        transaction = self._core.transactions.find(request, flow, method)
        if transaction is not None:
            self._core.transactions.receive_again(transaction, now)
        elif method == "CANCEL":
            self._uas.receive_cancel(request, flow, now)
        elif request.head.to_tag and method != "REGISTER":
            self._receive_in_dialog(request, flow, now)
        else:
            self._receive_outside(request, flow, now)

    def _receive_ack(self, request: Request, flow: Flow, now: float) -> None:
        transactions = self._core.transactions
        transaction = transactions.find(request, flow, "INVITE")
        if transaction is None or transactions.receive_ack(transaction, now):
            self._uas.receive_ack(request, flow, now)

    def _receive_in_dialog(self, request: Request, flow: Flow, now: float) -> None:
        core = self._core
        usage = self._server.find(request, flow)
        subscription = self._notifier.find(request, flow)
        if usage is None and subscription is None:
            core.count("stray_requests")
            core.reply(request, flow, 481)
        elif len(core.transactions) >= 2 * self._max_transactions:
            # Calls that stand may use the same room again, so that they can always end.
            core.overloaded(request, flow)
        else:
            transaction = core.transactions.open_server(request, flow, now)
            refusal = self._refusal(request)
            if refusal is not None:
                core.respond(transaction, refusal.code, now, headers=refusal.headers)
            elif usage is not None:
                self._server.receive(usage, transaction, now)
            elif subscription is not None:
                self._notifier.refresh(subscription, transaction, now)

    def _receive_outside(self, request: Request, flow: Flow, now: float) -> None:
        core = self._core
        if core.transactions.is_merged(request):
            core.reply(request, flow, 482)
            return
        if request.method == "REGISTER" and not _has_readable_contacts(request):
            core.reply(request, flow, 400, "Bad Contact")
            return
        if self._is_full(request.method):
            core.overloaded(request, flow)
            return
        verdict = self._authorize(request, flow, now)
        if isinstance(verdict, Refused):
            core.count("refused")
            core.reply(request, flow, verdict.code, verdict.reason, verdict.headers)
            return
        transaction = core.transactions.open_server(request, flow, now)
        if request.method == "INVITE":
            core.respond(transaction, 100, now)
        refusal = self._refusal(request)
        if refusal is not None:
            core.respond(transaction, refusal.code, now, headers=refusal.headers)
        elif request.method == "INVITE":
            self._uas.offer(transaction, flow, verdict, now)
        else:
            core.events.append(RequestOffered(transaction.id, request, flow, verdict.identity))

    def _is_full(self, method: str) -> bool:
        core = self._core
        if len(core.transactions) >= self._max_transactions:
            return True
        return method == "INVITE" and len(core.usages) >= self._max_usages

    def _refusal(self, request: Request) -> Refused | None:
        """Inspect what a user agent server must understand (sections 8.2.2.3 and 8.2.3)."""
        headers = request.headers
        required = header_values(headers.getlist("Require"))
        known = self._core.supported
        if request.method == "REGISTER":
            known |= REGISTER_EXTENSIONS
        unsupported = [tag for tag in required if tag.lower() not in known]
        if unsupported:
            return Refused(420, "", (("Unsupported", ", ".join(unsupported)),))
        if request.method != "INVITE" and headers.get("Replaces") is not None:
            return Refused(400, "")
        if request.method not in TARGET_REFRESH:
            return None
        if self._core.loops.is_loop(request):
            return Refused(482, "")
        session = self._core.session
        if session is not None and is_too_small(request, session):
            return Refused(422, "", (("Min-SE", str(session.min_se_s)),))
        return _media_refusal(request)


def _has_readable_contacts(request: Request) -> bool:
    """Tell a REGISTER that means something: what nobody can store is not worth a challenge."""
    contacts = request.headers.getlist("Contact")
    if [value.strip() for value in contacts] == ["*"]:
        return True
    try:
        return all(contact is not None for contact in read_contacts(contacts))
    except RemoteProtocolError:
        return False


def _media_refusal(request: Request) -> Refused | None:
    """Refuse a body that is no SDP, and a sender who does not take SDP."""
    headers = request.headers
    if request.body:
        kind = (headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        encoding = (headers.get("Content-Encoding") or "identity").strip().lower()
        if kind != SDP or encoding != "identity":
            return Refused(415, "", (("Accept", SDP), ("Accept-Encoding", "identity")))
    accepted = headers.getlist("Accept")
    if accepted and not _accepts_sdp(accepted):
        return Refused(406, "")
    return None


def _accepts_sdp(lines: list[str]) -> bool:
    kinds = {value.partition(";")[0].strip().lower() for value in header_values(lines)}
    return not kinds.isdisjoint((SDP, "application/*", "*/*"))
