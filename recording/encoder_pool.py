"""Threads for LAME, which releases the interpreter lock: the recorder's tick goes on.

The jobs of one key (a recording) stay in order, because each key has its thread. The queue
needs no bound of its own: it is fed by the clock, one second of audio per recording and
second, and whoever feeds it looks at `lag_s` and stops taking new recordings.
"""

import queue
import threading
import time
from collections.abc import Callable
from typing import Final

Job = Callable[[], None]
"Never raises: a recording keeps its own errors."

CLOSE_TIMEOUT_S: Final = 1.0


class EncoderPool:
    """`threads` 0: jobs are done at once by whoever submits them."""

    def __init__(self, threads: int, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._inline_s = 0.0
        self._queues = [_Queue(clock, number) for number in range(threads)]

    def submit(self, key: int, job: Job) -> None:
        """Do `job` after all earlier ones of `key`."""
        if self._queues:
            self._queues[key % len(self._queues)].put(job)
        else:
            began = time.thread_time()
            job()
            self._inline_s += time.thread_time() - began

    @property
    def busy_s(self) -> float:
        """CPU seconds that the jobs took."""
        return self._inline_s + sum(each.busy_s for each in self._queues)

    @property
    def lag_s(self) -> float:
        """How long ago the oldest job was submitted that is not done."""
        now = self._clock()
        return max((each.lag_s(now) for each in self._queues), default=0.0)

    def close(self) -> None:
        """Let the threads leave after what is queued."""
        for each in self._queues:
            each.close()


class _Queue:
    def __init__(self, clock: Callable[[], float], number: int) -> None:
        self._clock = clock
        self._jobs: queue.SimpleQueue[tuple[float, Job] | None] = queue.SimpleQueue()
        self._oldest: float | None = None
        self.busy_s = 0.0
        self._thread = threading.Thread(target=self._work, name=f"encoder-{number}", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        self._jobs.put((self._clock(), job))

    def lag_s(self, now: float) -> float:
        oldest = self._oldest
        return now - oldest if oldest is not None else 0.0

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            self._oldest, job = item
            job()
            self.busy_s = time.thread_time()
            self._oldest = None
