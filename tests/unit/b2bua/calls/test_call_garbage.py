"""A call that is over leaves nothing behind that waits for the garbage collector.

It is off while there are calls: at hundreds of them a second its walks through the heap are what
the slowest set-ups waited for (`b2bua/collector.py`).
"""

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from b2bua.directory import Forwards
from sip.events import InviteAnswered, InviteOffered, ReinviteReceived, RequestCompleted
from sip.message import Request
from sip.transaction_layer import ClientTransaction, ServerTransaction
from tests.unit.b2bua.calls.call_rig import House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.scenes import internal
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, CARL = extension("102", "automatic"), extension("104")
BOB = extension("103", "automatic", forwards=Forwards(busy="104"))

LONG_AFTER_S = 200.0
"All transactions have ended by then."


Scene = Callable[[House, Phone, Phone, Phone], Coroutine[None, None, None]]


def of_ours() -> Counter[str]:
    """Count the living objects of the classes of calls and SIP."""
    return Counter(
        type(each).__qualname__
        for each in gc.get_objects()
        if str(type(each).__module__).startswith(("b2bua.", "recording.", "sip."))
    )


async def talk(house: House, alice: Phone, bob: Phone, _carl: Phone) -> None:
    """Have a call with a recording and a hold."""
    await house.connect(alice, "103", bob)
    alice.reinvite(sdp(alice.host, direction="sendonly", version=2))
    reinvited = await bob.take(ReinviteReceived)
    bob.accept(reinvited, body=sdp(bob.host, direction="recvonly", version=2))
    await alice.take(RequestCompleted)
    alice.bye()


async def give_up(_house: House, alice: Phone, _bob: Phone, _carl: Phone) -> None:
    """Dial, and think better of it."""
    alice.dial("103")
    alice.cancel()


async def go_on(_house: House, alice: Phone, bob: Phone, carl: Phone) -> None:
    """Have a call that is sent on by one who is busy."""
    alice.dial("103")
    bob.reject(await bob.take(InviteOffered), 486)
    carl.answer(await carl.take(InviteOffered))
    await alice.take(InviteAnswered)
    alice.bye()


def messages_kept() -> int:
    """Count the INVITEs that are kept as they came, and what transactions may send again."""
    gc.collect()
    living = gc.get_objects()
    requests = sum(isinstance(each, Request) and each.method == "INVITE" for each in living)
    running = (each for each in living if isinstance(each, ClientTransaction | ServerTransaction))
    return requests + sum(bool(each.kept) for each in running)


@virtual
async def test_a_call_that_stands_keeps_no_message(tmp_path: Path) -> None:
    before = messages_kept()
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = await internal(house)
        assert messages_kept() > before
        await asyncio.sleep(LONG_AFTER_S)
        for phone in (alice, bob):
            phone.untold  # noqa: B018 - takes it
        assert messages_kept() == before
        alice.bye()
        await house.over()


@pytest.mark.parametrize("scene", [talk, give_up, go_on])
def test_a_call_goes_without_the_garbage_collector(tmp_path: Path, scene: Scene) -> None:
    @virtual
    async def run() -> None:
        async with open_house(tmp_path, ALICE, BOB, CARL) as house:
            alice, bob, carl = (house.phone(each.number) for each in (ALICE, BOB, CARL))

            async def one_call() -> None:
                await scene(house, alice, bob, carl)
                await house.over()
                await asyncio.sleep(LONG_AFTER_S)
                for phone in (alice, bob, carl):
                    phone.untold  # noqa: B018 - takes it
                house.journal.records.clear()
                house.plane.sent.clear()

            # What is remembered of telephones, by the first call, stays.
            await one_call()
            gc.collect()
            before = of_ours()
            gc.disable()
            try:
                await one_call()
                after = of_ours()
            finally:
                gc.enable()
            assert after - before == Counter()

    run()
