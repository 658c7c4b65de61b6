"""Threads for LAME, which releases the interpreter lock: the recorder's tick goes on.

The jobs of one key (a recording) stay in order, because each key has its thread. A tick's jobs
are handed over together, by `flush`: to wake a thread costs as much as some of them do. The queue
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
        """Do `job` after all earlier ones of `key`; it begins with the next `flush`."""
        if self._queues:
            self._queues[key % len(self._queues)].gathered.append(job)
        else:
            began = time.thread_time()
            job()
            self._inline_s += time.thread_time() - began

    def flush(self) -> None:
        """Hand over what was submitted."""
        for each in self._queues:
            each.flush()

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
        self._batches: queue.SimpleQueue[tuple[float, list[Job]] | None] = queue.SimpleQueue()
        self.gathered: list[Job] = []
        self._oldest: float | None = None
        self.busy_s = 0.0
        self._thread = threading.Thread(target=self._work, name=f"encoder-{number}", daemon=True)
        self._thread.start()

    def flush(self) -> None:
        if self.gathered:
            self._batches.put((self._clock(), self.gathered))
            self.gathered = []

    def lag_s(self, now: float) -> float:
        oldest = self._oldest
        return now - oldest if oldest is not None else 0.0

    def close(self) -> None:
        self.flush()
        self._batches.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)

    def _work(self) -> None:
        while (item := self._batches.get()) is not None:
            self._oldest, jobs = item
            for job in jobs:
                job()
            self.busy_s = time.thread_time()
            self._oldest = None
