"""A pool without threads and with a clock that the test moves, and a disk that breaks."""

import errno
import os
from collections import Counter
from pathlib import Path

from recording.folder import Folder, Part
from recording.sync import JointSync
from recording.writer_pool import Job, State, work


class ManualPool:
    """Runs what was kicked, and what is due, when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.joint = JointSync()
        self._kicked: list[Job] = []
        self._timers: list[tuple[float, Job]] = []

    def kick(self, job: Job, *, urgent: bool = False) -> None:  # noqa: ARG002 - nothing waits here
        if job.state is State.IDLE:
            job.state = State.QUEUED
            self._kicked.append(job)

    def run(self, seconds: float = 0.0) -> None:
        """Let time pass in tenths of a second; run what is kicked or due on the way."""
        end = self.now + seconds
        while True:
            due = [job for at, job in self._timers if at <= self.now]
            self._timers = [(at, job) for at, job in self._timers if at > self.now]
            for job in self._kicked + due:
                job.state = State.IDLE
            jobs, self._kicked = self._kicked + due, []
            for job, again_at in zip(jobs, work(jobs, self.now, self.joint), strict=True):
                if again_at is not None:
                    self._timers.append((again_at, job))
            if self.now >= end:
                return
            self.now += 0.1


class SickFolder(Folder):
    """A folder whose operations fail as long as the test wants."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.failing: dict[str, int] = {}
        "Operation -> errno."
        self.room: int | None = None
        "Octets that still fit (None: enough)."
        self.calls: Counter[str] = Counter()

    def create(self, relative_path: str) -> Part:
        self._count("create")
        return super().create(relative_path)

    def write(self, part: Part, data: bytes | memoryview, offset: int) -> int:
        self._count("write")
        if self.room is not None:
            if self.room == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[: self.room]
            self.room -= len(data)
        return super().write(part, data, offset)

    def sync(self, part: Part) -> None:
        self._count("sync")
        super().sync(part)

    def rename(self, part: Part) -> str:
        self._count("rename")
        return super().rename(part)

    def sync_name(self, relative_path: str) -> None:
        self._count("sync_name")
        super().sync_name(relative_path)

    def _count(self, operation: str) -> None:
        self.calls[operation] += 1
        if operation in self.failing:
            code = self.failing[operation]
            raise OSError(code, os.strerror(code))
