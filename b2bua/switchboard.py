"""Where SIP events meet calls: offers become calls, events find theirs, a stop ends all.

Each call runs as a task of its own behind a bulkhead: what breaks one is logged and ends one.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from b2bua.authentication import ALLOW
from b2bua.call import Call, CallServices, Shutdown
from b2bua.directory import Extension
from b2bua.registration import Registrations
from sip.events import Event, InviteOffered, RequestOffered

logger = logging.getLogger("b2bua.switchboard")

STOP_PATIENCE_S = 10.0
"For calls to end and their recordings to get a name, after a stop was asked for."

RETRY_AFTER = (("Retry-After", "10"),)


class Switchboard:
    """All calls of the server."""

    def __init__(self, services: CallServices, registrations: Registrations) -> None:
        self._services = services
        self._registrations = registrations
        self._by_usage: dict[int, Call] = {}
        self._calls: dict[Call, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._empty = asyncio.Event()
        self.accepting = False

    def __len__(self) -> int:
        return len(self._calls)

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

    def attach(self, usage: int, call: Call) -> None:
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

    def _offered(self, event: InviteOffered) -> None:
        services = self._services
        room = len(self._calls) < services.config.media.max_calls
        if not self.accepting or not room or self._group is None:
            services.endpoint.reject(event.usage, 503, services.clock(), headers=RETRY_AFTER)
            services.kick()
            return
        assert isinstance(event.identity, Extension)
        call = Call(services, event, event.identity)
        self.attach(event.usage, call)
        self._calls[call] = self._group.create_task(self._run(call), name=call.call_id)

    async def _run(self, call: Call) -> None:
        try:
            await call.run()
        except Exception:
            logger.exception("call ended badly", extra={"call_id": call.call_id})
        finally:
            del self._calls[call]
            for usage in call.usages:
                self._by_usage.pop(usage, None)
            if not self._calls:
                self._empty.set()

    def _requested(self, event: RequestOffered) -> None:
        services = self._services
        if event.request.method == "REGISTER":
            self._registrations.register(event)
        elif event.request.method == "OPTIONS":
            services.endpoint.respond(
                event.transaction, 200, services.clock(), headers=(("Allow", ALLOW),)
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
