"""SIP over UDP: one socket.

A plain non-blocking socket under `add_reader` and no `DatagramProtocol`: the stock loop allocates
256 KiB for each datagram, and a send that fails is to be known at once and by its destination.

A datagram is read at once while there are few. Where they come close upon each other, the socket is
looked at every `PAUSE_S`, and what has gathered meanwhile is dealt with in one go, while the caches
are warm and for one waking.
"""

import asyncio
import logging
import math
import socket
from collections import Counter
from types import TracebackType
from typing import Self

from sip.address import Flow, HostPort
from sip.io.hub import Hub

logger = logging.getLogger("sip.io")

BATCH = 64
"Datagrams per turn of the loop, so that a flood does not starve timers and other tasks."

PAUSE_S = 0.004
"""On a busy server from one look to the next. At 300 and 600 calls a second it takes off a tenth
and an eighth of what a call costs, and adds 10 ms to a set-up, which has four such looks on its
way. At 100 there are no pauses."""

BUSY = 8
"Wakings in a row, none of them later than a pause behind the last, after which pauses are made."

GATHERED = 2
"Datagrams that make a pause worth while."

MAX_FLOWS = 8_192
"Sources whose `Flow` is kept to be used again."


class UdpTransport:
    """Datagrams in and out."""

    def __init__(self, hub: Hub, sock: socket.socket, local: HostPort) -> None:
        self._hub = hub
        self._socket = sock
        self._local = local
        self._read_at = -math.inf
        self._quick = 0
        "Wakings in a row that came within a pause of the last one."
        self._pause: asyncio.TimerHandle | None = None
        "While it lasts the loop does not watch the socket."
        self._flows: dict[tuple[str, int], Flow] = {}
        self.counters = Counter({"udp_dropped": 0})
        "`udp_dropped`: the kernel did not take a datagram; retransmissions make up for it."

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._readable)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.remove_reader(self._socket.fileno())
        if self._pause is not None:
            self._pause.cancel()

    def send(self, data: bytes, flow: Flow) -> None:
        """Send a datagram; a destination that the kernel refuses is told to the hub."""
        try:
            self._socket.sendto(data, flow.remote)
        except BlockingIOError:
            self.counters["udp_dropped"] += 1
        except OSError as error:
            logger.info("can't send", extra={"remote": str(flow.remote), "reason": str(error)})
            self._hub.failed(flow)

    def _readable(self) -> None:
        now = self._hub.now()
        count = self._read(now)
        self._quick = self._quick + 1 if now - self._read_at < PAUSE_S else 0
        self._read_at = now
        if self._quick >= BUSY:
            self._loop.remove_reader(self._socket.fileno())
            self._look_again(count)

    def _look(self) -> None:
        """Read what has gathered in the pause; where hardly any has, let the loop watch again."""
        now = self._read_at = self._hub.now()
        count = self._read(now)
        if count >= GATHERED:
            self._look_again(count)
        else:
            self._pause, self._quick = None, 0
            self._loop.add_reader(self._socket.fileno(), self._readable)

    def _look_again(self, count: int) -> None:
        """Look a pause after the last look began: what that took is time in which some gathered."""
        rest = self._read_at + PAUSE_S - self._hub.now()
        self._pause = self._loop.call_later(max(0.0, rest) if count < BATCH else 0.0, self._look)

    def _read(self, now: float) -> int:
        """Deal with what is there, and return how many datagrams it was."""
        receive, recvfrom = self._hub.receive, self._socket.recvfrom
        count = 0
        for _ in range(BATCH):
            try:
                data, address = recvfrom(65535)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP error of an earlier send; it has been taken off the queue
            receive(data, self._flow(address), now)
            count += 1
        self._hub.kick()
        return count

    def _flow(self, address: tuple[str, int]) -> Flow:
        flow = self._flows.get(address)
        if flow is None:
            if len(self._flows) >= MAX_FLOWS:
                self._flows.clear()
            flow = Flow("UDP", self._local, HostPort(address[0], address[1]))
            self._flows[address] = flow
        return flow
