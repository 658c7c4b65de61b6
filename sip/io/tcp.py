"""SIP over TCP: the connections, by flow (RFC 3261 section 18, RFC 5626).

- A message goes over the connection of its flow. A request whose flow has none opens one, a
  response never does: the port that it came from listens to nobody.
- A connection lives as long as a registration, a call or a transaction needs its flow. Without
  them it is closed `idle_s` after its last message; pings are no messages.
- A peer that owes us the rest of a message, or the first one, has `message_s` for it.
- `max_per_source` and `max_connections` bound what strangers can take; connections that we open
  ourselves are bounded by our calls.
- A peer that is gone without a word is noticed by the kernel: `USER_TIMEOUT_S` after something
  was sent to it, else by its keep-alive.
"""

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from types import TracebackType
from typing import ClassVar, Self

from sip.address import Flow, HostPort, Transport
from sip.io.connection import Connection
from sip.io.hub import Hub
from sip.io.listen import BACKLOG

logger = logging.getLogger("sip.io")

USER_TIMEOUT_S = 15
"How long sent octets may stay unacknowledged; half of what an INVITE waits for."

KEEPALIVE_S = 60
"Silence after which the kernel probes; it also keeps the binding of a NAT."

CLOSE_PATIENCE_S = 1.0
"For the last octets when the server stops."


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpLimits:
    """Bounds of the connections; times in seconds."""

    connect_s: float = 4.0
    handshake_s: float = 5.0
    "For that of TLS; where we connect it is part of `connect_s`."
    shutdown_s: float = 1.0
    "For the other end of TLS to say goodbye."
    message_s: float = 30.0
    idle_s: float = 120.0
    sweep_s: float = 1.0
    "How often the two times before are looked at."
    max_connections: int = 1_000
    max_per_source: int = 250
    "An office of telephones behind one NAT is one source."
    max_queue: int = 256 << 10
    "Octets that wait because a peer does not read."


class TcpTransport:
    """The listener and its connections, and those that we open."""

    transport: ClassVar[Transport] = "TCP"

    def __init__(self, hub: Hub, sock: socket.socket, local: HostPort, limits: TcpLimits) -> None:
        self._hub = hub
        self._socket = sock
        self._local = local
        self._limits = limits
        self.max_queue = limits.max_queue
        self._by_flow: dict[Flow, Connection] = {}
        self._open: set[Connection] = set()
        "Until the loop has let them go."
        self._accepted = Counter[str]()
        "Open connections that peers made, by their source."
        self._tasks: set[asyncio.Task[None]] = set()
        "Connections that are being opened."
        self._one_closed = asyncio.Event()
        prefix = self.transport.lower()
        counted = ("accepted", "refused", "dialled", "dial_failed")
        self._names = {name: f"{prefix}_{name}" for name in counted}
        self.counters = Counter(dict.fromkeys(self._names.values(), 0))
        "`tcp_refused`: connections beyond a limit; `tcp_dialled`: those that we opened."

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await self._listen()
        self._sweep_later()
        return self

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(
            lambda: Connection(self, self._hub), sock=self._socket, backlog=BACKLOG
        )

    def _stop_listening(self) -> None:
        self._server.close()

    def count(self, name: str) -> None:
        """Count under the name of the transport."""
        self.counters[self._names[name]] += 1

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_listening()
        self._sweeper.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self._open):
            connection.end("the server stops")
        await self._until_closed()
        for connection in list(self._open):
            connection.abort()
        await self._until_closed()

    async def _until_closed(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_PATIENCE_S):
                while self._open:
                    self._one_closed.clear()
                    await self._one_closed.wait()

    def __len__(self) -> int:
        return len(self._open)

    # --- sending

    def send(self, data: bytes, flow: Flow) -> None:
        """Send a message over the connection of its flow; a request may open one."""
        connection = self._by_flow.get(flow)
        if connection is None:
            if not _is_request(data):
                self._hub.failed(flow)
                return
            connection = self._dial(flow)
        connection.send(data)

    def _dial(self, flow: Flow) -> Connection:
        connection = Connection(self, self._hub, flow)
        self._by_flow[flow] = connection
        self._in_background(self._connect(connection), f"connect {flow.remote}")
        return connection

    def _in_background(self, work: Coroutine[None, None, None], name: str) -> None:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: Connection) -> None:
        flow = connection.flow
        reason = "no room for what is to be sent"
        try:
            async with asyncio.timeout(self._limits.connect_s):
                await self._dial_out(connection)
        except OSError as error:
            reason = f"can't connect: {str(error) or 'no answer'}"
        except Exception:
            logger.exception("connecting failed", extra={"remote": str(flow.remote)})
            reason = "can't connect"
        else:
            if not connection.ended:
                self.count("dialled")
                return
        self.count("dial_failed")
        connection.end(reason, abort=True)
        self._hub.connection_lost(flow)

    async def _dial_out(self, connection: Connection) -> None:
        """Open a connection; raises `OSError`."""
        flow = connection.flow
        await self._loop.create_connection(
            lambda: connection,
            flow.remote.host,
            flow.remote.port,
            local_addr=source_of(self._local),
        )

    # --- the connections' side

    def flow_of(self, transport: asyncio.BaseTransport) -> Flow | None:
        """Return the flow of a connection that a peer made; None: it is gone again."""
        address = transport.get_extra_info("peername")
        if address is None:
            return None
        return Flow(self.transport, self._local, HostPort(address[0], address[1]))

    def opened(self, connection: Connection, transport: asyncio.BaseTransport) -> bool:
        """Take in an open connection; false: there is no room for it."""
        if not connection.dialled:
            if not self._has_room(connection.flow.remote.host):
                return False
            self._by_flow[connection.flow] = connection
        self._open.add(connection)
        _watch(transport.get_extra_info("socket"))
        return True

    def _has_room(self, host: str) -> bool:
        """Tell whether one more connection of a peer is welcome, and count it."""
        return self._admit(host)

    def _admit(self, host: str) -> bool:
        limits, source = self._limits, neighbourhood(host)
        if (
            self._accepted.total() >= limits.max_connections
            or self._accepted[source] >= limits.max_per_source
        ):
            self.count("refused")
            return False
        self.count("accepted")
        self._accepted[source] += 1
        return True

    def _let_go(self, host: str) -> None:
        source = neighbourhood(host)
        self._accepted[source] -= 1
        if not self._accepted[source]:
            del self._accepted[source]

    def closing(self, connection: Connection) -> None:
        """Send nothing over a connection any more."""
        if self._by_flow.get(connection.flow) is connection:
            del self._by_flow[connection.flow]

    def closed(self, connection: Connection) -> None:
        """Forget a connection that is no more."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        self._one_closed.set()
        flow = connection.flow
        if not connection.dialled:
            self._let_go(flow.remote.host)
        if flow not in self._by_flow:
            self._hub.connection_lost(flow)

    # --- what takes too long

    def _sweep_later(self) -> None:
        self._sweeper: asyncio.TimerHandle = self._loop.call_later(
            self._limits.sweep_s, self._sweep
        )

    def _sweep(self) -> None:
        try:
            self._end_overdue(self._hub.now())
        except Exception:
            logger.exception("sweep failed")
        self._sweep_later()

    def _end_overdue(self, now: float) -> None:
        limits = self._limits
        for connection in list(self._open):
            owed_since = connection.owed_since
            if owed_since is not None and now - owed_since >= limits.message_s:
                connection.time_out()
        idle = [each for each in self._open if now - each.active_at >= limits.idle_s]
        if not idle:
            return
        needed = self._hub.flows_in_use()
        for connection in idle:
            if connection.flow in needed:
                connection.active_at = now  # to be looked at again after as long
            else:
                connection.end("idle")


def _is_request(data: bytes) -> bool:
    return data != b"\r\n" and not data.startswith(b"SIP/2.0 ")


def neighbourhood(host: str) -> str:
    """Return what counts as one source: in IPv6 a /64, for that is what one customer has."""
    if ":" not in host:
        return host
    return str(ip_network(f"{host.partition('%')[0]}/64", strict=False))


def source_of(local: HostPort) -> tuple[str, int] | None:
    """Return from where to connect: the address on which we listen, if it is one."""
    return None if ip_address(local.host).is_unspecified else (local.host, 0)


def _watch(sock: socket.socket) -> None:
    """Have the kernel notice a peer that is gone without a word."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S // 4)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_S * 1000)
