"""Legs on loan: which worker is asked, what is still to be answered, what cools off."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from b2bua.errors import MitschnittError
from b2bua.media.cooling import CoolingPorts
from b2bua.media.leg import MediaLeg
from b2bua.media.members import Worker
from b2bua.media.messages import AllocateLeg, LegAllocated, LegRefused, ReleaseLeg
from b2bua.media.placement import choose
from b2bua.patience import patiently
from sip.address import HostPort

LEND_TIMEOUT_S = 2.0
LEND_TRIES = 16

MakeLeg = Callable[[int, int, int, HostPort], MediaLeg]
"Makes a leg of its number, its worker, that worker's life and the bound address."


class NoPortError(MitschnittError):
    """No media leg can be lent now: 503 to whoever asked."""


@dataclass(eq=False, slots=True)
class _Asked:
    """A leg that a worker was asked for."""

    leg_id: int
    worker: int
    life: int
    host: str
    answer: "asyncio.Future[LegAllocated | LegRefused]"


class Lending:
    """Lends the legs of all media workers."""

    def __init__(self, workers: Sequence[Worker], make: MakeLeg) -> None:
        self._workers = workers
        self._make = make
        self._ids = itertools.count(1)
        self._waiting: dict[int, _Asked] = {}
        self._cooling = CoolingPorts()

    async def lend(self, host: str, *, beside: MediaLeg | None = None) -> MediaLeg:
        """Return a leg bound at `host`, on the worker of `beside`; raises `NoPortError`."""
        index = beside.worker if beside is not None else self._least_busy()
        return await self._lent(self._ask(index, host))

    async def lend_two(self, host: str) -> tuple[MediaLeg, MediaLeg]:
        """Return two legs on one worker, asked for in one go; raises `NoPortError`."""
        index = self._least_busy()
        asked = self._ask(index, host), self._ask(index, host)
        try:
            first = await self._lent(asked[0])
        except BaseException:
            self._give_up(asked[1])
            raise
        try:
            return first, await self._lent(asked[1])
        except BaseException:
            first.release()
            raise

    def settle(self, answer: LegAllocated | LegRefused, worker: Worker) -> None:
        """Take a worker's answer."""
        asked = self._waiting.get(answer.leg_id)
        if asked is not None and not asked.answer.done():
            asked.answer.set_result(answer)
        elif isinstance(answer, LegAllocated):
            # Whoever asked has given up meanwhile: the port goes straight back.
            worker.child.send(ReleaseLeg(answer.leg_id))

    def cool(self, port: int) -> None:
        """Keep a port that a call has used from being lent again at once."""
        self._cooling.add(port, asyncio.get_running_loop().time())

    async def _lent(self, asked: _Asked) -> MediaLeg:
        for _ in range(LEND_TRIES):
            leg = await self._answered(asked)
            if not self._cooling.holds(leg.local.port, asyncio.get_running_loop().time()):
                return leg
            leg.release()
            asked = self._ask(asked.worker, asked.host)
        self._give_up(asked)
        raise NoPortError("every free port is still cooling off")

    def _ask(self, index: int, host: str) -> _Asked:
        worker = self._workers[index]
        answer: asyncio.Future[LegAllocated | LegRefused]
        answer = asyncio.get_running_loop().create_future()
        asked = _Asked(next(self._ids), index, worker.child.starts, host, answer)
        self._waiting[asked.leg_id] = asked
        worker.child.send(AllocateLeg(leg_id=asked.leg_id, host=host))
        worker.asked += 1
        return asked

    async def _answered(self, asked: _Asked) -> MediaLeg:
        silence = LegRefused(asked.leg_id, "the media worker gave no answer")
        try:
            answer = await patiently(asked.answer, LEND_TIMEOUT_S, silence)
        finally:
            self._forget(asked)
        if isinstance(answer, LegRefused):
            raise NoPortError(answer.reason)
        leg = self._make(asked.leg_id, asked.worker, asked.life, HostPort(asked.host, answer.port))
        self._workers[asked.worker].legs[asked.leg_id] = leg
        return leg

    def _forget(self, asked: _Asked) -> None:
        """Wait no more: a leg that is allocated after all goes back when the answer comes."""
        del self._waiting[asked.leg_id]
        self._workers[asked.worker].asked -= 1

    def _give_up(self, asked: _Asked) -> None:
        """Forget a leg that nobody waits for any more, and give it back if it is there."""
        self._forget(asked)
        if asked.answer.done() and isinstance(asked.answer.result(), LegAllocated):
            self._workers[asked.worker].child.send(ReleaseLeg(asked.leg_id))

    def _least_busy(self) -> int:
        if len(self._workers) == 1:
            return 0
        index = choose([worker.candidate() for worker in self._workers])
        assert index is not None, "media workers never refuse"
        return index
