import asyncio

from b2bua.patience import patiently, settle
from tests.unit.b2bua.calls.virtual_time import virtual


@virtual
async def test_a_result_that_is_there_is_not_waited_for() -> None:
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    assert await patiently(future, -1.0, 2) == 1


@virtual
async def test_a_result_in_time_counts_and_one_that_is_late_does_not() -> None:
    loop = asyncio.get_running_loop()
    early, late = loop.create_future(), loop.create_future()
    loop.call_later(1.0, settle, early, "early")
    loop.call_later(3.0, settle, late, "late")
    began = loop.time()
    assert await patiently(early, 2.0, "") == "early"
    assert await patiently(late, 1.0, "silence") == "silence"
    assert 2.0 <= loop.time() - began < 2.1
    await asyncio.sleep(2.0)
    assert late.result() == "silence"


@virtual
async def test_whoever_waits_can_be_cancelled() -> None:
    future = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(patiently(future, 60.0, None))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    settle(future, None)
    assert future.cancelled()
