"""A few threads that do the disk work of all recordings of a process.

One thread per recording would be 200 threads that mostly sleep; and a disk is not quicker
for being asked by 200. A disk that hangs holds all threads here, and nobody else: whoever
hands over work only takes a lock that is never held during disk work. The threads are
daemons, so a hanging disk can't keep the process from leaving.
"""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol


class State(Enum):
    """Of a job in the pool."""

    IDLE = auto()
    QUEUED = auto()
    RUNNING = auto()
    AGAIN = auto()
    "Running, and kicked since it began."


class Job(Protocol):
    """Work on one file, done by at most one thread at a time."""

    state: State
    "The pool's own; starts as IDLE."

    def step(self, now: float) -> float | None:
        """Do what there is to do; return when to be asked again, if ever. Never raises."""


class Kicker(Protocol):
    """What a job sees of the pool."""

    def kick(self, job: Job) -> None:
        """Let the job have its step soon; returns at once."""


class WriterPool:
    """Runs jobs when they are kicked and when their time has come."""

    def __init__(self, threads: int = 2, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._ready: deque[Job] = deque()
        self._timers: list[tuple[float, int, Job]] = []
        self._timer_number = 0
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, name=f"writer-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def kick(self, job: Job) -> None:
        """Let the job have its step soon; returns at once."""
        with self._changed:
            if job.state is State.RUNNING:
                job.state = State.AGAIN
            elif job.state is State.IDLE:
                self._enqueue(job)
                self._changed.notify()

    def close(self, timeout_s: float) -> bool:
        """Let the threads leave after what is queued; return False where one is stuck."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        deadline = self._clock() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (job := self._take()) is not None:
            again_at = job.step(self._clock())
            with self._changed:
                if job.state is State.AGAIN:
                    self._enqueue(job)
                else:
                    job.state = State.IDLE
                    if again_at is not None:
                        self._timer_number += 1
                        heapq.heappush(self._timers, (again_at, self._timer_number, job))
                        # Whoever waits may wait for a later timer.
                        self._changed.notify()

    def _take(self) -> Job | None:
        """Return the next job that is due; None when the pool closes and nothing is queued."""
        with self._changed:
            while True:
                now = self._clock()
                while self._timers and self._timers[0][0] <= now:
                    job = heapq.heappop(self._timers)[2]
                    if job.state is State.IDLE:
                        self._enqueue(job)
                if self._ready:
                    job = self._ready.popleft()
                    job.state = State.RUNNING
                    return job
                if self._closing:
                    return None
                self._changed.wait(self._timers[0][0] - now if self._timers else None)

    def _enqueue(self, job: Job) -> None:
        job.state = State.QUEUED
        self._ready.append(job)
