"""Two SIP endpoints on a virtual wire: a clock that jumps, and a script of losses."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from sip.address import Flow, HostPort
from sip.endpoint import Endpoint
from sip.events import Authorized, Event, InviteAnswered, InviteOffered, Refused
from sip.message import URI, Address, Request, Response, parse

E = TypeVar("E")

OFFER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"
ANSWER = b"v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\ns=-\r\n"

DELAY = 0.01
"Seconds that a datagram is on the wire."


def tokens(prefix: str) -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


def authorize_all(_request: Request, _flow: Flow, _now: float) -> Authorized | Refused:
    return Authorized("somebody")


@dataclass
class Sent:
    """One datagram on the wire."""

    when: float
    sender: str
    data: bytes
    delivered: bool

    @property
    def message(self) -> Request | Response:
        return parse(self.data)

    @property
    def label(self) -> str:
        message = self.message
        if isinstance(message, Request):
            return f"{self.sender} {message.method}"
        return f"{self.sender} {message.code} {message.head.method}"


class Node:
    """An endpoint and what it told."""

    def __init__(self, name: str, host: str, **options: object) -> None:
        self.name = name
        self.address = HostPort(host, 5060)
        settings: dict[str, object] = {
            "contact": self.address,
            "authorize": authorize_all,
            "token": tokens(name),
            "user_agent": "",
            "dice": lambda: 0.1,
        }
        settings.update(options)
        self.endpoint = Endpoint(**settings)  # type: ignore[arg-type]  # options of a test
        self.told: list[Event] = []

    def take(self, kind: type[E]) -> E:
        """Return the oldest event, which has to be of this kind."""
        assert self.told, f"{self.name} was told nothing, wanted {kind.__name__}"
        event = self.told.pop(0)
        assert isinstance(event, kind), f"{self.name} was told {event}"
        return event


@dataclass
class Wire:
    """Carries datagrams from node to node; `rule` may drop, double or delay each."""

    a: Node
    b: Node
    transport: str = "UDP"
    now: float = 1000.0
    sent: list[Sent] = field(default_factory=list)
    rule: Callable[[Sent], list[float]] = lambda _sent: [DELAY]
    """From a datagram to the delays of its copies; an empty list loses it."""
    _flying: list[tuple[float, int, bytes, Node, Node]] = field(default_factory=list)
    _serial: "count[int]" = field(default_factory=count)

    def flow(self, node: Node, peer: Node) -> Flow:
        return Flow(self.transport, node.address, peer.address)  # type: ignore[arg-type]

    def a_flow(self) -> Flow:
        return self.flow(self.a, self.b)

    def pump(self) -> None:
        """Put what the endpoints want to send on the wire, and collect their events."""
        for node, peer in ((self.a, self.b), (self.b, self.a)):
            for data, flow in node.endpoint.send_queue():
                assert flow.remote == peer.address
                entry = Sent(self.now, node.name, data, delivered=True)
                delays = self.rule(entry)
                entry.delivered = bool(delays)
                self.sent.append(entry)
                for delay in delays:
                    flying = (self.now + delay, next(self._serial), data, node, peer)
                    self._flying.append(flying)
            node.told += node.endpoint.events()

    def run(self, seconds: float = 0.1) -> None:
        """Let time pass, stopping at each arrival and each timer."""
        end = self.now + seconds
        self.pump()
        while True:
            due = [flying[0] for flying in self._flying]
            timers = [node.endpoint.next_timeout() for node in (self.a, self.b)]
            due += [when for when in timers if when is not None]
            if not due or min(due) > end:
                break
            self.now = max(self.now, min(due))
            arrived = sorted(f for f in self._flying if f[0] <= self.now)
            self._flying = [f for f in self._flying if f[0] > self.now]
            for _, _, data, sender, receiver in arrived:
                receiver.endpoint.receive(data, self.flow(receiver, sender), self.now)
            for node in (self.a, self.b):
                node.endpoint.handle_timeout(self.now)
            self.pump()
        self.now = end

    @property
    def labels(self) -> list[str]:
        return [entry.label for entry in self.sent]

    def last(self, label: str) -> Request | Response:
        return next(entry for entry in reversed(self.sent) if entry.label == label).message

    def finish(self, seconds: float = 400) -> None:
        """All calls have ended: nothing is left once every timer has run out."""
        self.run(seconds)
        assert self.leaks() == []

    def leaks(self) -> list[str]:
        """Return what is still alive in either endpoint; empty when all has ended."""
        found = []
        for node in (self.a, self.b):
            endpoint = node.endpoint
            core = endpoint._core
            layer = core.transactions
            remains = {
                "transactions": endpoint.transactions,
                "usages": endpoint.usages,
                "timers": len(core.heap),
                "dialogs": len(core.usages._by_dialog),
                "acks": len(core.usages._by_ack),
                "merge": len(layer._merge),
                "by_id": len(layer._by_id),
                "late": len(endpoint.calls._uac._late),
                "failed": endpoint.counters["failed"],
            }
            found += [f"{node.name} {key}={value}" for key, value in remains.items() if value]
        return found


def drop(*labels: str, times: int = 1 << 30) -> Callable[[Sent], list[float]]:
    """Lose the first `times` datagrams with one of these labels."""
    left = [times]

    def rule(entry: Sent) -> list[float]:
        if entry.label in labels and left[0] > 0:
            left[0] -= 1
            return []
        return [DELAY]

    return rule


def chaos(seed: int, loss: float = 0.2, double: float = 0.2) -> Callable[[Sent], list[float]]:
    """Lose, double and reorder by chance."""
    dice = random.Random(seed)

    def rule(_entry: Sent) -> list[float]:
        if dice.random() < loss:
            return []
        copies = 2 if dice.random() < double else 1
        return [DELAY + dice.random() * 0.3 for _ in range(copies)]

    return rule


def make_wire(**b_options: object) -> Wire:
    return Wire(Node("a", "192.0.2.1"), Node("b", "192.0.2.2", **b_options))


def call(wire: Wire, body: bytes = OFFER, headers: tuple[tuple[str, str], ...] = ()) -> int:
    """Have A invite B."""
    return wire.a.endpoint.calls.invite(
        target=URI.parse("sip:bob@192.0.2.2"),
        flow=wire.a_flow(),
        from_=Address.parse('"Alice" <sip:alice@192.0.2.1>'),
        to=Address.parse("<sip:bob@192.0.2.2>"),
        body=body,
        headers=headers,
        now=wire.now,
    )


def offered(wire: Wire, body: bytes = OFFER, **headers: str) -> tuple[int, int]:
    """Return the usages of A and B in a call that B may answer."""
    a = call(wire, body, tuple(headers.items()))
    wire.run()
    return a, wire.b.take(InviteOffered).usage


def established(wire: Wire) -> tuple[int, int]:
    """Return the usages of A and B in a call that stands, all events taken."""
    a, b = offered(wire)
    wire.b.endpoint.calls.answer(b, ANSWER, wire.now)
    wire.run()
    assert wire.a.take(InviteAnswered).usage == a
    wire.b.told.clear()
    return a, b
