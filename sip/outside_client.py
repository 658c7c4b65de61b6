"""Our requests outside of any dialog: REGISTER and OPTIONS (RFC 3261 sections 8.1, 10.2, 11.1)."""

from dataclasses import dataclass, field
from functools import partial

from sip.address import Flow
from sip.build import OutgoingRequest, with_tag
from sip.core import Core
from sip.credentials import Attempt
from sip.events import RequestCompleted
from sip.message import URI, Address, Response
from sip.peer import Peer, attempt_for, may_answer
from sip.transaction_layer import ClientTransaction


@dataclass(slots=True, kw_only=True)
class Series:
    """Requests that belong together: one Call-ID, rising CSeq (RFC 3261 section 10.2)."""

    call_id: str
    local_tag: str
    cseq: int = 0

    def next_cseq(self) -> int:
        """Count up."""
        self.cseq += 1
        return self.cseq


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideRequest:
    """What is to be asked, and whom."""

    method: str
    target: URI
    flow: Flow
    from_: Address
    to: Address
    series: Series
    peer: Peer | None = None
    "Whose challenges are answered."
    routes: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    contact_user: str = ""
    "User part of our Contact."
    contact_parameters: str = ""
    "Of its URI, each with its semicolon."


@dataclass(slots=True, kw_only=True, eq=False)
class _Asking:
    """A request under way."""

    id: int
    request: OutsideRequest
    sent: OutgoingRequest
    attempt: Attempt | None
    headers: tuple[tuple[str, str], ...] = field(default=())
    "Of the request before it was challenged."


class OutsideClient:
    """Sends such requests and tells what came of them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def request(self, request: OutsideRequest, now: float) -> int:
        """Send a request; its result comes as `RequestCompleted` without a usage."""
        core, flow, series = self._core, request.flow, request.series
        branch = core.branch()
        sent = OutgoingRequest(
            method=request.method,
            uri=str(request.target),
            via=core.via(flow, branch),
            branch=branch,
            from_=with_tag(str(request.from_), series.local_tag),
            to=str(request.to),
            call_id=series.call_id,
            cseq=series.next_cseq(),
            routes=request.routes,
            headers=core.request_headers(flow, (self._contact(request), *request.headers)),
        )
        asking = _Asking(
            id=core.new_id(),
            request=request,
            sent=sent,
            attempt=attempt_for(request.peer),
            headers=sent.headers,
        )
        self._open(asking, now)
        return asking.id

    def _contact(self, request: OutsideRequest) -> tuple[str, str]:
        name, value = self._core.contact_header(request.flow)
        if request.contact_user:
            value = value.replace(":", f":{request.contact_user}@", 1)
        return name, value.replace(">", f"{request.contact_parameters}>", 1)

    def _open(self, asking: _Asking, now: float) -> None:
        report = partial(self._report, asking)
        self._core.transactions.open_client(asking.sent, asking.request.flow, report, now)

    def _report(
        self,
        asking: _Asking,
        _transaction: ClientTransaction,
        response: Response | None,
        code: int,
        now: float,
    ) -> None:
        if code < 200 or (response is not None and self._answer(asking, response, now)):
            return
        self._core.events.append(RequestCompleted(None, asking.id, response, code))

    def _answer(self, asking: _Asking, response: Response, now: float) -> bool:
        """Send the request again with credentials (:rfc:`3261#section-22.2`); false: refused."""
        sent, attempt = asking.sent, asking.attempt
        if attempt is None or not may_answer(asking.request.peer, response):
            return False
        answers = attempt.answer(response, sent.method, sent.uri)
        if not answers:
            return False
        core, branch = self._core, self._core.branch()
        asking.sent = sent._replace(
            via=core.via(asking.request.flow, branch),
            branch=branch,
            cseq=asking.request.series.next_cseq(),
            headers=(*asking.headers, *answers),
        )
        self._open(asking, now)
        return True
