"""An event loop whose clock jumps: nobody waits for a timer, a minute of ringing takes no time.

Sockets and pipes are looked at without waiting. Where nothing is ready the clock goes on to the
next timer; where there is none either, the loop waits for the real world.
"""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec

P = ParamSpec("P")

START = 1000.0
"Of the clock, in seconds."


TICK = 1e-9
"Everything takes time: without it a timer that is an ulp early would be asked for ever."


class _Selector(selectors.DefaultSelector):
    now = START

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else None)
        self.now += TICK
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class _Inline(ThreadPoolExecutor):
    """Does at once what a thread would do: a thread can't be waited for on this clock."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - as an executor has it
            future.set_exception(error)
        return future


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self.set_default_executor(_Inline(1))

    def time(self) -> float:
        return self._virtual.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's signature
        """Do nothing: there are no threads, and the loop's own patience would be over at once."""


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on the clock that jumps."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(debug=True, loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
