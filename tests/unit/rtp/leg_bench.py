"""Legs and telephones on loopback; the loop turns by hand, and time is an argument."""

import select
import socket
from dataclasses import dataclass, field

from rtp.fast_path import Callback, FastPath
from rtp.header import RtpHeader
from rtp.io.leg import Leg, LegRoute, join
from rtp.io.leg_observer import LegObserver
from rtp.io.loop import EventLoop
from rtp.io.peer_search import SETTLING_NS
from rtp.io.socket import PortRange
from rtp.latch import LatchMode

PORTS = PortRange(20_000, 60_000)
ANY = LegRoute(payload_types={8: 8}, tables={}, clock_rates={})
TIMEOUT_NS = 5_000_000_000
TYPES = (8,)


class HandTurnedLoop(EventLoop):
    """Calls whatever is readable, when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.close()
        self.callbacks: dict[int, Callback] = {}

    def set(self, fd: int, callback: Callback) -> None:
        self.callbacks[fd] = callback

    def remove(self, fd: int) -> None:
        self.callbacks.pop(fd, None)

    def park(self, fd: int) -> None:
        if fd in self.callbacks:
            self.callbacks[fd] = lambda _: self.remove(fd)

    def turn(self, now: int) -> None:
        """Call until nothing is readable any more."""
        while True:
            ready, _, _ = select.select(list(self.callbacks), [], [], 0)
            if not ready:
                return
            for fd in ready:
                if fd in self.callbacks:
                    self.callbacks[fd](now)


class Phone:
    """A socket that speaks RTP."""

    def __init__(self, host: str = "127.0.0.1", *, ssrc: int = 1) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.ssrc = ssrc
        self.sequence = 100

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()[:2]
        return host, port

    def say(self, leg: Leg, *, payload_type: int = 8, host: str = "127.0.0.1") -> None:
        header = RtpHeader(
            payload_type=payload_type,
            sequence=self.sequence,
            timestamp=160 * self.sequence,
            ssrc=self.ssrc,
        )
        self.sequence += 1
        self.socket.sendto(header.serialize() + bytes(160), (host, leg.port))

    def heard(self) -> list[int]:
        """The sequence numbers of what has come since it was last asked."""
        numbers = []
        while True:
            try:
                numbers.append(RtpHeader.parse(self.socket.recv(2048)).sequence)
            except BlockingIOError:
                return numbers


@dataclass
class Bench:
    """Legs of one loop, the telephones at their other ends, and what was told of them."""

    loop: HandTurnedLoop = field(default_factory=HandTurnedLoop)
    fast_path: FastPath = field(default_factory=FastPath)
    legs: list[Leg] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    silent: list[int] = field(default_factory=list)
    heard_again: list[int] = field(default_factory=list)
    now: int = 1_000_000_000

    def leg(self, host: str = "127.0.0.1") -> Leg:
        observer = LegObserver(
            first_packet=lambda leg, _: self.first.append(leg),
            silent=lambda leg, _: self.silent.append(leg),
            heard_again=self.heard_again.append,
        )
        leg = Leg(
            len(self.legs) + 1,
            PORTS.bind(host),
            loop=self.loop,
            fast_path=self.fast_path,
            observer=observer,
        )
        self.legs.append(leg)
        return leg

    def phone(self, host: str = "127.0.0.1", *, ssrc: int = 1) -> Phone:
        self.phones.append(Phone(host, ssrc=ssrc))
        return self.phones[-1]

    def turn(self, after_ns: int = 20_000_000) -> None:
        self.now += after_ns
        self.loop.turn(self.now)

    def settle(self, leg: Leg, phone: Phone) -> None:
        """Bring a leg on the fast path."""
        for _ in range(3):
            phone.say(leg)
            self.turn(SETTLING_NS)
        assert self.loop.callbacks[leg.descriptors()[0]] != leg._learn

    def call(self, mode: LatchMode = LatchMode.EXACT) -> tuple[Leg, Leg, Phone, Phone]:
        a, b = self.leg(), self.leg()
        alice, bob = self.phone(ssrc=1), self.phone(ssrc=2)
        a.set_remote(alice.address, mode, TYPES, self.now)
        b.set_remote(bob.address, mode, TYPES, self.now)
        join(a, b, ANY, ANY)
        return a, b, alice, bob

    def close(self) -> None:
        for leg in self.legs:
            leg.release()
            leg.pair.close()
        for phone in self.phones:
            phone.socket.close()
