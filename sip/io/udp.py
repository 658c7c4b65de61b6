"""SIP over UDP: one socket.

A plain non-blocking socket under `add_reader` and no `DatagramProtocol`: the stock loop allocates
256 KiB for each datagram, and a send that fails is to be known at once and by its destination.
"""

import asyncio
import logging
import socket
from collections import Counter
from types import TracebackType
from typing import Self

from sip.address import Flow, HostPort
from sip.io.hub import Hub

logger = logging.getLogger("sip.io")

BATCH = 64
"Datagrams per turn of the loop, so that a flood does not starve timers and other tasks."

MAX_FLOWS = 8_192
"Sources whose `Flow` is kept to be used again."


class UdpTransport:
    """Datagrams in and out."""

    def __init__(self, hub: Hub, sock: socket.socket, local: HostPort) -> None:
        self._hub = hub
        self._socket = sock
        self._local = local
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
        receive, recvfrom = self._hub.receive, self._socket.recvfrom
        for _ in range(BATCH):
            try:
                data, address = recvfrom(65535)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP error of an earlier send; it has been taken off the queue
            receive(data, self._flow(address), now)
        self._hub.kick()

    def _flow(self, address: tuple[str, int]) -> Flow:
        flow = self._flows.get(address)
        if flow is None:
            if len(self._flows) >= MAX_FLOWS:
                self._flows.clear()
            flow = Flow("UDP", self._local, HostPort(address[0], address[1]))
            self._flows[address] = flow
        return flow
