"""Keeps the places of known names fresh, so that no call ever waits for a name server.

The names stand in the configuration. Each is watched by a task of its own, which looks it up
again when its records run out. Callers read what is known at present. While the name servers
don't answer, the last places stay (RFC 8767): a trunk that was there a minute ago is more likely
where it was than nowhere.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from sip.address import Transport
from sip.errors import LocalProtocolError
from sip.locating import Ask, Destination, Family, Located, LookupFailedError, Target, locate

logger = logging.getLogger("sip.io")

MIN_TTL_S: Final = 5.0
"Records that want to be asked for more often than this are not."

MAX_TTL_S: Final = 3600.0

RETRY_S: Final = 15.0
"After name servers that did not answer."

STALE_S: Final = 86_400.0
"How long places are used that can't be looked up again."

SEARCH_S: Final = 30.0
"For all questions about one target."

AVOID_S: Final = 60.0
"How long a place that failed is tried after the others."

MAX_WATCHED: Final = 256
AT_ONCE: Final = 8
"Targets that are looked up at the same time."


class Resolver:
    """The places of the watched targets."""

    def __init__(
        self,
        ask: Ask,
        *,
        transports: Sequence[Transport] = ("UDP", "TCP"),
        families: Sequence[Family] = (4,),
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`transports` and `families`: what we can speak, best first."""
        self._ask = ask
        self._transports = tuple(transports)
        self._families = tuple(families)
        self._clock = clock
        self._chance = chance
        self._known: dict[Target, Located | None] = {}
        self._avoided: dict[Destination, float] = {}
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._free = asyncio.Semaphore(AT_ONCE)
        self._pending: set[Target] = set()
        "Never looked up yet."
        self._settled = asyncio.Event()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Look up what is watched, as long as the context is open."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for target in self._known:
                self._begin(target)
            try:
                yield
            finally:
                self._group = None
                for task in self._tasks:
                    task.cancel()
                self._tasks.clear()

    def watch(self, target: Target) -> None:
        """Keep the places of a target known from now on."""
        if target in self._known:
            return
        if len(self._known) >= MAX_WATCHED:
            raise LocalProtocolError(f"more than {MAX_WATCHED} names to look up")
        self._known[target] = None
        self._begin(target)

    async def settle(self, patience_s: float) -> None:
        """Wait until each target has been looked up once, well or badly, but not for longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while self._pending:
                    self._settled.clear()
                    await self._settled.wait()

    # --- what callers ask: `sip.locating.Locator`

    def destinations(self, target: Target) -> tuple[Destination, ...]:
        """Return where to try, in this order; what failed a short while ago comes last."""
        located = self._known.get(target)
        if located is None:
            return ()
        now = self._clock()
        found = located.destinations(self._chance)
        return tuple(sorted(found, key=lambda each: self._avoided.get(each, 0.0) > now))

    def hosts(self, target: Target) -> frozenset[str]:
        """Return every address of a target."""
        located = self._known.get(target)
        if located is None:
            return frozenset()
        return frozenset(
            address.host for service in located.services for address in service.addresses
        )

    def note_failure(self, destination: Destination) -> None:
        """Try other places of the target first for a while."""
        now = self._clock()
        self._avoided = {each: until for each, until in self._avoided.items() if until > now}
        self._avoided[destination] = now + AVOID_S

    # --- keeping them fresh

    def _begin(self, target: Target) -> None:
        if self._group is not None:
            task = self._group.create_task(self._keep_fresh(target), name=f"dns {target.host}")
            self._tasks.append(task)
            self._pending.add(target)

    async def _keep_fresh(self, target: Target) -> None:
        good_until = 0.0
        while True:
            pause_s = RETRY_S
            try:
                located = await self._look_up(target)
            except Exception as error:  # noqa: BLE001 - a bulkhead: one name, not the others
                logger.warning("can't look up", extra={"host": target.host, "reason": str(error)})
                if self._clock() > good_until:
                    self._known[target] = None
            else:
                self._take(target, located)
                pause_s = min(max(located.ttl_s, MIN_TTL_S), MAX_TTL_S)
                good_until = self._clock() + pause_s + STALE_S
            self._pending.discard(target)
            self._settled.set()
            await asyncio.sleep(pause_s)

    async def _look_up(self, target: Target) -> Located:
        async with self._free:
            try:
                async with asyncio.timeout(SEARCH_S):
                    return await locate(
                        target, self._ask, transports=self._transports, families=self._families
                    )
            except TimeoutError as error:
                raise LookupFailedError("the name servers are too slow") from error

    def _take(self, target: Target, located: Located) -> None:
        before, self._known[target] = self._known[target], located
        if before is None or before.services != located.services:
            places = [
                f"{each.address} {each.transport}" for each in located.destinations(lambda: 0.0)
            ]
            log = logger.info if places else logger.warning
            log("looked up", extra={"host": target.host, "places": places})
