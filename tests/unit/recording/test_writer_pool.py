"""The pool: each job alone, kicked or in time, and an orderly end."""

import threading

from recording.folder import Part
from recording.writer_pool import State, WriterPool


class Recorder:
    """A job that notes its steps."""

    def __init__(self, *answers: float | None) -> None:
        self.state = State.IDLE
        self.steps: list[float] = []
        self.stepped = threading.Semaphore(0)
        self.entered = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.at_once = 0
        self.most_at_once = 0
        self._answers = list(answers)
        self.unsynced: Part | None = None
        self.synced: list[bool] = []

    def step(self, now: float) -> float | None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.entered.set()
        assert self.go.wait(30)
        self.steps.append(now)
        self.at_once -= 1
        self.stepped.release()
        delay = self._answers.pop(0) if self._answers else None
        return None if delay is None else now + delay

    def sync(self, now: float, *, done: bool) -> None:  # noqa: ARG002 - as in the protocol
        self.synced.append(done)


def test_a_kick_during_a_step_brings_exactly_one_more() -> None:
    pool, job = WriterPool(3), Recorder()
    job.go.clear()
    pool.kick(job)
    assert job.entered.wait(30)
    for _ in range(10):
        pool.kick(job)
    job.go.set()
    assert pool.close(30)
    assert len(job.steps) == 2
    assert job.most_at_once == 1
    assert job.state is State.IDLE


def test_kicks_before_the_first_step_are_one() -> None:
    blocker, job = Recorder(), Recorder()
    blocker.go.clear()
    pool = WriterPool(1)
    pool.kick(blocker)
    assert blocker.entered.wait(30)
    for _ in range(5):
        pool.kick(job)
    blocker.go.set()
    assert pool.close(30)
    assert len(job.steps) == 1


def test_a_job_comes_back_when_it_asked_to() -> None:
    pool, job = WriterPool(2), Recorder(0.02, 0.01, None)
    pool.kick(job)
    for _ in range(3):
        assert job.stepped.acquire(timeout=30)
    assert job.steps[1] >= job.steps[0] + 0.02
    assert pool.close(30)
    assert len(job.steps) == 3


def test_two_jobs_work_side_by_side() -> None:
    pool, one, two = WriterPool(2), Recorder(), Recorder()
    one.go.clear()
    pool.kick(one, urgent=True)
    assert one.entered.wait(30)
    pool.kick(two, urgent=True)
    assert two.stepped.acquire(timeout=30), "the other one hangs, this one does not"
    one.go.set()
    assert pool.close(30)


def test_a_job_that_is_kicked_before_its_time_is_not_doubled() -> None:
    """Its timer comes due while it waits in the queue."""
    pool, blocker, job = WriterPool(1), Recorder(), Recorder(0.001)
    pool.kick(job)
    assert job.stepped.acquire(timeout=30)
    blocker.go.clear()
    pool.kick(blocker)
    pool.kick(job)
    blocker.go.set()
    assert pool.close(30)
    assert 2 <= len(job.steps) <= 3


def test_closing_does_what_is_queued_and_forgets_what_is_later() -> None:
    pool, job, later = WriterPool(1), Recorder(), Recorder(3600.0)
    pool.kick(later)
    pool.kick(job)
    assert pool.close(30)
    assert (len(job.steps), len(later.steps)) == (1, 1)


def test_what_is_not_urgent_waits_for_company() -> None:
    pool, jobs, last = WriterPool(1), [Recorder() for _ in range(5)], Recorder()
    for job in jobs:
        pool.kick(job)
    pool.kick(last, urgent=True)
    assert last.stepped.acquire(timeout=30)
    assert {tuple(job.steps) for job in jobs} == {tuple(last.steps)}, "one batch, one instant"
    assert pool.close(30)


def test_an_urgent_kick_brings_what_waits_already() -> None:
    clock = [100.0]
    pool, job = WriterPool(1, clock=lambda: clock[0]), Recorder()
    pool.kick(job)
    assert not job.steps, "its time does not come: the clock stands still"
    pool.kick(job, urgent=True)
    assert job.stepped.acquire(timeout=30)
    assert pool.close(30)
    assert len(job.steps) == 1


def test_an_urgent_kick_during_a_step_is_not_put_off() -> None:
    clock = [100.0]
    pool, job = WriterPool(1, clock=lambda: clock[0]), Recorder()
    job.go.clear()
    pool.kick(job, urgent=True)
    assert job.entered.wait(30)
    pool.kick(job)
    pool.kick(job, urgent=True)
    pool.kick(job)
    job.go.set()
    for _ in range(2):
        assert job.stepped.acquire(timeout=30)
    assert pool.close(30)
    assert len(job.steps) == 2
