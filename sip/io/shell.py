"""The shell around the endpoint: one queue to send, one queue of events, one timer.

The transports (`sip/io/udp.py`, `sip/io/tcp.py`) bring what they receive; what the endpoint
wants to send goes to the transport that its flow names.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from sip.address import Flow, HostPort, Transport
from sip.endpoint import Endpoint
from sip.errors import StreamError
from sip.events import Event
from sip.io.listen import listen
from sip.io.tcp import TcpLimits, TcpTransport
from sip.io.udp import UdpTransport

logger = logging.getLogger("sip.io")


class _Sender(Protocol):
    counters: Counter[str]

    def send(self, data: bytes, flow: Flow) -> None: ...


class Shell:
    """An endpoint on one address, over one or several transports.

    The application calls `kick` after each batch of calls to the endpoint; what is received and
    timers are drained by the shell itself. `on_event` may call the endpoint.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        bind: HostPort,
        on_event: Callable[[Event], None],
        *,
        transports: Sequence[Transport] = ("UDP", "TCP"),
        limits: TcpLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._bind = bind
        self._on_event = on_event
        self._transports = tuple(transports)
        self._limits = limits or TcpLimits()
        self._clock = clock
        self._senders: dict[Transport, _Sender] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None
        self._draining = False
        self._stack = contextlib.AsyncExitStack()
        self.local = bind
        "Where we listen; with its real port once the shell is open."
        self.registered_flows: Callable[[], set[Flow]] = set
        "Tells which flows registrations need: their connections are never idle."
        self.on_connection_lost: Callable[[Flow], None] = lambda _flow: None
        "Told of each connection that has ended, after the endpoint was."

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        sockets = listen(self._bind, self._transports)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._stop_timer)
            for sock in sockets.values():
                stack.callback(sock.close)
                host, port = sock.getsockname()[:2]
                self.local = HostPort(host, port)
            if "UDP" in sockets:
                udp = UdpTransport(self, sockets["UDP"], self.local)
                self._senders["UDP"] = stack.enter_context(udp)
            if "TCP" in sockets:
                tcp = TcpTransport(self, sockets["TCP"], self.local, self._limits)
                self._senders["TCP"] = await stack.enter_async_context(tcp)
            self._stack = stack.pop_all()
        return self

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
        return {name: n for sender in self._senders.values() for name, n in sender.counters.items()}

    # --- the application's side

    def kick(self) -> None:
        """Send what the endpoint wants to send and deliver what it has to tell."""
        if self._draining:
            return  # called from `on_event`: the loop below goes on with what is new
        self._draining = True
        try:
            while self._drain():
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

    def _send(self, data: bytes, flow: Flow) -> None:
        sender = self._senders.get(flow.transport)
        if sender is None:
            logger.info("no such transport", extra={"remote": str(flow.remote)})
            self.failed(flow)
            return
        try:
            sender.send(data, flow)
        except Exception:
            logger.exception("sending failed", extra={"remote": str(flow.remote)})
            self.failed(flow)

    def _set_timer(self) -> None:
        due = self._endpoint.next_timeout()
        if due == self._due and self._timer is not None:
            return
        self._stop_timer()
        self._due = due
        if due is not None:
            delay = max(0.0, due - self._clock())
            self._timer = self._loop.call_later(delay, self._fire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._endpoint.handle_timeout(self._clock())
        self.kick()
