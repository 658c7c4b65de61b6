"""One endpoint against messages written by hand: what odd peers really send."""

from sip.address import Flow, HostPort
from sip.endpoint import Endpoint
from sip.events import AckReceived, Event, InviteOffered
from sip.message import Request, Response, parse
from tests.support.sip_pair import E, authorize_all, tokens

SERVER = HostPort("127.0.0.1", 5060)
PHONE = HostPort("127.0.0.2", 5070)
STRANGER = HostPort("127.0.0.66", 5070)
FLOW = Flow("UDP", SERVER, PHONE)
FROM_STRANGER = Flow("UDP", SERVER, STRANGER)

SDP = "v=0\r\n"


def request(
    method: str,
    *,
    cseq: int = 1,
    branch: str = "z9hG4bKphone1",
    via: str | None = None,
    from_tag: str = "phone",
    to_tag: str = "",
    call_id: str = "call-1",
    uri: str = "sip:200@127.0.0.1",
    headers: tuple[str, ...] = ("Contact: <sip:100@127.0.0.2:5070>",),
    body: str = "",
) -> bytes:
    """Return a request of the phone."""
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: {via or f'SIP/2.0/UDP 127.0.0.2:5070;branch={branch};rport'}",
        "Max-Forwards: 70",
        f"From: <sip:100@127.0.0.1>{f';tag={from_tag}' if from_tag else ''}",
        f"To: <sip:200@127.0.0.1>{f';tag={to_tag}' if to_tag else ''}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        *headers,
    ]
    if body:
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def answer_to(
    asked: Request,
    code: int,
    *,
    to_tag: str = "callee",
    headers: tuple[str, ...] = ("Contact: <sip:200@127.0.0.2:5070>",),
    body: str = "",
) -> bytes:
    """Return a response of the phone to a request of ours."""
    to = asked.headers["To"]
    if to_tag and "tag=" not in to:
        to += f";tag={to_tag}"
    lines = [
        f"SIP/2.0 {code} Whatever",
        *(f"Via: {via}" for via in asked.headers.getlist("Via")),
        f"From: {asked.headers['From']}",
        f"To: {to}",
        f"Call-ID: {asked.headers['Call-ID']}",
        f"CSeq: {asked.headers['CSeq']}",
        *headers,
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class Bench:
    """An endpoint, a clock that the test moves, and what came out."""

    def __init__(self, **options: object) -> None:
        settings: dict[str, object] = {
            "contact": SERVER,
            "authorize": authorize_all,
            "token": tokens("t"),
            "user_agent": "",
            "dice": lambda: 0.1,
        }
        settings.update(options)
        self.endpoint = Endpoint(**settings)  # type: ignore[arg-type]  # options of a test
        self.now = 0.0
        self.told: list[Event] = []
        self.out: list[tuple[bytes, Flow]] = []

    def receive(self, data: bytes, flow: Flow = FLOW) -> list[Request | Response]:
        """Deliver a datagram and return what is sent for it."""
        self.endpoint.receive(data, flow, self.now)
        return self.collect()

    def collect(self) -> list[Request | Response]:
        queue = self.endpoint.send_queue()
        self.out += queue
        self.told += self.endpoint.events()
        return [parse(data) for data, _ in queue]

    def wait(self, seconds: float) -> list[Request | Response]:
        """Let time pass and return what is sent."""
        end = self.now + seconds
        sent = self.collect()
        while (due := self.endpoint.next_timeout()) is not None and due <= end:
            self.now = max(due, self.now)
            self.endpoint.handle_timeout(self.now)
            sent += self.collect()
        self.now = end
        return sent

    def take(self, kind: type[E]) -> E:
        self.collect()
        assert self.told, f"told nothing, wanted {kind.__name__}"
        event = self.told.pop(0)
        assert isinstance(event, kind), event
        return event

    def response(self, data: bytes, flow: Flow = FLOW) -> Response:
        """Deliver a request and return the one response to it."""
        sent = self.receive(data, flow)
        assert len(sent) == 1, [str(message) for message in sent]
        assert isinstance(sent[0], Response)
        return sent[0]

    def codes(self, sent: list[Request | Response]) -> list[int]:
        return [message.code for message in sent if isinstance(message, Response)]

    def methods(self, sent: list[Request | Response]) -> list[str]:
        return [message.method for message in sent if isinstance(message, Request)]

    def count(self, name: str) -> int:
        return self.endpoint.counters[name]


def offered(bench: Bench) -> tuple[int, str]:
    """Return the usage of an offered call, and our tag."""
    bench.receive(request("INVITE", body=SDP))
    usage = bench.take(InviteOffered).usage
    return usage, bench.endpoint.calls.dialog(usage).local_tag


def established(bench: Bench) -> tuple[int, str]:
    """Return the usage of a call that stands, and our tag."""
    usage, tag = offered(bench)
    bench.endpoint.calls.answer(usage, SDP.encode(), bench.now)
    bench.receive(request("ACK", to_tag=tag, branch="z9hG4bKack"))
    bench.take(AckReceived)
    return usage, tag
