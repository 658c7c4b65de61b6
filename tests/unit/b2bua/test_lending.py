"""Legs on loan: lent at once of what is at hand, and who waits keeps nothing that is not whole."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import pytest

from b2bua.media import lending as media_lending
from b2bua.media.cooling import COOLING_S
from b2bua.media.from_worker import PortsOffered
from b2bua.media.leg import LegKeeper, MediaLeg
from b2bua.media.lending import ENOUGH, LOT, Lending, NoPortError
from b2bua.media.members import Worker
from b2bua.media.to_worker import LendLeg, OfferPorts, ReleaseLeg

HOST = "127.0.0.1"


@dataclass
class FakeChild:
    """Answers in the next turn of the loop, with one lot of ports after the other."""

    lots: list[list[int]]
    "Nothing is said when they are used up; an empty one is a refusal."
    starts: int = 1
    told: list[msgspec.Struct] = field(default_factory=list)
    lending: Lending | None = None
    worker: Worker | None = None

    def send(self, message: msgspec.Struct, *, at_once: bool = True) -> None:  # noqa: ARG002
        self.told.append(message)
        if isinstance(message, OfferPorts) and self.lots:
            lot = self.lots.pop(0)
            offer = PortsOffered(HOST, tuple(lot), "" if lot else "full")
            asyncio.get_running_loop().call_soon(self._answer, offer)

    def _answer(self, offer: PortsOffered) -> None:
        assert self.lending is not None
        assert self.worker is not None
        self.lending.take_offer(offer, self.worker)

    def count(self, kind: type[msgspec.Struct]) -> int:
        return sum(isinstance(each, kind) for each in self.told)

    def released(self) -> list[int]:
        return [each.leg_id for each in self.told if isinstance(each, ReleaseLeg)]


class Keeper:
    """Tells the child when a leg is given back."""

    def __init__(self, child: FakeChild) -> None:
        self._child = child

    def release(self, leg: MediaLeg) -> None:
        self._child.send(ReleaseLeg(leg.leg_id))


def lending_over(*lots: Iterable[int]) -> tuple[Lending, Worker, FakeChild]:
    child = FakeChild([list(lot) for lot in lots])
    worker = Worker(cast("Any", child))
    keeper = cast("LegKeeper", Keeper(child))
    lending = Lending(
        [worker],
        lambda leg_id, index, life, local: MediaLeg(keeper, leg_id, index, life, local),
    )
    child.lending, child.worker = lending, worker
    return lending, worker, child


async def test_two_legs_of_the_first_lot() -> None:
    lending, worker, child = lending_over([20_000, 20_002])
    first, second = await lending.lend_two(HOST)
    assert (first.local.port, second.local.port) == (20_000, 20_002)
    assert child.told == [
        OfferPorts(HOST, LOT),
        OfferPorts(HOST, LOT),
        LendLeg(first.leg_id, 20_000),
        LendLeg(second.leg_id, 20_002),
    ]
    assert list(worker.legs) == [first.leg_id, second.leg_id]
    assert worker.asked == 0


async def test_what_is_at_hand_is_lent_without_asking_and_more_is_asked_for_in_time() -> None:
    count = ENOUGH + 2
    lending, _, child = lending_over(range(20_000, 20_000 + 2 * count, 2))
    ports = [(await lending.lend(HOST)).local.port for _ in range(count)]
    assert ports == list(range(20_000, 20_000 + 2 * count, 2))
    # For the first one, and when there were fewer than enough; not again before the answer.
    assert child.count(OfferPorts) == 2


async def test_the_first_leg_goes_back_where_the_second_is_refused() -> None:
    lending, worker, child = lending_over([20_000], [])
    with pytest.raises(NoPortError, match="full"):
        await lending.lend_two(HOST)
    assert child.released() == [1]
    assert worker.asked == 0
    assert lending.refused == 1


async def test_those_who_wait_together_are_served_as_far_as_it_goes() -> None:
    lending, _, _ = lending_over([20_000], [])
    first = asyncio.create_task(lending.lend(HOST))
    second = asyncio.create_task(lending.lend(HOST))
    assert (await first).local.port == 20_000
    with pytest.raises(NoPortError, match="full"):
        await second


async def test_a_port_that_cools_off_is_not_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_lending, "COOLING_S", 0.0)
    lending, _, child = lending_over([20_000, 20_002, 20_004])
    lending.cool(20_000)
    first, second = await lending.lend_two(HOST)
    assert (first.local.port, second.local.port) == (20_002, 20_004)
    assert COOLING_S > 0.0
    await asyncio.sleep(0.001)
    assert (await lending.lend(HOST)).local.port == 20_000
    assert child.released() == []


async def test_where_every_free_port_cools_off_nothing_is_lent() -> None:
    lending, _, _ = lending_over(*[[20_000]] * 100)
    lending.cool(20_000)
    with pytest.raises(NoPortError, match="cooling off"):
        await lending.lend(HOST)


async def test_who_has_given_up_takes_no_port_with_him() -> None:
    lending, worker, child = lending_over()
    asking = asyncio.create_task(lending.lend(HOST))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert worker.asked == 0
    lending.take_offer(PortsOffered(HOST, (20_000,)), worker)
    assert (await lending.lend(HOST)).local.port == 20_000
    assert child.count(LendLeg) == 1


async def test_a_worker_that_gives_no_answer_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media_lending, "LEND_TIMEOUT_S", 0.001)
    lending, _, child = lending_over()
    for _ in range(2):
        with pytest.raises(NoPortError, match="no answer"):
            await lending.lend(HOST)
    assert child.count(OfferPorts) == 2


async def test_what_a_worker_offered_is_void_when_it_has_died() -> None:
    lending, worker, child = lending_over([20_000, 20_002], [20_010])
    assert (await lending.lend(HOST)).local.port == 20_000
    lending.forget(worker)
    child.starts = 2
    lending.restock(worker)
    assert child.count(OfferPorts) == 3
    leg = await lending.lend(HOST)
    assert (leg.local.port, leg.life) == (20_010, 2)


async def test_who_waits_when_a_worker_dies_is_served_by_its_next_life() -> None:
    lending, worker, child = lending_over()
    asking = asyncio.create_task(lending.lend(HOST))
    await asyncio.sleep(0)
    lending.forget(worker)
    child.starts = 2
    child.lots = [[20_000]]
    lending.restock(worker)
    leg = await asking
    assert (leg.local.port, leg.life) == (20_000, 2)
