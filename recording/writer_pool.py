"""A few threads that do the disk work of all recordings of a process.

One thread per recording would be 200 threads that mostly sleep; and a disk is not quicker
for being asked by 200. A disk that hangs holds all threads here, and nobody else: whoever
hands over work only takes a lock that is never held during disk work. The threads are
daemons, so a hanging disk can't keep the process from leaving.

What is not urgent waits up to `GATHER_S` for company: a thread then wakes up once for many
files, and one sync makes all of them durable (`recording/sync.py`).
"""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, Protocol

from recording.folder import Part
from recording.sync import JointSync

GATHER_S: Final = 0.2

BATCH: Final = 64
"Jobs that a thread takes at once, at most: the others have threads too."


class State(Enum):
    """Of a job in the pool."""

    IDLE = auto()
    QUEUED = auto()
    RUNNING = auto()
    AGAIN = auto()
    "Running, and kicked since it began."
    AT_ONCE = auto()
    "The same, and it was urgent."


class Job(Protocol):
    """Work on one file, done by at most one thread at a time."""

    state: State
    "The pool's own; starts as IDLE."

    def step(self, now: float) -> float | None:
        """Do what there is to do; return when to be asked again, if ever. Never raises."""

    @property
    def unsynced(self) -> Part | None:
        """Return the file, where it is time for a sync. Asked after each step and sync."""

    def sync(self, now: float, *, done: bool) -> None:
        """Make the file (or its name) durable, or note that it is (`done`). Never raises."""


class Kicker(Protocol):
    """What a job sees of the pool."""

    def kick(self, job: Job, *, urgent: bool = False) -> None:
        """Let the job have its step soon; returns at once."""


def work(jobs: Sequence[Job], now: float, joint: JointSync) -> list[float | None]:
    """Let each job have its step, then sync their files; return when each wants to come again.

    A file that is complete is synced twice: its content, then its name.
    """
    again_at = [job.step(now) for job in jobs]
    while waiting := [(job, part) for job in jobs if (part := job.unsynced) is not None]:
        done = joint.together([part for _, part in waiting])
        for job, _ in waiting:
            job.sync(now, done=done)
    return again_at


class WriterPool:
    """Runs jobs when they are kicked and when their time has come."""

    def __init__(self, threads: int = 2, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._joint = JointSync()
        self._changed = threading.Condition()
        self._ready: deque[Job] = deque()
        self._gathering: list[Job] = []
        "Kicked, and not urgent."
        self._gathered_at = 0.0
        "When they have waited long enough."
        self._timers: list[tuple[float, int, Job]] = []
        self._timer_number = 0
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, name=f"writer-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def kick(self, job: Job, *, urgent: bool = False) -> None:
        """Let the job have its step soon; returns at once."""
        with self._changed:
            if job.state is State.IDLE:
                self._gather(job)
            elif job.state is not State.QUEUED and job.state is not State.AT_ONCE:
                job.state = State.AT_ONCE if urgent else State.AGAIN
            if urgent and self._gathering:
                self._gathered_at = 0.0
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
        while jobs := self._take():
            again_at = work(jobs, self._clock(), self._joint)
            with self._changed:
                for job, at in zip(jobs, again_at, strict=True):
                    self._lay_down(job, at)
                # Whoever waits may wait for a later timer.
                self._changed.notify()

    def _lay_down(self, job: Job, again_at: float | None) -> None:
        if job.state is State.AT_ONCE:
            self._enqueue(job)
        elif job.state is State.AGAIN:
            self._gather(job)
        else:
            job.state = State.IDLE
            if again_at is not None:
                self._timer_number += 1
                heapq.heappush(self._timers, (again_at, self._timer_number, job))

    def _gather(self, job: Job) -> None:
        job.state = State.QUEUED
        if not self._gathering:
            self._gathered_at = self._clock() + GATHER_S
            self._changed.notify()
        self._gathering.append(job)

    def _take(self) -> list[Job]:
        """Return jobs that are due; none when the pool closes and nothing is queued."""
        with self._changed:
            while True:
                now = self._clock()
                self._look_for_due(now)
                if self._ready:
                    jobs = [self._ready.popleft() for _ in range(min(BATCH, len(self._ready)))]
                    for job in jobs:
                        job.state = State.RUNNING
                    if self._ready:
                        self._changed.notify()
                    return jobs
                if self._closing:
                    return []
                self._changed.wait(self._pause(now))

    def _look_for_due(self, now: float) -> None:
        if self._gathering and (self._closing or self._gathered_at <= now):
            self._ready.extend(self._gathering)
            self._gathering.clear()
        while self._timers and self._timers[0][0] <= now:
            job = heapq.heappop(self._timers)[2]
            if job.state is State.IDLE:
                self._enqueue(job)

    def _pause(self, now: float) -> float | None:
        """Return how long there is nothing to do, in seconds; None: until someone kicks."""
        times = [self._gathered_at] if self._gathering else []
        if self._timers:
            times.append(self._timers[0][0])
        return min(times) - now if times else None

    def _enqueue(self, job: Job) -> None:
        job.state = State.QUEUED
        self._ready.append(job)
