"""Legs on loan: which worker is asked, what is at hand, what cools off.

Each worker has offered some pairs of ports in advance, so that a leg is lent without asking: the
worker learns of it together with what is said to it next. New offers are asked for in lots, long
before the last pair is gone.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from b2bua.errors import MitschnittError
from b2bua.media.cooling import COOLING_S, CoolingPorts
from b2bua.media.from_worker import PortsOffered
from b2bua.media.leg import MediaLeg
from b2bua.media.members import Worker
from b2bua.media.placement import choose
from b2bua.media.to_worker import LendLeg, OfferPorts
from b2bua.patience import patiently, settle
from sip.address import HostPort

LEND_TIMEOUT_S = 2.0
LEND_TRIES = 16

LOT: Final = 64
"Pairs that are asked for in one go..."

ENOUGH: Final = 32
"...when there are fewer than these at hand: at 600 calls a second they last for 13 ms."

NO_ANSWER: Final = "the media worker gave no answer"

MakeLeg = Callable[[int, int, int, HostPort], MediaLeg]
"Makes a leg of its number, its worker, that worker's life and the bound address."


class NoPortError(MitschnittError):
    """No media leg can be lent now: 503 to whoever asked."""


@dataclass(eq=False, slots=True)
class _Stock:
    """What one worker has offered at one address."""

    ports: deque[int] = field(default_factory=deque)
    asked: bool = False
    "A lot is on its way."
    waiting: deque["asyncio.Future[str]"] = field(default_factory=deque)

    async def more(self) -> None:
        """Return when there may be more; raises `NoPortError`."""
        told = asyncio.get_running_loop().create_future()
        self.waiting.append(told)
        reason = await patiently(told, LEND_TIMEOUT_S, NO_ANSWER)
        if reason == NO_ANSWER:
            self.asked = False
        if reason:
            raise NoPortError(reason)

    def tell(self, reason: str) -> None:
        """Tell who waits that a lot has come, or why it is of no use to all of them."""
        for place, told in enumerate(self.waiting):
            settle(told, reason if place >= len(self.ports) else "")
        self.waiting.clear()


class Lending:
    """Lends the legs of all media workers."""

    def __init__(self, workers: Sequence[Worker], make: MakeLeg) -> None:
        self._workers = workers
        self._make = make
        self._ids = itertools.count(1)
        self._stocks: list[dict[str, _Stock]] = [{} for _ in workers]
        "By worker, then by address."
        self._cooling = CoolingPorts()
        self.refused = 0
        "Legs that could not be lent."

    async def lend(self, host: str, *, beside: MediaLeg | None = None) -> MediaLeg:
        """Return a leg bound at `host`, on the worker of `beside`; raises `NoPortError`."""
        index = beside.worker if beside is not None else self._least_busy()
        return await self._lend(index, host)

    async def lend_two(self, host: str) -> tuple[MediaLeg, MediaLeg]:
        """Return two legs on one worker; raises `NoPortError`."""
        index = self._least_busy()
        first = await self._lend(index, host)
        try:
            return first, await self._lend(index, host)
        except BaseException:
            first.release()
            raise

    def take_offer(self, offer: PortsOffered, worker: Worker) -> None:
        """Take what a worker offers, and tell who waits for it."""
        stock = self._stock(self._workers.index(worker), offer.host)
        stock.asked = False
        loop = asyncio.get_running_loop()
        for port in offer.ports:
            if self._cooling.holds(port, loop.time()):
                # An earlier life of the worker has freed it: this one knows nothing of that.
                loop.call_later(COOLING_S, stock.ports.append, port)
            else:
                stock.ports.append(port)
        stock.tell(offer.reason)

    def forget(self, worker: Worker) -> None:
        """Let go of what a worker has offered: it died."""
        stocks = self._stocks[self._workers.index(worker)]
        for host, stock in stocks.items():
            stocks[host] = _Stock()
            stock.tell("")

    def restock(self, worker: Worker) -> None:
        """Ask a worker that has begun anew for what is needed at hand."""
        for host, stock in self._stocks[self._workers.index(worker)].items():
            self._ask(worker, host, stock)

    def cool(self, port: int) -> None:
        """Keep a port that a call has used from being lent again at once."""
        self._cooling.add(port, asyncio.get_running_loop().time())

    async def _lend(self, index: int, host: str) -> MediaLeg:
        worker = self._workers[index]
        try:
            port = await self._port(index, host)
        except NoPortError:
            self.refused += 1
            raise
        leg = self._make(next(self._ids), index, worker.child.starts, HostPort(host, port))
        worker.legs[leg.leg_id] = leg
        worker.child.send(LendLeg(leg.leg_id, port))
        return leg

    async def _port(self, index: int, host: str) -> int:
        worker = self._workers[index]
        for _ in range(LEND_TRIES):
            stock = self._stock(index, host)
            if len(stock.ports) < ENOUGH and not stock.asked:
                self._ask(worker, host, stock)
            if stock.ports:
                return stock.ports.popleft()
            worker.asked += 1
            try:
                await stock.more()
            finally:
                worker.asked -= 1
        raise NoPortError("every free port is still cooling off")

    def _stock(self, index: int, host: str) -> _Stock:
        stocks = self._stocks[index]
        if host not in stocks:
            stocks[host] = _Stock()
        return stocks[host]

    @staticmethod
    def _ask(worker: Worker, host: str, stock: _Stock) -> None:
        stock.asked = True
        worker.child.send(OfferPorts(host, LOT), at_once=not stock.ports)

    def _least_busy(self) -> int:
        if len(self._workers) == 1:
            return 0
        index = choose([worker.candidate() for worker in self._workers])
        assert index is not None, "media workers never refuse"
        return index
