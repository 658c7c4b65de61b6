"""Waiting for one future, for so long and no longer.

`asyncio.timeout` can stop whatever is done within it, and costs several times what a future with
a timer does. A call waits a dozen times for something that a future stands for.
"""

import asyncio
from typing import TypeVar

T = TypeVar("T")


async def patiently(future: asyncio.Future[T], patience_s: float, otherwise: T) -> T:
    """Return the result of `future`; after `patience_s` seconds that is `otherwise`."""
    if future.done():
        return future.result()
    timer = asyncio.get_running_loop().call_later(patience_s, settle, future, otherwise)
    try:
        return await future
    finally:
        timer.cancel()


def settle(future: asyncio.Future[T], result: T) -> None:
    """Give a future its result, unless it has one or nobody waits any more."""
    if not future.done():
        future.set_result(result)
