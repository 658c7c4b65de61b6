"""A telephone with lamps: it subscribes, and answers what it is told, message by message."""

import re
from dataclasses import dataclass, field

from sip.address import Flow, HostPort
from sip.endpoint import Endpoint
from sip.message import Request, Response, parse

SERVER = HostPort("192.0.2.100", 5060)

HABITS = {
    "snom": ("Event: dialog", "Accept: application/dialog-info+xml", "Supported: eventlist"),
    "yealink": ("Event: dialog", "Accept: application/dialog-info+xml", "Expires: 1800"),
    "grandstream": (
        "Event: dialog",
        "Accept: application/dialog-info+xml,multipart/related,application/rlmi+xml",
        "Supported: replaces, path, timer, eventlist",
        "Expires: 3600",
    ),
    "short": ("o: dialog;id=7", "Expires: 600"),
}
"What telephones write into a SUBSCRIBE."

_STATE = re.compile(rb"<state>(\w+)</state>")
_VERSION = re.compile(rb'version="(\d+)" state="full"')


@dataclass
class Told:
    """One NOTIFY."""

    state: str
    "Subscription-State."
    lamp: str
    version: int
    request: Request


@dataclass
class Watcher:
    """The telephone's end of the wire."""

    endpoint: Endpoint
    number: str = "21"
    host: str = "192.0.2.21"
    port: int = 5060
    transport: str = "UDP"
    answer: int = 200
    "To each NOTIFY; 0: none."
    now: float = 1000.0
    told: list[Told] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    _cseq: int = 0

    @property
    def flow(self) -> Flow:
        remote = HostPort(self.host, self.port)
        return Flow(self.transport, SERVER, remote)  # type: ignore[arg-type]  # a test's choice

    def subscribe(
        self,
        watched: str = "*1",
        *lines: str,
        call_id: str = "lamp-1",
        to_tag: str = "",
        cseq: int = 0,
    ) -> None:
        """Send a SUBSCRIBE; with the To-tag of the answer it is a refresh."""
        self._cseq = cseq or self._cseq + 1
        tag = f";tag={to_tag}" if to_tag else ""
        branch = f"z9hG4bK{call_id}{self._cseq}"
        head = (
            f"SUBSCRIBE sip:{watched}@{SERVER.host} SIP/2.0",
            f"Via: SIP/2.0/{self.transport} {self.host}:{self.port};rport;branch={branch}",
            f"From: <sip:{self.number}@{SERVER.host}>;tag=watcher",
            f"To: <sip:{watched}@{SERVER.host}>{tag}",
            f"Call-ID: {call_id}",
            f"CSeq: {self._cseq} SUBSCRIBE",
            f"Contact: <sip:{self.number}@{self.host}:{self.port}>",
            "Max-Forwards: 70",
            *(lines or HABITS["snom"]),
        )
        self.send("\r\n".join(head).encode() + b"\r\nContent-Length: 0\r\n\r\n")

    def send(self, data: bytes) -> None:
        self.endpoint.receive(data, self.flow, self.now)
        self.pump()

    def pump(self) -> None:
        """Take what the server has sent, and answer it; refuse what is not for this telephone."""
        while sent := self.endpoint.send_queue():
            for data, flow in sent:
                assert flow == self.flow
                message = parse(data)
                if isinstance(message, Response):
                    self.answers.append(message)
                else:
                    self._hear(message)

    def run(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        self.pump()
        while (due := self.endpoint.next_timeout()) is not None and due <= end:
            self.now = max(self.now, due)
            self.endpoint.handle_timeout(self.now)
            self.pump()
        self.now = end

    def _hear(self, request: Request) -> None:
        assert request.method == "NOTIFY"
        assert request.headers["Content-Type"] == "application/dialog-info+xml"
        lamp, version = _STATE.search(request.body), _VERSION.search(request.body)
        assert lamp is not None
        assert version is not None
        state = request.headers["Subscription-State"]
        self.told.append(Told(state, lamp[1].decode(), int(version[1]), request))
        if self.answer:
            names = ("Via", "From", "To", "Call-ID", "CSeq")
            lines = "".join(f"{name}: {request.headers[name]}\r\n" for name in names)
            self.send(f"SIP/2.0 {self.answer} X\r\n{lines}Content-Length: 0\r\n\r\n".encode())

    @property
    def lamps(self) -> list[str]:
        """What the lamp has shown, told by told."""
        return [told.lamp for told in self.told]

    @property
    def tag(self) -> str:
        """The To-tag of the last answer."""
        return self.answers[-1].head.to_tag
