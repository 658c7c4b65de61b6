"""A call that is over leaves nothing behind that waits for the garbage collector.

At hundreds of calls a second its walks through dead calls are what the slowest set-ups wait for.
"""

import gc
from collections import Counter
from pathlib import Path

import pytest

from sip.events import ReinviteReceived, RequestCompleted
from tests.unit.b2bua.calls.call_rig import House, Phone, extension, open_house, sdp
from tests.unit.b2bua.calls.virtual_time import virtual

ALICE, BOB = extension("102", "automatic"), extension("103", "automatic")


def of_calls() -> Counter[str]:
    """Count the living objects of the calls' own classes."""
    return Counter(
        type(each).__qualname__
        for each in gc.get_objects()
        if str(type(each).__module__).startswith("b2bua.calls.")
    )


async def one_call(house: House, alice: Phone, bob: Phone, *, answered: bool) -> None:
    """Have a call from its begin to its closed row."""
    house.journal.records.clear()
    if answered:
        await house.connect(alice, "103", bob)
        alice.reinvite(sdp(alice.host, direction="sendonly", version=2))
        reinvited = await bob.take(ReinviteReceived)
        bob.accept(reinvited, body=sdp(bob.host, direction="recvonly", version=2))
        await alice.take(RequestCompleted)
        alice.bye()
    else:
        alice.dial("103")
        alice.cancel()
    await house.over()
    assert alice.untold
    assert bob.untold


@pytest.mark.parametrize("answered", [True, False])
@virtual
async def test_a_call_goes_without_the_garbage_collector(tmp_path: Path, *, answered: bool) -> None:
    async with open_house(tmp_path, ALICE, BOB) as house:
        alice, bob = house.phone("102"), house.phone("103")
        # What is remembered of telephones, by the first call, stays.
        await one_call(house, alice, bob, answered=answered)
        gc.collect()
        before = of_calls()
        gc.disable()
        try:
            await one_call(house, alice, bob, answered=answered)
            after = of_calls()
        finally:
            gc.enable()
        assert len(house.recordings) == 2 * answered
        assert after - before == Counter()
