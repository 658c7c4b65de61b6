"""A telephone that registers, and what is told of its bindings."""

import itertools
from dataclasses import dataclass, field

from sip.address import Flow, HostPort
from sip.message import Request, parse
from sip.registrar import RegisterResult, Registrar

SERVER = HostPort("192.0.2.1", 5060)
AOR = "101"
UUID = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
KNOWS_OUTBOUND = "Supported: path, outbound"
numbers = itertools.count(1)


def flow(port: int = 5060, host: str = "192.0.2.10") -> Flow:
    return Flow("UDP", SERVER, HostPort(host, port))


@dataclass
class Phone:
    """Writes REGISTER requests as one device does."""

    contact: str = "<sip:101@192.0.2.10:5060>"
    port: int = 5060
    call_id: str = field(default_factory=lambda: f"call-{next(numbers)}")
    tag: str = "t1"
    cseq: int = 0

    def request(
        self, *headers: str, contact: str | None = None, cseq: int | None = None
    ) -> Request:
        self.cseq = self.cseq + 1 if cseq is None else cseq
        lines = [
            "REGISTER sip:192.0.2.1 SIP/2.0",
            f"Via: SIP/2.0/UDP 192.0.2.10:{self.port};branch=z9hG4bK{next(numbers)}",
            f"From: <sip:101@192.0.2.1>;tag={self.tag}",
            "To: <sip:101@192.0.2.1>",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} REGISTER",
            *headers,
        ]
        contact = self.contact if contact is None else contact
        lines += [f"Contact: {contact}"] if contact else []
        message = parse(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert isinstance(message, Request)
        return message

    def register(
        self, registrar: Registrar, *headers: str, now: float = 0.0, **options: str | int
    ) -> RegisterResult:
        request = self.request(*headers, **options)  # type: ignore[arg-type] # contact or cseq
        return registrar.process(request, AOR, flow(self.port), now)


def contacts(registrar: Registrar, now: float = 0.0) -> list[str]:
    return [each.contact for each in registrar.bindings(AOR, now)]


def kinds(result: RegisterResult) -> list[str]:
    return [change.kind for change in result.changes]


def reported(result: RegisterResult) -> list[str]:
    return [value for name, value in result.headers if name == "Contact"]
