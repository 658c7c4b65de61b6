"""A telephone on the wire of whole calls: an endpoint of its own, and what it was told."""

import asyncio
from typing import Protocol, TypeVar

from b2bua.authentication import ALLOW_IN_CALLS
from sip.address import Flow, HostPort
from sip.endpoint import Endpoint
from sip.events import (
    AckReceived,
    Authorized,
    Event,
    InDialogReceived,
    InviteOffered,
    InviteProgressed,
    ReinviteReceived,
    RequestCompleted,
)
from sip.message import URI, Address, Request, Response
from sip.session_timer import SessionPolicy

E = TypeVar("E")

SERVER = HostPort("192.0.2.100", 5060)

PATIENCE_S = 100.0
"Virtual seconds in which what a test waits for has to come."


def sdp(
    host: str,
    *,
    formats: str = "8 0 101",
    direction: str = "sendrecv",
    version: int = 1,
    port: int = 4000,
) -> bytes:
    """A description as phones write it; 101 is telephone-event, 9 G.722."""
    event = "a=rtpmap:101 telephone-event/8000\r\n" if "101" in formats.split() else ""
    at = f"IN {'IP6' if ':' in host else 'IP4'} {host}"
    return (
        f"v=0\r\no=- 1 {version} {at}\r\ns=-\r\nc={at}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {formats}\r\n{event}a={direction}\r\n"
    ).encode()


class Surroundings(Protocol):
    """Where a telephone stands: a clock, and who carries what it says."""

    @property
    def now(self) -> float: ...

    def kick(self) -> None: ...


class Phone:
    """A telephone on the wire: an extension, or somebody behind the trunk."""

    def __init__(
        self,
        house: Surroundings,
        number: str,
        host: str,
        *,
        info: bool = True,
        supported: tuple[str, ...] = (),
    ) -> None:
        """`info`: it says that it knows INFO, PRACK and UPDATE; `supported`: option tags."""
        self.number = number
        self.host = host
        self.endpoint = Endpoint(
            contact=HostPort(host, 5060),
            authorize=lambda _request, _flow, _now: Authorized(None),
            user_agent="",
            allow=ALLOW_IN_CALLS if info else ("INVITE", "ACK", "CANCEL", "BYE"),
            supported=supported,
            session=SessionPolicy() if "timer" in supported else None,
        )
        self.usage = 0
        "Of its newest call."
        self.answers_early_offers = False
        "As who makes none, in its PRACK."
        self._house = house
        self._told: asyncio.Queue[Event] = asyncio.Queue()

    # --- what it does

    def dial(
        self,
        number: str,
        body: bytes | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        *,
        hops: int | None = None,
        to: str = "",
    ) -> int:
        """Call a number of the server.

        `hops`: as one that may go only so far; `to`: the number that To has, the same unless given.
        """
        caused_by = None
        if hops is not None:
            caused_by = Request("INVITE", URI(scheme="sip", user=number, host=self.host))
            caused_by.headers.set("Max-Forwards", str(hops + 1))
        self.usage = self.endpoint.calls.invite(
            target=URI(scheme="sip", user=number, host=SERVER.host),
            flow=Flow("UDP", self.endpoint.contact, SERVER),
            from_=Address(uri=URI(scheme="sip", user=self.number, host=SERVER.host)),
            to=Address(uri=URI(scheme="sip", user=to or number, host=SERVER.host)),
            body=sdp(self.host) if body is None else body,
            headers=headers,
            caused_by=caused_by,
            now=self._house.now,
        )
        self._house.kick()
        return self.usage

    def answer(self, offered: InviteOffered, body: bytes | None = None) -> None:
        self.usage = offered.usage
        body = sdp(self.host) if body is None else body
        self.endpoint.calls.answer(offered.usage, body, self._house.now)
        self._house.kick()

    def reject(
        self, offered: InviteOffered, code: int, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.endpoint.calls.reject(offered.usage, code, self._house.now, headers=headers)
        self._house.kick()

    def ring(self, offered: InviteOffered, code: int = 180, body: bytes = b"") -> None:
        self.endpoint.calls.provisional(offered.usage, code, self._house.now, body)
        self._house.kick()

    def cancel(self) -> None:
        self.endpoint.calls.cancel(self.usage, self._house.now)
        self._house.kick()

    def bye(self) -> None:
        self.endpoint.calls.bye(self.usage, self._house.now)
        self._house.kick()

    def reinvite(self, body: bytes) -> int:
        request = self.endpoint.calls.reinvite(self.usage, body, self._house.now)
        self._house.kick()
        return request

    def update(self, body: bytes) -> int:
        """Offer anew by UPDATE."""
        request = self.endpoint.calls.request(
            self.usage, "UPDATE", self._house.now, body=body, content_type="application/sdp"
        )
        self._house.kick()
        return request

    def accept(
        self, event: ReinviteReceived | InDialogReceived, code: int = 200, body: bytes | None = None
    ) -> None:
        answer = (sdp(self.host) if body is None else body) if code < 300 else b""
        kind = "application/sdp" if answer else None
        self.endpoint.respond(
            event.transaction, code, self._house.now, body=answer, content_type=kind
        )
        self._house.kick()

    def ack(self, body: bytes | None = None) -> None:
        """Acknowledge a 2xx that has an offer."""
        self.endpoint.calls.ack(
            self.usage, sdp(self.host) if body is None else body, self._house.now
        )
        self._house.kick()

    async def request(self, method: str, *headers: tuple[str, str], body: bytes = b"") -> int:
        """Send a request inside the call; returns the status of its answer."""
        kind = "application/dtmf-relay" if body else None
        request_id = self.endpoint.calls.request(
            self.usage, method, self._house.now, body=body, content_type=kind, headers=headers
        )
        self._house.kick()
        completed = await self.take(RequestCompleted)
        assert completed.request_id == request_id
        return completed.code

    def info_key(self, key: str) -> None:
        """Press a key as INFO, and don't wait."""
        body = f"Signal={key}\r\nDuration=160\r\n".encode()
        self.endpoint.calls.request(
            self.usage, "INFO", self._house.now, body=body, content_type="application/dtmf-relay"
        )
        self._house.kick()

    # --- what it is told

    async def take(self, kind: type[E]) -> E:
        """Return the next event of this kind; ringing and ACKs that nobody asked for are skipped.

        Fails where none comes in time, or another one comes first.
        """
        skipped = (InviteProgressed, AckReceived)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event = await self._told.get()
                if isinstance(event, kind):
                    return event
                assert isinstance(event, skipped), f"{self.number} was told {event}"

    async def response(self) -> Response:
        """Take the response to what it has asked for last."""
        completed = await self.take(RequestCompleted)
        assert completed.response is not None
        return completed.response

    def hear_of(self, event: Event) -> None:
        if self.answers_early_offers and isinstance(event, InviteProgressed):
            self.endpoint.calls.prack(event.usage, sdp(self.host), self._house.now)
            self._house.kick()
        self._told.put_nowait(event)

    @property
    def untold(self) -> list[str]:
        """What has come and was not taken, by its kind."""
        events = [self._told.get_nowait() for _ in range(self._told.qsize())]
        return [type(event).__name__ for event in events if not isinstance(event, AckReceived)]
