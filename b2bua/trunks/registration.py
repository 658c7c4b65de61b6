"""Keeping one trunk's registration: the clock, servers and wire of a `sip.registering`."""

import asyncio
import contextlib
import logging
from typing import Final

from b2bua.trunks.asking import Answer, Office
from b2bua.trunks.trunk import Trunk
from sip.address import Flow
from sip.credentials import asked_realms
from sip.locating import Destination
from sip.message import Address
from sip.outside_client import OutsideRequest, Series
from sip.registering import Registering, State

logger = logging.getLogger("b2bua.trunks")

PATIENCE_S: Final = 8.0
"For a registrar's answer, then it counts as silent: the next one may be awake."

LEAVE_S: Final = 2.0
"For the answer to our last REGISTER, when the server stops."

GIN: Final = (("Require", "gin"), ("Proxy-Require", "gin"))
":rfc:`6140#section-5.2`."


class Registration:
    """One trunk's registration."""

    def __init__(self, trunk: Trunk, office: Office) -> None:
        account = trunk.settings.account
        assert account is not None
        self._trunk = trunk
        self._account = account
        self._office = office
        self._series: Series = office.endpoint.series()
        self._round: list[Destination] = []
        "Servers that were not tried yet since the last pause."
        self._flow: Flow | None = None
        "Over which we were taken: over a connection, calls come back on it."
        self._hurry = asyncio.Event()
        self._said = ""
        "The trouble that stands in the log already."
        self.registering = trunk.registering = Registering(
            contact_user=trunk.contact_user,
            expires_s=account.expires_s,
            now=office.clock(),
            dice=office.dice,
        )

    async def run(self) -> None:
        """Register, and again in time, for ever."""
        while True:
            await self._pause()
            await self._register()

    async def leave(self) -> None:
        """End the registration where there is one."""
        place = self._trunk.home
        if not self.registering.leave() or place is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._exchange(place)

    @property
    def flow(self) -> Flow | None:
        """The connection that has to stay open, where there is one."""
        flow = self._flow
        return flow if flow is not None and flow.reliable and self.registering.holds else None

    def connection_lost(self, flow: Flow) -> None:
        """Register again soon where that was the connection."""
        if flow == self.flow:
            self.registering.lost(self._office.clock())
            self._hurry.set()

    async def keep_open(self) -> None:
        """Send a sign of life now and then, so that a NAT between us keeps its door open."""
        office, every_s = self._office, self._account.keepalive_s
        while True:
            await asyncio.sleep(every_s * (0.8 + office.dice() / 5))
            if self._flow is not None and self.registering.holds:
                office.endpoint.keep_alive(self._flow)
                office.kick()

    @property
    def keeps_open(self) -> bool:
        """Whether it is to send signs of life."""
        return self._account.keepalive_s > 0

    async def _pause(self) -> None:
        """Wait until the next REGISTER is due, and see a registration end meanwhile."""
        registering = self.registering
        while (now := self._office.clock()) < registering.due_at:
            granted = registering.granted
            wake_at = registering.due_at
            if granted is not None:
                wake_at = min(wake_at, granted.expires_at)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(wake_at - now, 0.001)):
                    await self._hurry.wait()
            self._hurry.clear()
            registering.expire(self._office.clock())

    async def _register(self) -> None:
        """Try one server."""
        trunk, registering, clock = self._trunk, self.registering, self._office.clock
        place = self._next_place()
        if place is None:
            registering.nowhere("its address is not known", clock())
        else:
            response, code = await self._exchange(place)
            if code >= 300:
                self._refused(place, (response, code))
        if registering.state is State.IN and place is not None:
            trunk.home, self._flow = place, self._office.way(place)
            self._round.clear()
        self._log(place)

    def _next_place(self) -> Destination | None:
        """Return the server to try: first the one that took us last, then all in their order."""
        if not self._round:
            self._round = list(self._trunk.destinations(self._trunk.registrars))
        return self._round.pop(0) if self._round else None

    async def _exchange(self, place: Destination) -> Answer:
        """Send the REGISTER to one server, again where it only wants a longer interval."""
        registering, flow = self.registering, self._office.way(place)
        while True:
            expires_s = registering.begin(self._office.clock())
            response, code = None, 503
            if flow is not None:
                request = self._request(place, flow, expires_s)
                response, code = await self._office.ask(request, PATIENCE_S)
            now = self._office.clock()
            if not registering.completed(response, code, now, last=not self._round):
                return response, code

    def _request(self, place: Destination, flow: Flow, expires_s: int) -> OutsideRequest:
        trunk, account = self._trunk, self._account
        ourselves = Address(uri=trunk.uri(account.aor_user))
        return OutsideRequest(
            method="REGISTER",
            target=trunk.uri(None),
            flow=flow,
            from_=ourselves,
            to=ourselves,
            series=self._series,
            peer=trunk,
            routes=trunk.proxy_routes(place),
            headers=(("Expires", str(expires_s)), *(GIN if account.gin else ())),
            contact_user=trunk.contact_user,
            contact_parameters=";bnc" if account.gin else "",
        )

    def _refused(self, place: Destination, answer: Answer) -> None:
        """Note what an operator can do about it."""
        response, code = answer
        if response is None:
            self._trunk.note_failure(place)
        elif code in {401, 407}:
            foreign = [each for each in asked_realms(response) if each not in self._realms]
            if foreign:
                self.registering.trouble = f"{code}: it asks for the realm {foreign[0]!r}"

    @property
    def _realms(self) -> frozenset[str]:
        return self._trunk.settings.realms

    def _log(self, place: Destination | None) -> None:
        """Write each change once."""
        registering = self.registering
        said = registering.trouble or "registered"
        if said == self._said:
            return
        self._said = said
        extra: dict[str, object] = {"trunk": self._trunk.name}
        if place is not None:
            extra["server"] = str(place.address)
        if registering.trouble:
            logger.warning("trunk not registered", extra=extra | {"reason": registering.trouble})
        else:
            logger.info("trunk registered", extra=extra)


def registration_of(trunk: Trunk, office: Office) -> Registration | None:
    """Return the registration of a trunk that wants one."""
    account = trunk.settings.account
    return Registration(trunk, office) if account is not None and account.register_ else None
