"""Providers on a wire whose clock jumps: registrars that a test scripts, and the server's side."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from b2bua.config import parse
from b2bua.trunks.asking import Office
from b2bua.trunks.desk import TrunkDesk
from b2bua.trunks.trunk import Trunk, Trunks
from sip.address import Flow, HostPort
from sip.endpoint import Endpoint
from sip.events import Authorized, RequestCompleted
from sip.locating import Destination, Target
from sip.message import Request, is_keepalive
from sip.message import parse as parse_message
from tests.support.sip_raw import answer_to

SERVER = HostPort("192.0.2.100", 5060)
FIRST, SECOND = HostPort("203.0.113.1", 5060), HostPort("203.0.113.2", 5060)
DOMAIN = "provider.example"

CHALLENGE = f'WWW-Authenticate: Digest realm="{DOMAIN}", nonce="n", qop="auth"'

TOML = f"""
[[trunk]]
name = "provider"
address = "{DOMAIN}"
[trunk.account]
username = "u1"
password = "secret"
"""

Reply = tuple[int, tuple[str, ...]] | None
"A status with its headers; None: silence."

Script = Callable[[Request], Reply]


class Names:
    """A `sip.locating.Locator` that says what the test says."""

    def __init__(self) -> None:
        self.addresses: tuple[HostPort, ...] = (FIRST, SECOND)
        self.failed: list[HostPort] = []

    def destinations(self, target: Target) -> tuple[Destination, ...]:
        assert target.host.endswith(DOMAIN), target
        return tuple(Destination(target.transport or "UDP", each) for each in self.addresses)

    def hosts(self, _target: Target) -> frozenset[str]:
        return frozenset(each.host for each in self.addresses)

    def note_failure(self, destination: Destination) -> None:
        self.failed.append(destination.address)


def accept(request: Request) -> Reply:
    """Answer as a registrar does that wants the password first."""
    if request.headers.get("Authorization") is None:
        return 401, (CHALLENGE,)
    expires = request.headers["Expires"]
    return 200, (f"Contact: {request.headers['Contact']};expires={expires}",)


def silent(_request: Request) -> Reply:
    return None


@dataclass
class Rig:
    """The server's trunks and the world around them."""

    toml: str = TOML
    names: Names = field(default_factory=Names)
    registrars: dict[HostPort, Script] = field(default_factory=dict)
    asked: list[tuple[HostPort, Request]] = field(default_factory=list)
    "Every request that arrived, in order."
    signs_of_life: list[HostPort] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.trunks = Trunks(parse(self.toml, "test").trunk, self.names, self.loop.time)
        self.endpoint = Endpoint(
            contact=SERVER, authorize=lambda _r, _f, _n: Authorized(None), user_agent=""
        )
        office = Office(
            endpoint=self.endpoint,
            kick=self.kick,
            clock=self.loop.time,
            way=lambda place: Flow(place.transport, SERVER, place.address),
            dice=lambda: 0.5,
        )
        self.desk = TrunkDesk(self.trunks, office)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def trunk(self) -> Trunk:
        return next(iter(self.trunks))

    def registered(self) -> bool:
        registering = self.trunk.registering
        return registering is not None and registering.holds

    def requests(self, at: HostPort) -> list[Request]:
        return [request for address, request in self.asked if address == at]

    def kick(self) -> None:
        self.loop.call_soon(self._pump)

    def _pump(self) -> None:
        for data, flow in self.endpoint.send_queue():
            if is_keepalive(data):
                self.signs_of_life.append(flow.remote)
                continue
            request = parse_message(data)
            assert isinstance(request, Request)
            self.asked.append((flow.remote, request))
            reply = self.registrars.get(flow.remote, silent)(request)
            if reply is not None:
                code, headers = reply
                response = answer_to(request, code, headers=headers)
                self.endpoint.receive(response, flow, self.loop.time())
                self.kick()
        for event in self.endpoint.events():
            assert isinstance(event, RequestCompleted)
            self.desk.completed(event)
        if self._timer is not None:
            self._timer.cancel()
        due = self.endpoint.next_timeout()
        self._timer = None if due is None else self.loop.call_at(due, self._time_passed)

    def _time_passed(self) -> None:
        self.endpoint.handle_timeout(self.loop.time())
        self.kick()


@contextlib.asynccontextmanager
async def open_rig(toml: str = TOML, **registrars: Script) -> AsyncIterator[Rig]:
    """Open the desk; `first` and `second` are registrars, silent where they are not named."""
    rig = Rig(toml)
    for name, address in (("first", FIRST), ("second", SECOND)):
        rig.registrars[address] = registrars.get(name, silent)
    async with rig.desk.open():
        yield rig
    assert rig.endpoint.counters["failed"] == 0
