"""Where trunks are looked after while the server runs, each behind a bulkhead of its own."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from b2bua.trunks.asking import Office
from b2bua.trunks.monitor import Monitor
from b2bua.trunks.registration import registration_of
from b2bua.trunks.trunk import Trunks
from sip.address import Flow
from sip.events import RequestCompleted

logger = logging.getLogger("b2bua.trunks")

FAULT_PAUSE_S: Final = 30.0
"After an exception of ours, so that it does not come a thousand times a second."


class TrunkDesk:
    """Keeps registrations, and asks who is there."""

    def __init__(self, trunks: Trunks, office: Office) -> None:
        self._office = office
        found = (registration_of(trunk, office) for trunk in trunks)
        self._registrations = [each for each in found if each is not None]
        self._monitors = [Monitor(trunk, office) for trunk in trunks if trunk.settings.monitor_s]

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Look after the trunks while the context is open; at its end we leave them."""
        async with asyncio.TaskGroup() as group:
            runs = [each.run for each in self._registrations]
            runs += [each.keep_open for each in self._registrations if each.keeps_open]
            runs += [each.run for each in self._monitors]
            tasks = [group.create_task(_guarded(run), name="trunk") for run in runs]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._leave()

    def completed(self, event: RequestCompleted) -> None:
        """Take the answer to a request outside of calls."""
        self._office.completed(event)

    def flows(self) -> set[Flow]:
        """Return the connections over which providers reach us."""
        return {each.flow for each in self._registrations if each.flow is not None}

    def connection_lost(self, flow: Flow) -> None:
        """Take note that a connection has ended."""
        for each in self._registrations:
            each.connection_lost(flow)

    async def _leave(self) -> None:
        results = await asyncio.gather(
            *(each.leave() for each in self._registrations), return_exceptions=True
        )
        for result in results:
            if isinstance(result, Exception):
                logger.error("leaving a trunk failed", exc_info=result)


async def _guarded(run: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await run()
        except Exception:
            logger.exception("looking after a trunk failed")
        await asyncio.sleep(FAULT_PAUSE_S)
