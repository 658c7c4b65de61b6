"""An endpoint in a shell on loopback that answers what comes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from sip.address import Flow, HostPort, Transport
from sip.endpoint import Endpoint
from sip.events import Authorized, Event, InviteOffered, Refused, RequestOffered
from sip.io.listen import Bind
from sip.io.shell import Shell
from sip.io.tcp import TcpLimits
from sip.io.tls import Tls
from sip.message import URI, Address, Request
from sip.timers import Timers

LOOPBACK = HostPort("127.0.0.1", 0)


class ShellPhone:
    """Answers an INVITE and every other request with 200, and keeps what it was told."""

    def __init__(
        self,
        bind: HostPort = LOOPBACK,
        *,
        timers: Timers | None = None,
        transports: Sequence[Transport] = ("UDP", "TCP"),
        limits: TcpLimits | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.endpoint = Endpoint(contact=bind, authorize=self.authorize, timers=timers)
        self.ahead = 0.0
        "Seconds by which the phone's clock runs ahead of the real one."
        self.shell = Shell(
            self.endpoint,
            [Bind(bind, tuple(transports))],
            self.on_event,
            tls=tls,
            limits=limits,
            clock=lambda: time.monotonic() + self.ahead,
        )
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.lost: asyncio.Queue[Flow] = asyncio.Queue()
        self.shell.on_connection_lost = self.lost.put_nowait
        self.answers = True

    def authorize(self, _request: Request, _flow: Flow, _now: float) -> Authorized | Refused:
        return Authorized()

    def on_event(self, event: Event) -> None:
        if isinstance(event, InviteOffered) and self.answers:
            self.endpoint.calls.answer(event.usage, b"v=0\r\n", self.now)
            self.shell.kick()  # inside of the drain: nothing to do, no harm
        if isinstance(event, RequestOffered):
            self.endpoint.respond(event.transaction, 200, self.now)
        self.events.put_nowait(event)

    @property
    def now(self) -> float:
        return self.shell.now()

    @property
    def local(self) -> HostPort:
        return self.shell.local

    async def told(self) -> Event:
        async with asyncio.timeout(5):
            return await self.events.get()

    async def lost_flow(self) -> Flow:
        async with asyncio.timeout(5):
            return await self.lost.get()

    def flow(self, remote: HostPort, transport: Transport = "UDP") -> Flow:
        return Flow(transport, self.local, remote)

    def call(self, remote: HostPort, transport: Transport = "UDP") -> int:
        return self.call_over(self.flow(remote, transport))

    def call_over(self, flow: Flow) -> int:
        usage = self.endpoint.calls.invite(
            target=URI.parse(f"sip:b@{flow.remote}"),
            flow=flow,
            from_=Address.parse("<sip:a@x>"),
            to=Address.parse("<sip:b@x>"),
            body=b"v=0\r\n",
            now=self.now,
        )
        self.shell.kick()
        return usage

    def bye(self, usage: int) -> None:
        self.endpoint.calls.bye(usage, self.now)
        self.shell.kick()


@contextlib.asynccontextmanager
async def shell_phone(
    bind: HostPort = LOOPBACK,
    *,
    timers: Timers | None = None,
    transports: Sequence[Transport] = ("UDP", "TCP"),
    limits: TcpLimits | None = None,
    tls: Tls | None = None,
) -> AsyncIterator[ShellPhone]:
    """Open a phone's shell."""
    phone = ShellPhone(bind, timers=timers, transports=transports, limits=limits, tls=tls)
    async with phone.shell:
        phone.endpoint.contact = phone.local
        yield phone
