"""What the parts of the user agent core share: timers, transactions, usages, outbox, events."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count

from sip.address import Flow, HostPort
from sip.build import HeaderList, response
from sip.errors import RemoteProtocolError
from sip.events import Event
from sip.hops import LoopMarks
from sip.invite_usage import InviteUsage, UsageTable
from sip.message import Request
from sip.session_timer import SessionPolicy
from sip.timers import TimerHeap, Timers
from sip.transaction_layer import ServerTransaction, TransactionLayer
from sip.via import MAGIC_COOKIE

COUNTERS = (
    "received",
    "keepalives",
    "malformed",
    "refused",
    "too_short",
    "overloaded",
    "stray_requests",
    "stray_responses",
    "stray_acks",
    "retransmissions_received",
    "retransmissions_sent",
    "acks_missing",
    "pracks_missing",
    "sessions_expired",
    "transport_errors",
    "late_calls",
    "failed",
)
"""`too_short`: requests over UDP that were shorter than any answer to them may be. `failed`:
exceptions of ours, each logged. `late_calls`: calls of the application for something
that had ended meanwhile, which is no error of anybody."""

CHALLENGES = (401, 407)

RETRY_AFTER_S = 10
"What a 503 asks for."


class Core:
    """The endpoint's common state."""

    def __init__(
        self,
        *,
        contact: HostPort,
        timers: Timers,
        user_agent: str,
        token: Callable[[], str],
        allow: tuple[str, ...],
        supported: tuple[str, ...] = (),
        session: SessionPolicy | None = None,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """`dice`: numbers from 0 to 1, for what the RFCs want to be random."""
        self.contact = contact
        self.advertised: Callable[[Flow], HostPort] = lambda _flow: self.contact
        "Our address as the other end of a flow is told it."
        self.is_registered: Callable[[Flow], bool] = lambda _flow: False
        "Whether a device is reached over a flow."
        self.timers = timers
        self.token = token
        self.allow = ("Allow", ", ".join(allow))
        self.supported = frozenset(supported)
        self.session = session
        self.dice = dice
        self._supported = (("Supported", ", ".join(supported)),) if supported else ()
        self._user_agent = user_agent
        self._secret = token().encode()
        self.loops = LoopMarks(self._secret)
        self._ids = count(1)
        self.heap = TimerHeap()
        self.outbox: list[tuple[bytes, Flow]] = []
        self.events: list[Event] = []
        self.counters: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self.transactions = TransactionLayer(timers, self.heap, self.outbox, self.count)
        self.usages = UsageTable()

    def count(self, name: str) -> None:
        """Count one occurrence."""
        self.counters[name] += 1

    def new_id(self) -> int:
        """Return a number for a usage or a request."""
        return next(self._ids)

    def tell(self, usage: InviteUsage, event: Event) -> None:
        """Tell the application about a usage, unless it has abandoned it."""
        if not usage.silent:
            self.events.append(event)

    def refuse_pending(self, usage: InviteUsage, now: float) -> None:
        """Answer what is still unanswered inside a usage that ends (RFC 3261 section 15.1.2)."""
        pending = list(usage.requests.values())
        if usage.reinvite is not None:
            pending.append(usage.reinvite)
        usage.requests.clear()
        usage.reinvite = None
        for transaction in pending:
            if not transaction.final:
                self.respond(transaction, 487, now)

    def forget(self, usage: InviteUsage, now: float) -> None:
        """End a usage."""
        self.refuse_pending(usage, now)
        self.usages.remove(usage)

    # --- pieces of messages

    def branch(self) -> str:
        """Return a new branch."""
        return MAGIC_COOKIE + self.token()

    def via(self, flow: Flow, branch: str) -> str:
        """Return the Via of a request of ours (RFC 3581: with `rport`)."""
        return f"SIP/2.0/{flow.transport} {self.advertised(flow)};branch={branch};rport"

    def contact_header(self, flow: Flow, *, secure: bool = False) -> tuple[str, str]:
        """Return our Contact, plain: cheap phones cut it at the angle brackets.

        `secure`: what it is for has a `sips` URI (RFC 3261 sections 8.1.1.8 and 12.1.1).
        """
        address = self.advertised(flow)
        if secure:
            return "Contact", f"<sips:{address}>"
        transport = f";transport={flow.transport.lower()}" if flow.reliable else ""
        return "Contact", f"<sip:{address}{transport}>"

    def request_headers(
        self, flow: Flow, headers: HeaderList, *, secure: bool = False
    ) -> tuple[tuple[str, str], ...]:
        """Return the headers of a request that can refresh the target."""
        own = [self.contact_header(flow, secure=secure), self.allow, *self._supported]
        if self._user_agent:
            own.append(("User-Agent", self._user_agent))
        return with_defaults(headers, own)

    def response_headers(
        self, flow: Flow, headers: HeaderList, *, secure: bool = False
    ) -> tuple[tuple[str, str], ...]:
        """Return the headers of a 2xx that sets up or refreshes a dialog."""
        own = [self.contact_header(flow, secure=secure), self.allow, *self._supported]
        if self._user_agent:
            own.append(("Server", self._user_agent))
        return with_defaults(headers, own)

    # --- answers

    def reply(
        self,
        request: Request,
        flow: Flow,
        code: int,
        reason: str | None = None,
        headers: HeaderList = (),
    ) -> None:
        """Send one stateless response (RFC 3261 section 8.2.7); an ACK never gets one."""
        data = (
            b"" if request.method == "ACK" else self._fitting(request, flow, code, reason, headers)
        )
        if data:
            self.outbox.append((data, flow))

    def _fitting(
        self, request: Request, flow: Flow, code: int, reason: str | None, headers: HeaderList
    ) -> bytes:
        """Return a response that is of no use to who forges the address of a request.

        Over UDP it is at most 1.2 times as long as the request: it loses all but its first
        header, then its long names, then all headers; a challenge becomes a 403, since without
        its header it would mean nothing. Where that is not enough there is no response at all.
        """
        first = tuple(headers)[:1]
        last = (403, "Too Short To Challenge") if code in CHALLENGES else (code, reason)
        for (status, phrase), kept, compact in (
            ((code, reason), tuple(headers), False),
            ((code, reason), first, False),
            ((code, reason), first, True),
            (last, (), False),
            (last, (), True),
        ):
            data = response(
                request,
                flow.remote,
                status,
                to_tag=self._stateless_tag(request),
                reason=phrase,
                headers=kept,
                compact=compact,
            )
            if flow.transport != "UDP" or not request.octets or len(data) * 5 <= request.octets * 6:
                return data
        self.count("too_short")
        return b""

    def retry_after(self) -> tuple[str, str]:
        """Return what a 500 to a request that came too early says (RFC 3311 section 5.2)."""
        return "Retry-After", str(int(self.dice() * 11))

    def overloaded(self, request: Request, flow: Flow) -> None:
        """Shed load (RFC 3261 section 21.5.4)."""
        self.count("overloaded")
        self.reply(request, flow, 503, headers=(("Retry-After", str(RETRY_AFTER_S)),))

    def respond(
        self,
        transaction: ServerTransaction,
        code: int,
        now: float,
        *,
        to_tag: str = "",
        reason: str | None = None,
        headers: HeaderList = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> bytes:
        """Send a response through its transaction and return it."""
        asked = transaction.request
        if asked.method == "OPTIONS" and transaction.usage is None and not body:
            # Anybody may ask whether we live.
            data = self._fitting(asked, transaction.flow, code, reason, headers)
            if data:
                self.transactions.respond(transaction, code, data, now)
            return data
        data = response(
            asked,
            transaction.flow.remote,
            code,
            to_tag=to_tag or (self._stateless_tag(asked) if code > 100 else ""),
            reason=reason,
            headers=headers,
            body=body,
            content_type=content_type,
        )
        self.transactions.respond(transaction, code, data, now)
        return data

    def _stateless_tag(self, request: Request) -> str:
        # The same request gets the same To-tag each time, though nothing is kept of it.
        try:
            head = request.head
        except RemoteProtocolError:
            return ""
        if head.to_tag:
            return ""  # it has one
        seed = f"{head.call_id}\n{head.from_tag}\n{head.cseq}".encode()
        return hashlib.blake2b(seed, key=self._secret[:64], digest_size=4).hexdigest()


def with_defaults(
    headers: HeaderList, defaults: Iterable[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Return the headers, and of the defaults those that are not among them."""
    given = tuple(headers)
    if not given:
        return tuple(defaults)
    names = {name.lower() for name, _ in given}
    return (*(pair for pair in defaults if pair[0].lower() not in names), *given)
