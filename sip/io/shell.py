"""The shell around the endpoint: one queue to send, one queue of events, one timer.

The transports (`sip/io/udp.py`, `sip/io/tcp.py`, `sip/io/tls.py`), one for each socket that
listens, bring what they receive; what the endpoint wants to send goes to the one that its flow
names.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from sip.address import Flow, HostPort, Transport
from sip.endpoint import Endpoint
from sip.errors import LocalProtocolError, StreamError
from sip.events import Event
from sip.io.listen import Bind, listen
from sip.io.tcp import TcpLimits, TcpTransport
from sip.io.tls import Tls, TlsTransport
from sip.io.udp import UdpTransport

logger = logging.getLogger("sip.io")

GRAIN_S = 0.01
"""How late a deadline may be met where nothing else happens. Every transaction ends by one, and at
hundreds of calls a second each would wake the process for itself."""


class _Sender(Protocol):
    counters: Counter[str]

    def send(self, data: bytes, flow: Flow) -> None: ...


class Shell:
    """An endpoint on one or several addresses, over one or several transports.

    The application calls `kick` after each batch of calls to the endpoint; what is received and
    timers are drained by the shell itself. `on_event` may call the endpoint.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        binds: Sequence[Bind],
        on_event: Callable[[Event], None],
        *,
        tls: Tls | None = None,
        limits: TcpLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tls`: certificates, where one of the `binds` has TLS."""
        self._endpoint = endpoint
        self._binds = tuple(binds)
        self._on_event = on_event
        self._tls = tls
        self._limits = limits or TcpLimits()
        self._clock = clock
        self._senders: dict[tuple[Transport, HostPort], _Sender] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        "When the timer fires."
        self._draining = False
        self._stack = contextlib.AsyncExitStack()
        self.local = binds[0].address
        "Where we listen first; with its real port once the shell is open."
        self.registered_flows: Callable[[], set[Flow]] = set
        "Tells which flows registrations need: their connections are never idle."
        self.on_connection_lost: Callable[[Flow], None] = lambda _flow: None
        "Told of each connection that has ended, after the endpoint was."

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._stop_timer)
            opened = []
            for bind in self._binds:
                for transport, sock in listen(bind.address, bind.transports).items():
                    stack.callback(sock.close)
                    opened.append((transport, sock, HostPort(*sock.getsockname()[:2])))
            self.local = opened[0][2]
            for transport, sock, local in opened:
                sender = await self._open(stack, transport, sock, local)
                self._senders[transport, local] = sender
            self._stack = stack.pop_all()
        return self

    async def _open(
        self,
        stack: contextlib.AsyncExitStack,
        transport: Transport,
        sock: socket.socket,
        local: HostPort,
    ) -> _Sender:
        if transport == "UDP":
            return stack.enter_context(UdpTransport(self, sock, local))
        if transport == "TCP":
            tcp = TcpTransport(self, sock, local, self._limits)
            return await stack.enter_async_context(tcp)
        if self._tls is None:
            raise LocalProtocolError("TLS needs a certificate")
        tls = TlsTransport(self, sock, local, self._limits, self._tls)
        return await stack.enter_async_context(tls)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(Exception):
            self.kick()
        await self._stack.aclose()

    @property
    def counters(self) -> dict[str, int]:
        """Occurrences of the transports since the start."""
        totals = Counter[str]()
        for sender in self._senders.values():
            totals.update(sender.counters)
        return dict(totals)

    @property
    def listening(self) -> tuple[tuple[Transport, HostPort], ...]:
        """Where we listen and over what, in the order of the configuration."""
        return tuple(self._senders)

    def certificate_names(self, flow: Flow) -> frozenset[str]:
        """Return whom the certificate of a flow's other end names; it was verified."""
        sender = self._senders.get((flow.transport, flow.local))
        return sender.certificate_names(flow) if isinstance(sender, TlsTransport) else frozenset()

    # --- the application's side

    def kick(self) -> None:
        """Send what the endpoint wants to send and deliver what it has to tell."""
        if self._draining:
            return  # called from `on_event`: the loop below goes on with what is new
        self._draining = True
        try:
            while self._drain() or self._meet_deadlines():
                pass
        finally:
            self._draining = False
        self._set_timer()

    # --- the transports' side

    def now(self) -> float:
        """Return the time on the endpoint's clock."""
        return self._clock()

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a datagram or a framed message; `kick` is to follow."""
        self._endpoint.receive(data, flow, now)

    def refuse(self, error: StreamError, flow: Flow) -> None:
        """Take what broke a stream; `kick` is to follow."""
        self._endpoint.refuse(error, flow)

    def failed(self, flow: Flow) -> None:
        """Take note that something can't be sent; `kick` is to follow."""
        self._endpoint.transport_failed(flow, self._clock())

    def connection_lost(self, flow: Flow) -> None:
        """Take note that a connection has ended."""
        self._endpoint.connection_lost(flow, self._clock())
        try:
            self.on_connection_lost(flow)
        except Exception:
            logger.exception("lost connection not noted", extra={"remote": str(flow.remote)})
        self.kick()

    def flows_in_use(self) -> set[Flow]:
        """Return the flows of registrations, calls and transactions."""
        return self._endpoint.flows() | self.registered_flows()

    # --- the machine room

    def _drain(self) -> bool:
        queue = self._endpoint.send_queue()
        for data, flow in queue:
            self._send(data, flow)
        events = self._endpoint.events()
        for event in events:
            try:
                self._on_event(event)
            except Exception:
                logger.exception("event failed", extra={"event": type(event).__name__})
        return bool(queue or events)

    def _meet_deadlines(self) -> bool:
        """Do what is due; false where nothing is."""
        due, now = self._endpoint.next_timeout(), self._clock()
        if due is None or due > now:
            return False
        self._endpoint.handle_timeout(now)
        return True

    def _send(self, data: bytes, flow: Flow) -> None:
        sender = self._senders.get((flow.transport, flow.local)) or self._fitting(flow)
        if sender is None:
            logger.info("no such transport", extra={"remote": str(flow.remote)})
            self.failed(flow)
            return
        try:
            sender.send(data, flow)
        except Exception:
            logger.exception("sending failed", extra={"remote": str(flow.remote)})
            self.failed(flow)

    def _fitting(self, flow: Flow) -> _Sender | None:
        """Return what can carry a flow whose own end is none of ours any more, or never was."""
        for (transport, local), sender in self._senders.items():
            if transport == flow.transport and local.is_ipv6 == flow.remote.is_ipv6:
                return sender
        return None

    def _set_timer(self) -> None:
        due = self._endpoint.next_timeout()
        if due is None:
            self._stop_timer()
            return
        if self._timer is not None:
            if self._due <= due + GRAIN_S:
                return  # it looks again when it fires
            self._timer.cancel()
        self._due = due + GRAIN_S
        self._timer = self._loop.call_later(self._due - self._clock(), self._fire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self.kick()
