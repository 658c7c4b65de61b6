"""Whole calls without processes: the real switchboard and SIP, phones on a wire, time that jumps.

Nothing is real but what decides: media workers are a `FakePlane`, the database a `FakeJournal`,
and a second of a call takes none.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from functools import cache
from pathlib import Path
from typing import cast

from b2bua.addresses import Addresses
from b2bua.authentication import ALLOW_IN_CALLS, SUPPORTED
from b2bua.calls.inbox import Attachable
from b2bua.calls.services import CallServices
from b2bua.calls.sessions.media_way import MediaWays
from b2bua.calls.switchboard import Switchboard
from b2bua.config import parse
from b2bua.directory import Directory, Extension, Forwards
from b2bua.media.members import OpenRecording
from b2bua.media.plane import MediaPlane
from b2bua.media.to_worker import Bridge, SetRemote, Unbridge
from b2bua.registration import Registrations
from b2bua.routing import DialPlan
from b2bua.trunks.trunk import Trunks
from b2bua.voice_book import VoiceBook
from b2bua.wall_clock import MICROSECONDS
from cdr.journal import Journal
from cdr.records import CallEnded, CallOpened, CallRouted, EvidenceStored
from sip.address import Flow, HostPort
from sip.binding import Binding
from sip.digest import Ha1
from sip.endpoint import Endpoint
from sip.events import (
    Authorized,
    InviteAnswered,
    InviteOffered,
    Refused,
    UsageEnded,
)
from sip.message import Request
from sip.session_timer import SessionPolicy
from tests.unit.b2bua.calls.fake_plane import FakeJournal, FakePlane, RecordingAsked
from tests.unit.b2bua.calls.phone import PATIENCE_S, SERVER, Phone

TRUNK_HOST = "203.0.113.1"
DID = "4930123450"
OUTSIDE = "493098765"

TRUNK = f"""
[[trunk]]
name = "provider"
address = "{TRUNK_HOST}"
dids = {{ "{DID}" = "101" }}
[[route]]
pattern = "0Z."
trunk = "provider"
strip = 1
"""


@cache
def voices(folder: Path = Path("/nonexistent")) -> VoiceBook:
    return VoiceBook("de", folder)


def extension(
    number: str,
    mode: str = "off",
    *,
    opted_in: bool = True,
    directions: str = "incoming,outgoing,internal",
    may_stop: bool = True,
    consent: str = "ask",
    forwards: Forwards | None = None,
) -> Extension:
    return Extension(
        number=number,
        name=f"Name {number}",
        mode=mode,
        directions=frozenset(directions.split(",")),
        user_may_stop=may_stop,
        manual_consent=consent,
        opt_in_at=MICROSECONDS if opted_in else None,
        opt_in_by="admin" if opted_in else None,
        ha1=Ha1(md5="", sha256=""),
        forwards=forwards or Forwards(),
    )


class House:
    """The server's calls, and the phones around it."""

    def __init__(
        self, folder: Path, toml: str, extensions: tuple[Extension, ...], trunk: str
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.config = parse(TRUNK.replace("[[route]]", f"{trunk}\n[[route]]") + toml, "test")
        self.directory = Directory()
        for each in extensions:
            self.directory._by_number[each.number] = each
        self.trunks = Trunks(self.config.trunk, clock=self._loop.time)
        self.journal = FakeJournal()
        self.plane = FakePlane(voices().messages())
        self.endpoint = Endpoint(
            contact=SERVER,
            authorize=self._authorize,
            allow=ALLOW_IN_CALLS,
            user_agent="",
            supported=SUPPORTED,
            session=SessionPolicy(),
        )
        self.lose: Callable[[bytes, HostPort], bool] = lambda _data, _to: False
        "Decides which message is lost on its way to an address."
        self._nodes: dict[HostPort, Phone | None] = {SERVER: None}
        self._pumping = False
        self._timer: asyncio.TimerHandle | None = None
        journal = cast("Journal", self.journal)
        registrations = Registrations(self.config.sip, journal, self.endpoint, self.kick)
        self.registrar = registrations.registrar
        settings = self.config.sip
        if "listen" not in settings.model_fields_set:
            settings = settings.model_copy(update={"listen": (SERVER,)})
        addresses = Addresses(settings)
        services = CallServices(
            config=self.config,
            endpoint=self.endpoint,
            kick=self.kick,
            plane=cast("MediaPlane", self.plane),
            journal=journal,
            directory=self.directory,
            registrar=self.registrar,
            plan=DialPlan(self.config, self.directory, self.trunks),
            voices=voices(),
            ways=MediaWays(self.config.media, addresses),
            flow_to=lambda place: Flow(place.transport, SERVER, place.address),
            recordings=folder,
            clock=self._loop.time,
            attach=self._attach,
            flow_failed=registrations.flow_failed,
            changed=self._changed,
        )
        self.switchboard = Switchboard(services, registrations)

    def _attach(self, usage: int, call: Attachable) -> None:
        self.switchboard.attach(usage, call)

    def _changed(self, numbers: Iterable[str]) -> None:
        self.switchboard.lamps.changed(numbers)

    @property
    def now(self) -> float:
        return self._loop.time()

    # --- phones

    def phone(
        self,
        number: str,
        *,
        registered: bool = True,
        host: str = "",
        info: bool = True,
        supported: tuple[str, ...] = (),
    ) -> Phone:
        """An extension's telephone."""
        host = host or f"192.0.2.{len(self._nodes)}"
        phone = Phone(self, number, host, info=info, supported=supported)
        self._nodes[phone.endpoint.contact] = phone
        if registered:
            self.registrar.restore([self._binding(phone)])
        return phone

    def outside(
        self,
        number: str = OUTSIDE,
        *,
        info: bool = True,
        host: str = TRUNK_HOST,
        supported: tuple[str, ...] = (),
    ) -> Phone:
        """The trunk, or another one, with somebody behind it."""
        phone = Phone(self, number, host, info=info, supported=supported)
        self._nodes[phone.endpoint.contact] = phone
        return phone

    def _binding(self, phone: Phone) -> Binding:
        address = phone.endpoint.contact
        return Binding(
            aor=phone.number,
            contact=f"sip:{phone.number}@{address}",
            flow=self.flow(SERVER, address),
            expires_at=self.now + 10_000,
            call_id=f"register-{address}",
            cseq=1,
        )

    @staticmethod
    def flow(local: HostPort, remote: HostPort) -> Flow:
        return Flow("UDP", local, remote)

    def _authorize(self, request: Request, flow: Flow, _now: float) -> Authorized | Refused:
        trunk = self.trunks.find(flow, request.uri.user or "")
        if trunk is not None:
            return Authorized(trunk, trunk)
        found = self.directory.get(request.from_address.uri.user or "")
        return Authorized(found) if found is not None else Refused(403, "Forbidden")

    # --- the wire

    def kick(self) -> None:
        """Have everybody's words carried, soon."""
        if not self._pumping:
            self._pumping = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        for address in tuple(self._nodes):
            endpoint = self._endpoint(address)
            for data, flow in endpoint.send_queue():
                if flow.remote in self._nodes and not self.lose(data, flow.remote):
                    peer = self._endpoint(flow.remote)
                    peer.receive(data, self.flow(flow.remote, address), self.now)
                    self.kick()
            phone = self._nodes[address]
            for event in endpoint.events():
                (phone.hear_of if phone is not None else self.switchboard.on_event)(event)
                self.kick()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = [self._endpoint(address).next_timeout() for address in self._nodes]
        times = [at for at in due if at is not None]
        self._timer = self._loop.call_at(min(times), self._time_passed) if times else None

    def _time_passed(self) -> None:
        for address in self._nodes:
            self._endpoint(address).handle_timeout(self.now)
        self.kick()

    def _endpoint(self, address: HostPort) -> Endpoint:
        phone = self._nodes[address]
        return self.endpoint if phone is None else phone.endpoint

    # --- calls

    async def connect(self, caller: Phone, number: str, callee: Phone) -> InviteOffered:
        """Have a call that nobody is asked about first stand; the callee is leg 2."""
        caller.dial(number)
        offered = await callee.take(InviteOffered)
        callee.answer(offered)
        await caller.take(InviteAnswered)
        await asyncio.sleep(0.01)
        return offered

    async def hang_up(self, phone: Phone, other: Phone, calls: int = 1) -> CallEnded:
        """End a call that both talk in, as one end or the other does; `calls`: rows in all."""
        phone.bye()
        await other.take(UsageEnded)
        ended = await self.over(calls)
        assert ended.disposition == "ANSWERED"
        return ended

    async def over(self, calls: int = 1) -> CallEnded:
        """Wait for so many closed rows; returns the last one."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.journal.of(CallEnded)) < calls:
                self.journal.changed.clear()
                await self.journal.changed.wait()
        await asyncio.sleep(0.01)
        return self.journal.of(CallEnded)[calls - 1]

    @property
    def row(self) -> CallOpened | CallRouted:
        """What was said last of where a call goes."""
        opened = self.journal.of(CallOpened)[-1]
        routed = [each for each in self.journal.of(CallRouted) if each.id == opened.id]
        return routed[-1] if routed else opened

    def remotes(self, leg_id: int) -> list[int]:
        """The ports to which a leg was to send, one after the other."""
        return [m.port for m in self.plane.of(SetRemote) if m.leg_id == leg_id]

    @property
    def joins(self) -> list[Bridge]:
        """Each time legs were joined, or their routes changed."""
        return self.plane.of(Bridge)

    @property
    def joined(self) -> bool:
        """Whether the parties of the last call hear each other, but for what we play."""
        told = [m for m in self.plane.sent if isinstance(m, Bridge | Unbridge)]
        return bool(told) and isinstance(told[-1], Bridge)

    @property
    def recordings(self) -> list[OpenRecording]:
        """All that were begun."""
        return [message.recording for message in self.plane.of(RecordingAsked)]

    @property
    def evidence(self) -> list[tuple[str, str]]:
        """Kind and decision of each row of evidence."""
        return [(row.kind, row.decision) for row in self.journal.of(EvidenceStored)]

    def leaks(self) -> dict[str, object]:
        """What the switchboard and the plane still hold; empty when every call is over."""
        board = self.switchboard
        held = {
            "calls": board._calls,
            "usages": board._by_usage,
            "extensions": board._engagements._by_extension,
            "engaged": board._engagements._extensions,
            "dialogs": self.endpoint.usages,
            "legs": self.plane.lent,
            "failed": self.endpoint.counters["failed"],
        }
        return {name: value for name, value in held.items() if value}


@contextlib.asynccontextmanager
async def open_house(
    folder: Path, *extensions: Extension, toml: str = "", trunk: str = ""
) -> AsyncIterator[House]:
    """Open the switchboard; when it closes nothing may be left of any call.

    `trunk`: more settings of the one trunk.
    """
    house = House(folder, toml, extensions, trunk)
    failure: BaseException | None = None
    async with house.switchboard.open():
        try:
            yield house
        except Exception as error:  # noqa: BLE001 - shown without the group around it
            failure = error
    if failure is not None:
        raise failure
    assert house.leaks() == {}
