"""Where SIP events meet calls: offers become calls, events find theirs, a stop ends all.

Each call runs as a task of its own behind a bulkhead: what breaks one is logged and ends one.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection

from b2bua.authentication import ALLOW
from b2bua.calls.call import Call
from b2bua.calls.call_over import CallOver, busy, nobody
from b2bua.calls.engagements import Engagements
from b2bua.calls.exchange import Running, Talkable
from b2bua.calls.inbox import Attachable, PickedUp, RecordKeyPressed, Shutdown
from b2bua.calls.lamps import Lamps
from b2bua.calls.life import CallLife
from b2bua.calls.party import Party
from b2bua.calls.recording.record_key_call import RecordKeyCall
from b2bua.calls.services import CallServices
from b2bua.calls.transfers.joined_call import JoinedCall, TakenCall
from b2bua.calls.transfers.line import Line
from b2bua.calls.transfers.semi_attended_call import SemiAttendedCall
from b2bua.calls.transfers.still_ringing import Transfer
from b2bua.calls.transfers.transferred_call import RecallCall, TransferredCall
from b2bua.directory import Extension
from b2bua.registration import Registrations
from b2bua.routing import Destination, NoRoute, Reachable, ToPickup, ToRecordKey, ToTrunk
from b2bua.trunks.arrival import caller_of, dialled_number
from b2bua.trunks.trunk import Trunk
from sip.binding import Binding
from sip.events import Event, InviteOffered, RequestOffered
from sip.message import Request
from sip.notifier import ALLOW_EVENTS

logger = logging.getLogger("b2bua.calls.switchboard")

STOP_PATIENCE_S = 10.0
"For calls to end and their recordings to get a name, after a stop was asked for."

NOBODY_RINGS = 480
"What somebody hears who wants to fetch a call where there is none."

RETRY_AFTER = (("Retry-After", "10"),)


class Switchboard:
    """All calls of the server."""

    def __init__(self, services: CallServices, registrations: Registrations) -> None:
        self._services = services
        self._registrations = registrations
        self._by_usage: dict[int, Attachable] = {}
        self._calls: dict[Running, asyncio.Task[None]] = {}
        self._engagements = Engagements()
        self._settling: set[Running] = set()
        "Calls that are over, but for their rows."
        self._group: asyncio.TaskGroup | None = None
        self._empty = asyncio.Event()
        self.lamps = Lamps(services, self._engagements)
        self.accepting = False

    def __len__(self) -> int:
        """Return how many calls there are whose parties are still here."""
        return len(self._calls) - len(self._settling)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Take calls while the context is open; its end waits for every call's end."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self.accepting = True
            try:
                yield
            finally:
                self.accepting = False
                await self._end_all()

    def attach(self, usage: int, call: Attachable) -> None:
        """Have the events of a usage delivered to a call."""
        self._by_usage[usage] = call

    def on_event(self, event: Event) -> None:
        """Carry one event of the endpoint to whom it concerns."""
        match event:
            case InviteOffered():
                self._offered(event)
            case RequestOffered():
                self._requested(event)
            case _:
                call = self._by_usage.get(event.usage) if event.usage is not None else None
                if call is not None:
                    call.deliver(event)

    # --- calls

    def _offered(self, event: InviteOffered) -> None:
        services = self._services
        if event.replaces is not None:
            self._take_over(event, event.replaces)
            return
        caller, destination = self._route(event)
        if isinstance(destination, ToPickup):
            self._fetch(event, caller, destination.extension.number)
            return
        emergency = isinstance(destination, ToTrunk) and destination.emergency
        room = emergency or len(self) < services.config.media.max_calls
        if not self.accepting or not room or self._group is None:
            services.endpoint.calls.reject(event.usage, 503, services.clock(), headers=RETRY_AFTER)
            services.kick()
            return
        call: Running
        if isinstance(destination, ToRecordKey):
            call = RecordKeyCall(services, event, caller, self._press)
        else:
            call = self._new_call(event, caller, destination)
            self.engage(call, {caller.number} if caller.extension is not None else ())
        self.attach(event.usage, call)
        self._calls[call] = self._group.create_task(self._run(call), name=call.call_id)

    def _new_call(
        self, event: InviteOffered, caller: Party, destination: Reachable | NoRoute
    ) -> Call:
        """Return the call to a destination; where it can't be had, its row says so."""
        wanted: Reachable | CallOver
        if isinstance(destination, NoRoute):
            dialled = dialled_number(event.request, caller.trunk)
            wanted = nobody(destination.code, destination.reason, dialled)
        elif self._has_no_room(caller.trunk):
            wanted = busy(dialled_number(event.request, caller.trunk))
        else:
            wanted = destination
        return Call(self._services, event, caller, wanted, self)

    def _take_over(self, event: InviteOffered, usage: int) -> None:
        """Let an extension go on at another telephone of its own (:rfc:`3891`)."""
        services, taker, call = self._services, event.identity, self.call_of(usage)
        if (
            not isinstance(taker, Extension)
            or call is None
            or not self.accepting
            or not event.request.body
            or call.talks_with(usage, taker.number) is None
        ):
            services.endpoint.calls.reject(event.usage, 403, services.clock())
            services.kick()
            return
        party = Party.own(taker)

        def begin(line: Line) -> TakenCall:
            taken = TakenCall(services, self, line, offered=event, taker=party)
            self.begin(taken)
            return taken

        call.surrender(usage, to=begin)

    def _fetch(self, event: InviteOffered, taker: Party, number: str) -> None:
        """Let an extension have the call that rings at another one, which it may watch."""
        services = self._services
        code = 403
        if services.config.lamps.allows(taker.number, number) and self.accepting:
            code = NOBODY_RINGS
            for call in self._engagements.of(number):
                rings = call.call_lamp(number) == "early" and not call.occupies(taker.number)
                if rings and isinstance(call, CallLife):
                    call.fetch(PickedUp(number, taker, event))
                    return
        services.endpoint.calls.reject(event.usage, code, services.clock())
        services.kick()

    def _route(self, event: InviteOffered) -> tuple[Party, Destination]:
        """Return who calls, and where that goes."""
        plan = self._services.plan
        if isinstance(event.identity, Trunk):
            trunk = event.identity
            number, name = caller_of(event.request, trunk)
            caller = Party(number=number, name=name, trunk=trunk)
            return caller, plan.from_trunk(dialled_number(event.request, trunk), trunk)
        assert isinstance(event.identity, Extension)
        dialled = dialled_number(event.request, None)
        return Party.own(event.identity), plan.from_extension(dialled, event.identity)

    def _has_no_room(self, trunk: Trunk | None) -> bool:
        """Tell whether a call that came from a trunk is one more than it may have."""
        if trunk is None or not trunk.settings.max_calls:
            return False
        return self._services.endpoint.calls.count_with(trunk) > trunk.settings.max_calls

    async def _run(self, call: Running) -> None:
        try:
            await call.run()
        except Exception:
            logger.exception("call ended badly", extra={"call_id": call.call_id})
        finally:
            self._forget(call)

    def _forget(self, call: Running) -> None:
        del self._calls[call]
        self._settling.discard(call)
        for usage in call.usages:
            self._by_usage.pop(usage, None)
        self.lamps.changed(self._engagements.forget(call))
        if not self._calls:
            self._empty.set()

    # --- what calls ask of the house

    def begin(self, call: Talkable) -> None:
        """Run a call that another one has made."""
        assert self._group is not None
        self._calls[call] = self._group.create_task(self._run(call), name=call.call_id)

    def transfer(self, line: Line, transfer: Transfer) -> TransferredCall:
        """Begin the call of a party and the target to which it is transferred."""
        kind = TransferredCall if transfer.target.ringing is None else SemiAttendedCall
        call = kind(self._services, self, line, transfer)
        self.begin(call)
        return call

    def recall(self, line: Line, *, referrer: Party, request: Request) -> RecallCall:
        """Begin the call of a party whose transfer has failed, and the referrer, who is rung."""
        call = RecallCall(self._services, self, line, referrer=referrer, request=request)
        self.begin(call)
        return call

    def join(self, line: Line, *, second: Party, request: Request, linkedid: str) -> JoinedCall:
        """Begin the call of two parties of other calls; the second one is still to come."""
        call = JoinedCall(
            self._services, self, line, second=second, request=request, linkedid=linkedid
        )
        self.begin(call)
        return call

    def call_of(self, usage: int) -> CallLife | None:
        """Return the call between two parties to which a dialog belongs."""
        found = next((call for call in self._calls if usage in call.usages), None)
        return found if isinstance(found, CallLife) else None

    def engage(self, call: Talkable, numbers: Collection[str]) -> None:
        """Note which extensions are in a call, in place of those that were."""
        self.lamps.changed(self._engagements.engage(call, numbers))

    def settle(self, call: Talkable) -> None:
        """Count a call no longer that is over: only its file and its row are still to come."""
        self.engage(call, ())
        self._settling.add(call)

    def reachable(self, number: str) -> tuple[Binding, ...]:
        """Return where an extension can be rung now."""
        return self._services.registrar.bindings(number, self._services.clock())

    def is_registered(self, number: str) -> bool:
        """Tell whether an extension can be rung at all."""
        return bool(self.reachable(number))

    def is_busy(self, number: str) -> bool:
        """Tell whether an extension is in a call, or makes one; that it is rung is not enough."""
        return self._engagements.is_busy(number)

    def is_full(self, number: str) -> bool:
        """Tell whether an extension is in as many calls as it may be."""
        limit = self._services.config.sip.max_calls_per_extension
        return len(self._engagements.of(number)) >= limit

    def _press(self, press: RecordKeyPressed) -> bool:
        """Hand a dialled record key to the call that is meant."""
        call = self._engagements.meant_by(press.number)
        if call is None:
            return False
        call.deliver(press)
        return True

    # --- other requests

    def _requested(self, event: RequestOffered) -> None:
        services = self._services
        if event.request.method == "REGISTER":
            self._registrations.register(event)
        elif event.request.method == "SUBSCRIBE":
            self.lamps.subscribe(event)
        elif event.request.method == "OPTIONS":
            services.endpoint.respond(
                event.transaction,
                200,
                services.clock(),
                headers=(("Allow", ALLOW), ALLOW_EVENTS),
            )
        else:
            services.endpoint.respond(
                event.transaction, 405, services.clock(), headers=(("Allow", ALLOW),)
            )
        services.kick()

    async def _end_all(self) -> None:
        """Ask every call to end; what has not ended in time is cancelled and named."""
        if not self._calls:
            return
        self._empty.clear()
        for call in self._calls:
            call.deliver(Shutdown())
        try:
            async with asyncio.timeout(STOP_PATIENCE_S):
                await self._empty.wait()
        except TimeoutError:
            for call, task in self._calls.items():
                logger.error("call cut off by the stop", extra={"call_id": call.call_id})
                task.cancel()
