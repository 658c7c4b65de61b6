"""UDP sockets for media: port pairs, connecting and disconnecting, what the kernel is asked.

One socket per stream. Unconnected while its peer must still be found, connected as soon as
it is known: the kernel then drops strangers' packets before Python sees them.
"""

import ctypes
import errno
import ipaddress
import os
import random
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

RECEIVE_BUFFER: Final = 256 * 1024
"Octets asked for: some 300 packets, so that a stall of 200 ms loses nothing."

EXPEDITED_FORWARDING: Final = 0xB8
"The octet of IP that carries DSCP 46 (:rfc:`3246`)."

MAX_TRIES: Final = 256
"Port pairs tried before a leg is refused: a nearly full range must not stall the calls."

MOST_QUEUED: Final = 1024
"Datagrams that a buffer may hold; even of the smallest it is fewer."

_unpredictable: Final = random.SystemRandom().randrange
"As of `secrets`, without the megabyte of OpenSSL that comes along with that."

EVERYWHERE: Final = "*"
"In place of an address to bind: all there are."

SPARE_DESCRIPTORS: Final = 384
"For everything in a process that is not a leg: most are port pairs that wait for one."


class NoPortsError(Exception):
    """No port pair could be bound; the text says why, for a human."""


class DescriptorLimitError(Exception):
    """The system does not allow as many descriptors as the port range needs."""


@dataclass(frozen=True, slots=True)
class PortPair:
    """A leg's bound sockets; `port` is that of RTP and even, RTCP has the next one."""

    rtp: socket.socket
    rtcp: socket.socket
    port: int
    host: str
    "Where they are bound: numeric, or `EVERYWHERE`."

    @property
    def both_families(self) -> bool:
        """IPv6 sockets that carry IPv4 as well, with its addresses as `::ffff:192.0.2.1`."""
        return self.host == EVERYWHERE

    def address(self, host: str) -> str:
        """Return a numeric host as these sockets write it."""
        return f"::ffff:{host}" if self.both_families and ":" not in host else host

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


@dataclass(frozen=True, slots=True)
class PortRange:
    """The ports that one process may use, both ends included."""

    low: int
    high: int

    @classmethod
    def parse(cls, text: str) -> "PortRange":
        """Return the range of `LOW-HIGH`; raises `ValueError`."""
        low, dash, high = text.partition("-")
        if not dash or not (0 < int(low) < int(high) < 0x10000):
            raise ValueError(f"not a range of ports: {text!r}")
        return cls(int(low), int(high))

    @property
    def pairs(self) -> int:
        """How many pairs, each from an even port, the range holds."""
        return max(0, (self.high - self._first + 1) // 2)

    def pair(self, index: int) -> int:
        """Return the even port of pair `index`."""
        return self._first + 2 * index

    @property
    def _first(self) -> int:
        return self.low + (self.low & 1)

    def bind(
        self,
        host: str,
        choose: Callable[[int], int] = _unpredictable,
        *,
        rests: Callable[[int], bool] = lambda _port: False,
    ) -> PortPair:
        """Bind a random pair at the numeric address `host`; raises `NoPortsError`.

        `*`: at every address of both families. `rests`: tells whether a port is not to be taken
        yet.

        Binding is the allocation: a pair that is taken, by us or by anyone else, gives way
        to the next one. `choose` must not be predictable, for then an attacker who knows
        the next port can send to it before the phone does.
        """
        pairs = self.pairs
        if not pairs:
            raise NoPortsError(f"the range {self.low} to {self.high} holds no port pair")
        start = choose(pairs)
        tries = min(pairs, MAX_TRIES)
        for step in range(tries):
            port = self.pair((start + step) % pairs)
            if rests(port):
                continue
            try:
                return _bind_pair(host, port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise NoPortsError(f"{host}: {error.strerror}") from error
        raise NoPortsError(f"{tries} of {pairs} port pairs tried, all in use or cooling off")


def _bind_pair(host: str, port: int) -> PortPair:
    rtp = _bind(host, port)
    try:
        # Packets of sound come in crowds; reports don't, the usual buffer holds them.
        rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        return PortPair(rtp, _bind(host, port + 1), port, host)
    except OSError:
        rtp.close()
        raise


def _bind(host: str, port: int) -> socket.socket:
    both_families = host == EVERYWHERE
    host = "::" if both_families else host
    try:
        family = socket.AF_INET6 if _version(host) == 6 else socket.AF_INET
    except ValueError as error:
        raise OSError(errno.EINVAL, "not a numeric address") from error
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both_families)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED_FORWARDING)
        if family == socket.AF_INET or both_families:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED_FORWARDING)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


@lru_cache(maxsize=64)
def _version(host: str) -> int:
    """Return the version of a numeric address; raises `ValueError`."""
    return ipaddress.ip_address(host).version


@lru_cache(maxsize=1024)
def usable(host: str) -> str:
    """Return the numeric unicast address `host` as the kernel reports it.

    Raises `ValueError` for all else: nobody may have us send to a group or to nowhere.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"not a unicast address: {host}")
    return str(address)


@lru_cache(maxsize=1024)
def is_private(host: str) -> bool:
    """Tell whether a numeric host means another machine on every network."""
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_private


_libc = ctypes.CDLL(None, use_errno=True)
_UNSPECIFIED: Final = bytes(28)
"A socket address of family AF_UNSPEC, as long as the longest that is meant (IPv6)."


def disconnect(sock: socket.socket) -> None:
    """Undo `connect`, which the `socket` module has no call for.

    The port stays, because it was bound explicitly; a socket that was bound to port 0
    would lose it here.
    """
    if _libc.connect(sock.fileno(), _UNSPECIFIED, len(_UNSPECIFIED)) != 0:
        code = ctypes.get_errno()
        # The error of an earlier packet may be reported here; the association is gone then.
        if code != errno.ECONNREFUSED:
            raise OSError(code, os.strerror(code))


def drain(sock: socket.socket) -> int:
    """Read and forget what has come; return how many datagrams it was."""
    count = 0
    for _ in range(MOST_QUEUED):
        try:
            sock.recv(1)
            count += 1
        except BlockingIOError:
            break
        except OSError:
            continue  # what ICMP said of an earlier peer
    return count


def descriptors_needed(pairs: int) -> int:
    """Return how many descriptors a process with so many port pairs may come to hold."""
    return 2 * pairs + SPARE_DESCRIPTORS


def raise_descriptor_limit(needed: int) -> None:
    """Raise the soft limit of this process, and of the children it starts, to `needed`.

    Raises `DescriptorLimitError` with the figures where the hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise DescriptorLimitError(
                f"the port range needs {needed} file descriptors and the limit is {hard}: "
                "raise it (LimitNOFILE in systemd, ulimit -n) or narrow the range"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
