"""The UDP shell: one socket, one timer, one endpoint.

A plain non-blocking socket under `add_reader` and no `DatagramProtocol`: the stock loop allocates
256 KiB for each datagram, and a send that fails is to be known at once and by its destination.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sip.address import Flow, HostPort
from sip.endpoint import Endpoint
from sip.events import Event

logger = logging.getLogger("sip.io")

RECEIVE_BUFFER = 4 << 20
"Octets asked of the kernel, for bursts; what is given is taken."

BATCH = 64
"Datagrams per turn of the loop, so that a flood does not starve timers and other tasks."

MAX_FLOWS = 8_192
"Sources whose `Flow` is kept to be used again."

SocketAddress = tuple[str, int]


class UdpTransport:
    """An endpoint on a UDP socket.

    The application calls `kick` after each batch of calls to the endpoint; received datagrams and
    timers are drained by the transport itself. `on_event` may call the endpoint.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        bind: HostPort,
        on_event: Callable[[Event], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._bind = bind
        self._on_event = on_event
        self._clock = clock
        self._flows: dict[SocketAddress, Flow] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None
        self._draining = False
        self.dropped = 0
        "Datagrams that the kernel did not take; retransmissions make up for them."

    async def __aenter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self._bind.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if family == socket.AF_INET6:
                # One family per socket: no IPv4 addresses in IPv6 clothes.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            sock.bind((self._bind.host, self._bind.port))
        except BaseException:
            sock.close()
            raise
        self._socket = sock
        host, port = sock.getsockname()[:2]
        self.local = HostPort(host, port)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._readable)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(Exception):
            self.kick()
        self._loop.remove_reader(self._socket.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close()

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
        try:
            self._socket.sendto(data, (flow.remote.host, flow.remote.port))
        except BlockingIOError:
            self.dropped += 1
        except OSError as error:
            logger.info("can't send", extra={"remote": str(flow.remote), "reason": str(error)})
            self._endpoint.transport_failed(flow, self._clock())

    def _readable(self) -> None:
        now = self._clock()
        receive, recvfrom = self._endpoint.receive, self._socket.recvfrom
        for _ in range(BATCH):
            try:
                data, address = recvfrom(65535)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP error of an earlier send; it has been taken off the queue
            receive(data, self._flow(address), now)
        self.kick()

    def _flow(self, address: tuple[str, int]) -> Flow:
        flow = self._flows.get(address)
        if flow is None:
            if len(self._flows) >= MAX_FLOWS:
                self._flows.clear()
            flow = Flow("UDP", self.local, HostPort(address[0], address[1]))
            self._flows[address] = flow
        return flow

    def _set_timer(self) -> None:
        due = self._endpoint.next_timeout()
        if due == self._due and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = due
        if due is not None:
            delay = max(0.0, due - self._clock())
            self._timer = self._loop.call_later(delay, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._endpoint.handle_timeout(self._clock())
        self.kick()
