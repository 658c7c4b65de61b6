"""The sockets of a listening address: one for each transport, all on the same port."""

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from sip.address import HostPort, Transport

RECEIVE_BUFFER = 4 << 20
"Octets asked of the kernel for UDP, for bursts; what is given is taken."

BACKLOG = 512
"Connections that wait to be accepted; the kernel may allow fewer."

ATTEMPTS = 64
"How many ports the kernel may offer for one transport until the others find theirs free too."


@dataclass(frozen=True, slots=True)
class Bind:
    """An address to listen on, and over what."""

    address: HostPort
    transports: tuple[Transport, ...] = ("UDP", "TCP")
    "All on the port of `address`."


class ListenError(OSError):
    """An address that can't be listened on; `transport` says with what, `bind` where."""

    def __init__(self, transport: Transport, bind: HostPort, error: OSError) -> None:
        super().__init__(error.errno, error.strerror or str(error))
        self.transport = transport
        self.bind = bind


def listen(bind: HostPort, transports: Iterable[Transport]) -> dict[Transport, socket.socket]:
    """Return a bound, non-blocking socket for each transport; port 0 takes one free for all.

    Raises `ListenError`.
    """
    wanted = tuple(transports)
    for _ in range(ATTEMPTS - 1):
        try:
            return _bind_all(bind, wanted)
        except ListenError as error:
            if bind.port != 0 or error.errno != errno.EADDRINUSE:
                raise
    return _bind_all(bind, wanted)


def _bind_all(bind: HostPort, transports: tuple[Transport, ...]) -> dict[Transport, socket.socket]:
    sockets: dict[Transport, socket.socket] = {}
    port = bind.port
    try:
        for transport in transports:
            try:
                sockets[transport] = _bind(bind.host, port, transport)
            except OSError as error:
                raise ListenError(transport, bind, error) from error
            port = sockets[transport].getsockname()[1]
    except BaseException:
        for sock in sockets.values():
            sock.close()
        raise
    return sockets


def _bind(host: str, port: int, transport: Transport) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            # One family per socket: no IPv4 addresses in IPv6 clothes.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_DGRAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        else:
            # Connections of the last run may still linger on the port; two listeners can't.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        if kind == socket.SOCK_STREAM:
            # Here, because with SO_REUSEADDR a taken port may show only now.
            sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock
