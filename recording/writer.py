"""One recording's file: frames in at any time, the disk behind a bounded queue.

`append` never waits. Threads of a shared pool write what is queued, unbuffered (so that a
killed process loses nothing that it handed over), sync about once a second, many files at
once (so that a power cut loses no more than two), and keep the running hash of exactly what
is on disk.

**What happens to a sick disk.** A write, or the opening, that fails is tried again twice a
second: a share comes back, space is made. Meanwhile the queue grows. At its bound (over 60 s
of audio) the recording fails with its reason: the queue is given free, what reached the disk
is cut to whole frames and keeps its name, and nothing more is accepted. A *sync* that
fails ends the recording at once, because the kernel then forgets which octets it could
not write. When the recording is over, a disk that refuses gets `finish_grace_s` more.

**Results.** Exactly one `WriteResult`, through the future `result` and `on_result` (called
in a pool thread). A hanging disk gives none; `give_up` makes one without the disk, and the
`.part` stays for `recording.recovery`.
"""

import errno
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from enum import Enum, auto

from recording.folder import Folder, Part
from recording.mp3 import whole_frames
from recording.writer_pool import Kicker, State

DEFAULT_MAX_BACKLOG_OCTETS = 198_000
"""66 s at 24 kbit/s: for a disk that stands still for 60 s. What is being written when it stops
counts too, a chunk is 1.1 s at most, and the disk then needs a moment."""

_RETRY_S = 0.5

_READ_OCTETS = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """How a recording's file ended."""

    relative_path: str | None
    "Of the finished file below the folder; None where there is none."

    octets: int
    sha256: str
    "Of the whole file, hexadecimal; empty where there is none."

    failure: str | None = None
    "What went wrong, in words; what was written before is in the file."

    lost_octets: int = 0
    "Handed over but not in the file."


class _Stage(Enum):
    """What the next sync makes durable."""

    GROWING = auto()
    CONTENT = auto()
    "All of it: the file then gets its name."
    NAME = auto()
    "Then the result is told."


class ResumeError(Exception):
    """The file to go on with is not what it was: trying again would not help."""


class Writer:
    """The file of one recording. All public methods return at once, from any thread."""

    def __init__(
        self,
        relative_path: str,
        *,
        folder: Folder,
        pool: Kicker,
        max_backlog_octets: int = DEFAULT_MAX_BACKLOG_OCTETS,
        sync_interval_s: float = 1.0,
        finish_grace_s: float = 5.0,
        resume_octets: int | None = None,
        on_result: Callable[[WriteResult], None] | None = None,
    ) -> None:
        """Open (in the pool) `relative_path` + `.part`.

        `resume_octets`: go on with an existing `.part`, of which the first so many octets
        are kept.
        """
        self.state = State.IDLE
        self.result: Future[WriteResult] = Future()
        self.appended_octets = resume_octets or 0
        "Position behind the last octet handed over."
        self.written_octets = 0
        "Position behind the last octet that survives the end of this process."
        self.durable_octets = 0
        "Position behind the last octet that survives a power cut."
        self.trouble: str | None = None
        "What the disk says at present, in words; None while it works."
        self._relative_path = relative_path
        self._folder = folder
        self._pool = pool
        self._max_backlog_octets = max_backlog_octets
        self._sync_interval_s = sync_interval_s
        self._finish_grace_s = finish_grace_s
        self._resume_octets = resume_octets
        self._on_result = on_result
        # Guards the fields that both sides change; never held during disk work.
        self._lock = threading.Lock()
        self._queue: deque[bytes] = deque()
        self._backlog_octets = 0
        self._failure: str | None = None
        self._closing = False
        self._keep = True
        # The pool's side only.
        self._part: Part | None = None
        self._chunk = b""
        self._sent = 0
        self._hash = hashlib.sha256()
        self._synced_at: float | None = None
        self._sync_is_due = False
        self._stage = _Stage.GROWING
        self._named = ""
        self._closing_since: float | None = None
        pool.kick(self)

    @property
    def relative_path(self) -> str:
        """Return the path of the (coming) file; may change until `result` is there."""
        return self._part.relative_path if self._part else self._relative_path

    @property
    def failure(self) -> str | None:
        """Return why the recording failed, as soon as it has."""
        return self._failure

    @property
    def backlog_octets(self) -> int:
        """Return how much waits for the disk."""
        return self._backlog_octets

    def append(self, data: bytes) -> None:
        """Queue whole frames; after a failure they are dropped (and counted)."""
        if not data:
            return
        with self._lock:
            if self._closing:
                raise RuntimeError("append after finish")
            self.appended_octets += len(data)
            if self._failure is None and self._backlog_octets + len(data) > (
                self._max_backlog_octets
            ):
                trouble = self.trouble or "the disk does not answer"
                self._fail_locked(f"{self._backlog_octets} octets waited for the disk: {trouble}")
            if self._failure is None:
                self._queue.append(data)
                self._backlog_octets += len(data)
        self._pool.kick(self)

    def finish(self, *, keep: bool = True) -> Future[WriteResult]:
        """End the file when all is written; with `keep` off remove it instead."""
        with self._lock:
            self._closing = True
            self._keep = keep
        self._pool.kick(self, urgent=True)
        return self.result

    def give_up(self, reason: str) -> None:
        """Make a result now, without the disk; what is on it stays as `.part`."""
        with self._lock:
            self._closing = True
            self._fail_locked(reason)
        self._resolve(None, 0, "")

    def step(self, now: float) -> float | None:
        """Do the disk work that waits (called by the pool); return when to come again."""
        if self.result.done():
            self._close()
            return None
        try:
            return self._step(now)
        except Exception as error:  # noqa: BLE001 - a bulkhead: one file, not the pool's thread
            self._break(error)
            return None

    def _break(self, error: Exception) -> None:
        """End the recording after an error of ours; its `.part` stays."""
        with self._lock:
            self._fail_locked(f"{type(error).__name__}: {error}")
        self._resolve(None, 0, "")
        self._close()

    def _step(self, now: float) -> float | None:
        with self._lock:
            closing, failed = self._closing, self._failure is not None
        if closing and self._closing_since is None:
            self._closing_since = now
        if not failed:
            try:
                self._write()
            except OSError as error:
                self.trouble = describe(error)
                if closing and now - (self._closing_since or 0.0) >= self._finish_grace_s:
                    with self._lock:
                        self._fail_locked(self.trouble)
                    self._end()
                    return None
                return now + _RETRY_S
            self.trouble = None
            if not closing:
                return self._next_sync(now)
            if self._keep and self.written_octets:
                self._stage, self._sync_is_due = _Stage.CONTENT, True
                return None
        self._end()
        return None

    def _write(self) -> None:
        part = self._opened()
        while self._chunk or self._take_chunk():
            while self._sent < len(self._chunk):
                self._sent += self._folder.write(
                    part, memoryview(self._chunk)[self._sent :], self.written_octets + self._sent
                )
            self._hash.update(self._chunk)
            with self._lock:
                self.written_octets += len(self._chunk)
                self._backlog_octets = max(0, self._backlog_octets - len(self._chunk))
            self._chunk, self._sent = b"", 0

    def _take_chunk(self) -> bool:
        """Move the head of the queue to this side; it counts as backlog until written."""
        with self._lock:
            if not self._queue:
                return False
            self._chunk = self._queue.popleft()
            return True

    def _opened(self) -> Part:
        if self._part is None:
            if self._resume_octets is None:
                self._part = self._folder.create(self._relative_path)
            else:
                part = self._folder.reopen(self._relative_path)
                try:
                    self._take_up(part, self._resume_octets)
                except BaseException:
                    self._folder.close(part)
                    raise
                self._part = part
        return self._part

    def _take_up(self, part: Part, octets: int) -> None:
        """Cut an existing file to `octets` and hash what is kept."""
        size = os.fstat(part.fd).st_size
        if size < octets:
            raise ResumeError(f"{size} of {octets} octets are left in {part.part_path}")
        self._folder.cut(part, octets)
        digest = hashlib.sha256()
        offset = 0
        while offset < octets:
            data = os.pread(part.fd, min(_READ_OCTETS, octets - offset), offset)
            if not data:
                raise ResumeError(f"{part.part_path} became shorter")
            digest.update(data)
            offset += len(data)
        self._hash = digest
        self.written_octets = octets

    def _next_sync(self, now: float) -> float | None:
        """Return when to sync, about once a second; None: after this step, or not at all."""
        if self._synced_at is None:
            self._synced_at = now
        if self.durable_octets == self.written_octets:
            return None
        # A little early, when something was written anyway, saves a second step.
        if now < self._synced_at + 0.6 * self._sync_interval_s:
            return self._synced_at + self._sync_interval_s
        self._sync_is_due = True
        return None

    @property
    def unsynced(self) -> Part | None:
        """Return the file where it is time for a sync (asked by the pool, after a step)."""
        return self._part if self._sync_is_due else None

    def sync(self, now: float, *, done: bool) -> None:
        """Make the file durable, or note that it is (called by the pool)."""
        self._sync_is_due = False
        try:
            self._sync(now, done=done)
        except Exception as error:  # noqa: BLE001 - as above
            self._break(error)

    def _sync(self, now: float, *, done: bool) -> None:
        if self._part is None or self.result.done():
            return
        try:
            if self._stage is _Stage.NAME:
                if not done:
                    self._folder.sync_name(self._named)
            elif not done:
                self._folder.sync(self._part)
        except OSError as error:
            with self._lock:
                self._fail_locked(f"sync: {describe(error)}")
            if self._stage is not _Stage.NAME:
                self._end()
                return
        self.durable_octets = self.written_octets
        self._synced_at = now
        if self._stage is _Stage.CONTENT:
            self._rename(self._part)
        elif self._stage is _Stage.NAME:
            self._tell(self._named)

    def _rename(self, part: Part) -> None:
        """Give the file, which is complete and durable, its name."""
        try:
            self._named = self._folder.rename(part)
        except OSError as error:
            with self._lock:
                self._fail_locked(describe(error))
            self._tell(None)
        else:
            self._stage, self._sync_is_due = _Stage.NAME, True

    def _end(self) -> None:
        """Give what there is of the file its name, or remove it, and tell the result."""
        path: str | None = None
        if self._part is not None:
            try:
                path = self._settle(self._part)
            except OSError as error:
                with self._lock:
                    self._fail_locked(self._failure or describe(error))
        self._tell(path)

    def _tell(self, path: str | None) -> None:
        if path is None:
            self._resolve(None, 0, "")
        else:
            self._resolve(path, self.written_octets, self._hash.hexdigest())
        self._close()

    def _settle(self, part: Part) -> str | None:
        """Cut off what is not a whole frame, then publish or discard."""
        kept = self._chunk[: whole_frames(self._chunk[: self._sent])]
        self._hash.update(kept)
        self.written_octets += len(kept)
        self._chunk = b""
        if os.fstat(part.fd).st_size != self.written_octets:
            self._folder.cut(part, self.written_octets)
        if not self._keep or not self.written_octets:
            self._folder.discard(part)
            return None
        path = self._folder.publish(part)
        self.durable_octets = self.written_octets
        return path

    def _fail_locked(self, reason: str) -> None:
        """Note the first failure and give the memory free. The lock is held."""
        if self._failure is None:
            self._failure = reason
        self._queue.clear()
        self._backlog_octets = 0

    def _resolve(self, path: str | None, octets: int, sha256: str) -> None:
        result = WriteResult(
            relative_path=path,
            octets=octets,
            sha256=sha256,
            failure=self._failure,
            lost_octets=self.appended_octets - self.written_octets if self._keep else 0,
        )
        try:
            self.result.set_result(result)
        except InvalidStateError:
            return
        if self._on_result is not None:
            self._on_result(result)

    def _close(self) -> None:
        if self._part is not None:
            self._folder.close(self._part)
            self._relative_path = self._part.relative_path
            self._part = None


def describe(error: OSError) -> str:
    """Return an operating system's error in words, with its symbol for those who search."""
    if error.errno is None:
        return str(error)
    return f"{os.strerror(error.errno)} ({errno.errorcode.get(error.errno, error.errno)})"
