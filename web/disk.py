"""The disk, at arm's length: a share that hangs must not hang the pages.

Calls run in threads of their own and are waited for only so long. A thread that hangs in the
kernel can't be helped; when all of them hang, what waits behind them gives up as well.

Overflow rule: when `MAX_WAITING` calls wait or hang, further ones are refused at once.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from web.errors import UnavailableError

Result = TypeVar("Result")

THREADS = 8
MAX_WAITING = 200


class Disk:
    """Runs what waits for the disk."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="disk")
        self._running = 0

    async def run(
        self, work: Callable[[], Result], *, abandoned: Callable[[Result], None] | None = None
    ) -> Result:
        """Return what `work` returns; raises `UnavailableError` where that takes too long.

        `abandoned` gets a result that nobody waits for any more, to close what was opened.
        """
        if self._running >= MAX_WAITING:
            raise UnavailableError("the recordings' folder does not answer")
        job = self._threads.submit(work)
        self._running += 1
        answer = asyncio.wrap_future(job)
        answer.add_done_callback(self._ended)
        try:
            await asyncio.wait([answer], timeout=self._timeout_s)
        except asyncio.CancelledError:
            self._abandon(answer, abandoned)
            raise
        if not answer.done():
            # In the queue still: it need not run. In the kernel: nothing can stop it.
            if not job.running():
                answer.cancel()
            self._abandon(answer, abandoned)
            raise UnavailableError("the recordings' folder does not answer")
        return answer.result()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, _answer: object) -> None:
        self._running -= 1

    @staticmethod
    def _abandon(
        answer: asyncio.Future[Result], abandoned: Callable[[Result], None] | None
    ) -> None:
        def late(done: asyncio.Future[Result]) -> None:
            if not done.cancelled() and done.exception() is None and abandoned is not None:
                abandoned(done.result())

        answer.add_done_callback(late)
