"""Legs on loan: who asks twice in one go keeps nothing that it does not get whole."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import pytest

from b2bua.media.leg import LegKeeper, MediaLeg
from b2bua.media.lending import Lending, NoPortError
from b2bua.media.members import Worker
from b2bua.media.messages import AllocateLeg, LegAllocated, LegRefused, ReleaseLeg

HOST = "127.0.0.1"


@dataclass
class FakeChild:
    """Answers in the next turn of the loop, with ports or with refusals."""

    answers: list[int | None]
    "A port or a refusal for each leg that is asked for; nothing is said when they are used up."
    starts: int = 1
    told: list[msgspec.Struct] = field(default_factory=list)
    lending: Lending | None = None
    worker: Worker | None = None

    def send(self, message: msgspec.Struct) -> None:
        self.told.append(message)
        if isinstance(message, AllocateLeg) and self.answers:
            port = self.answers.pop(0)
            answer = (
                LegRefused(message.leg_id, "full")
                if port is None
                else LegAllocated(message.leg_id, port)
            )
            asyncio.get_running_loop().call_soon(self._answer, answer)

    def _answer(self, answer: LegAllocated | LegRefused) -> None:
        assert self.lending is not None
        assert self.worker is not None
        self.lending.settle(answer, self.worker)

    def released(self) -> list[int]:
        return [each.leg_id for each in self.told if isinstance(each, ReleaseLeg)]


class Keeper:
    """Tells the child when a leg is given back."""

    def __init__(self, child: FakeChild) -> None:
        self._child = child

    def release(self, leg: MediaLeg) -> None:
        self._child.send(ReleaseLeg(leg.leg_id))


def lending_over(child: FakeChild) -> tuple[Lending, Worker]:
    worker = Worker(cast("Any", child))
    keeper = cast("LegKeeper", Keeper(child))
    lending = Lending(
        [worker],
        lambda leg_id, index, life, local: MediaLeg(keeper, leg_id, index, life, local),
    )
    child.lending, child.worker = lending, worker
    return lending, worker


async def test_two_legs_are_asked_for_before_any_answer() -> None:
    child = FakeChild([20_000, 20_002])
    lending, worker = lending_over(child)
    first, second = await lending.lend_two(HOST)
    assert [type(each) for each in child.told] == [AllocateLeg, AllocateLeg]
    assert (first.local.port, second.local.port) == (20_000, 20_002)
    assert list(worker.legs) == [first.leg_id, second.leg_id]
    assert worker.asked == 0


@pytest.mark.parametrize("answers", [[None, 20_000], [20_000, None]])
async def test_the_other_leg_goes_back_where_one_is_refused(answers: list[int | None]) -> None:
    allocated = 1 if answers[0] else 2
    child = FakeChild(answers)
    lending, worker = lending_over(child)
    with pytest.raises(NoPortError, match="full"):
        await lending.lend_two(HOST)
    await asyncio.sleep(0)
    assert child.released() == [allocated]
    assert worker.asked == 0


async def test_a_port_that_cools_off_is_not_lent() -> None:
    child = FakeChild([20_000, 20_002, 20_004])
    lending, _ = lending_over(child)
    lending.cool(20_000)
    first, second = await lending.lend_two(HOST)
    assert (first.local.port, second.local.port) == (20_004, 20_002)
    assert child.released() == [1]


async def test_an_answer_that_nobody_waits_for_gives_the_leg_back() -> None:
    child = FakeChild([])
    lending, worker = lending_over(child)
    asking = asyncio.create_task(lending.lend(HOST))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    lending.settle(LegAllocated(1, 20_000), worker)
    assert child.released() == [1]
    assert worker.asked == 0
