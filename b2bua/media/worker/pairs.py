"""The port pairs of a media worker: made once, lent to one leg after the other.

Sockets, their options and their places on the kernel's lists cost a call without a packet more
than all else that a media worker does for it, so a pair is kept when its leg is released. The life
of a pair: bound → offered to the signalling process, which keeps a few at hand and lends one
without asking → a leg's → resting, as `cooling.py` has it → ready to be offered again.

Whatever reaches a pair that no leg has is a stranger's or comes late. The first such datagram has
the socket connected to itself, so that the kernel refuses all others as if the port were closed: a
flood costs neither time nor memory. What has come is thrown away when the pair is lent.
"""

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from itertools import chain
from typing import Final, TypeAlias

from b2bua.media.cooling import COOLING_S, CoolingPorts
from rtp.io.loop import EventLoop
from rtp.io.socket import NoPortsError, PortPair, PortRange, disconnect, drain

LEAST_READY: Final = 64
"""Pairs among which the next one is drawn, where the range has as many: an attacker who knows the
next port can send to it before the phone does."""

MOST_READY: Final = 256
"More than that are closed, a few at a time, when nobody has needed them."

CLOSED_AT_ONCE: Final = 8

COOLING_NS: Final = int(COOLING_S * 1e9)

Choose: TypeAlias = Callable[[int], int]
"Returns 0 <= x < n."


class Pairs:
    """All pairs of one process. Times are ns of the monotonic clock."""

    def __init__(self, ports: PortRange, loop: EventLoop, *, most: int) -> None:
        """`most`: pairs for which there are descriptors; those that rest give way beyond it."""
        self._ports = ports
        self._loop = loop
        self._most = most
        self._bound: set[int] = set()
        "Ports of all pairs, wherever they are in their life."
        self._ready: dict[str, list[PortPair]] = {}
        "By where they are bound."
        self._offered: dict[int, PortPair] = {}
        self._resting: deque[tuple[int, PortPair]] = deque()
        "Until when; oldest first."
        self._cooling = CoolingPorts()
        "Ports of pairs that gave way while they rested."
        self.strangers = 0
        "Datagrams that came when no leg had the pair."

    def offer(self, host: str, count: int, now: int) -> tuple[tuple[int, ...], str]:
        """Return the ports of so many pairs, for `lend`; and in words why there are fewer."""
        self._wake(now)
        # At most two for each pair, and the kernel is asked once for all of them.
        draws = iter(memoryview(os.urandom(2 * count * 4)).cast("I"))
        ports: list[int] = []
        for _ in range(count):
            try:
                pair = self._free(host, lambda n: next(draws) * n >> 32, now)
            except NoPortsError as error:
                return tuple(ports), str(error)
            self._offered[pair.port] = pair
            ports.append(pair.port)
        return tuple(ports), ""

    def lend(self, port: int) -> PortPair:
        """Return a pair that was offered, with nothing in it of what came before.

        Raises `KeyError` where it was not offered, or is lent already.
        """
        pair = self._offered.pop(port)
        # Until now its last peer was all that the kernel let through to it, or nobody.
        disconnect(pair.rtp)
        self.strangers += drain(pair.rtp)
        if not self._loop.watches(pair.rtcp.fileno()):
            disconnect(pair.rtcp)
            self.strangers += drain(pair.rtcp)
        self._loop.park(pair.rtp.fileno())
        self._loop.park(pair.rtcp.fileno())
        return pair

    def take_back(self, pair: PortPair, now: int) -> None:
        """Let the pair of a released leg rest."""
        for sock in (pair.rtp, pair.rtcp):
            self._deafen_soon(sock)
        self._resting.append((now + COOLING_NS, pair))

    def trim(self, now: int) -> None:
        """Close some of the pairs that nobody needs; to be called now and then."""
        self._wake(now)
        for ready in self._ready.values():
            for _ in range(min(CLOSED_AT_ONCE, len(ready) - MOST_READY)):
                self._close(ready.pop())

    def close(self) -> None:
        """Close all pairs that no leg has."""
        idle = [pair for _, pair in self._resting]
        for pair in [*idle, *self._offered.values(), *chain(*self._ready.values())]:
            self._close(pair)

    def _wake(self, now: int) -> None:
        """Make ready what has rested."""
        resting = self._resting
        while resting and resting[0][0] <= now:
            _, pair = resting.popleft()
            self._ready.setdefault(pair.host, []).append(pair)

    def _free(self, host: str, choose: Choose, now: int) -> PortPair:
        ready = self._ready.setdefault(host, [])
        if not ready or (len(ready) < LEAST_READY and self._may_grow):
            try:
                return self._bind(host, choose, now)
            except NoPortsError:
                if not ready:
                    raise
        place = choose(len(ready))
        ready[place], ready[-1] = ready[-1], ready[place]
        return ready.pop()

    def _bind(self, host: str, choose: Choose, now: int) -> PortPair:
        if not self._may_grow and len(self._bound) < self._ports.pairs:
            self._make_room(now)
        pair = self._ports.bind(host, choose, rests=lambda port: self._rests(port, now))
        self._bound.add(pair.port)
        for sock in (pair.rtp, pair.rtcp):
            self._deafen(sock)
        return pair

    def _deafen_soon(self, sock: socket.socket) -> None:
        """Let the first that comes be the last one."""
        if self._loop.watches(sock.fileno()):
            self._loop.set(sock.fileno(), lambda _now: self._deafen(sock))
        else:
            self._deafen(sock)

    def _deafen(self, sock: socket.socket) -> None:
        """Hear nobody any more, and be woken up by nobody."""
        self._loop.remove(sock.fileno())
        with contextlib.suppress(OSError):  # what ICMP said of the last peer
            sock.connect(sock.getsockname())

    @property
    def _may_grow(self) -> bool:
        return len(self._bound) < min(self._most, self._ports.pairs)

    def _rests(self, port: int, now: int) -> bool:
        return port in self._bound or self._cooling.holds(port, now / 1e9)

    def _make_room(self, now: int) -> None:
        """Close the pair that has rested longest, if there is one; its port rests on."""
        if self._resting:
            _, pair = self._resting.popleft()
            self._cooling.add(pair.port, now / 1e9)
            self._close(pair)

    def _close(self, pair: PortPair) -> None:
        self._loop.forget(pair.rtp.fileno())
        self._loop.forget(pair.rtcp.fileno())
        self._bound.discard(pair.port)
        pair.close()
