"""The journal: from the call path to the database without anyone waiting.

`put` appends to a bounded queue and returns. A task takes groups from it, every 50 ms or 500
events, and has them written by a thread of its own, one transaction per group. Events leave the
queue only after their commit: a database that is locked, full or read-only delays them, keeps
their order, and loses none.

Overflow rule: when 50,000 events wait, a new one is dropped and counted in `lost`; those that
wait are kept, because they came first. `healthy` is False from then on until the queue has room
and the last write succeeded; without a healthy journal no new recording gets its permit.
"""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, overload

from cdr.connection import database_file
from cdr.errors import CdrError, JournalClosedError, StoreError
from cdr.extension_records import ExtensionUpsert
from cdr.records import Change, Event
from cdr.rows import ExtensionRow
from cdr.writer import Answer, Writer, is_transient

logger = logging.getLogger("cdr.journal")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """How the journal groups, waits and gives up."""

    capacity: int = 50_000
    "Events that may wait: some ten minutes at ten calls a second."
    group_s: float = 0.05
    "An event waits at most so long for others to share its commit."
    group_events: int = 500
    retry_min_s: float = 0.05
    retry_max_s: float = 1.0
    "Wait after a failed write, doubled from the one to the other."
    stall_s: float = 2.0
    "A write that takes longer makes the journal unhealthy."
    close_s: float = 10.0
    "How long closing waits for the queue to be written."


@dataclass(frozen=True, slots=True)
class _Request:
    """A change in the queue, with the one who waits for it."""

    change: Change
    answer: asyncio.Future[ExtensionRow | None]


class Journal:
    """The one writer of the database; an asynchronous context manager.

    All methods belong to the loop's thread.
    """

    def __init__(self, database: str | Path, settings: JournalSettings | None = None) -> None:
        self._settings = settings or JournalSettings()
        self._writer = Writer(database_file(database))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._queue: deque[object] = deque()
        self._work = asyncio.Event()
        "Something waits."
        self._hurry = asyncio.Event()
        "A group is full, or someone waits for the queue to be empty."
        self._idle = asyncio.Event()
        "Nothing waits."
        self._tasks = asyncio.TaskGroup()
        self._running: asyncio.Task[None] | None = None
        self._open = False
        self._stopping = False
        self._failing = False
        self._stalled = False
        self._overflowing = False
        self.lost = 0
        "Events dropped because the queue was full (or the journal closed)."
        self.written = 0
        "Events and changes committed or answered."
        self.retries = 0

    @classmethod
    def open(cls, database: str | Path, settings: JournalSettings | None = None) -> Self:
        """Return a journal to enter; its tables must be up to date (`cdr.store.prepare`)."""
        return cls(database, settings)

    async def __aenter__(self) -> Self:
        try:
            await self._in_thread(self._writer.open)
        except sqlite3.Error as error:
            await self._let_go()
            raise StoreError(f"the database can't be opened: {error}") from error
        except BaseException:
            await self._let_go()
            raise
        await self._tasks.__aenter__()
        self._open = True
        self._idle.set()
        self._running = self._tasks.create_task(self._run(), name="journal")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The body's exception is not handed to the task group: it would cancel the writing.
        try:
            if not await self.drain(self._settings.close_s):
                logger.critical("%d records could not be written before closing", self.waiting)
            self._open = False
            self._stopping = True
            self._wake()
            await self._tasks.__aexit__(None, None, None)
        finally:
            self._open = False
            self._refuse_rest()
            await self._let_go()

    # --- for everyone

    @property
    def healthy(self) -> bool:
        """Whether the last write succeeded and the queue has room."""
        return (
            self._open
            and not (self._failing or self._stalled)
            and len(self._queue) < self._settings.capacity
        )

    @property
    def waiting(self) -> int:
        """How many events and changes are not committed yet."""
        return len(self._queue)

    @property
    def poisoned(self) -> int:
        """How many events were at fault themselves and have been skipped."""
        return self._writer.poisoned

    def counters(self) -> dict[str, int]:
        """Return a snapshot for the metrics; totals since the start, except `waiting`."""
        return {
            "waiting": self.waiting,
            "written": self.written,
            "lost": self.lost,
            "poisoned": self.poisoned,
            "unmatched": self._writer.unmatched,
            "retries": self.retries,
        }

    def put(self, record: Event) -> None:
        """Have a record written. Never waits and never raises."""
        if self._open and len(self._queue) < self._settings.capacity:
            self._append(record)
        else:
            self._lose(record)

    @overload
    async def execute(self, change: ExtensionUpsert) -> ExtensionRow: ...

    @overload
    async def execute(self, change: Change) -> ExtensionRow | None: ...

    async def execute(self, change: Change) -> ExtensionRow | None:
        """Carry out a change; returns after the commit, its audit row included.

        Events that were put before are committed before. Raises a `CdrError` where the change
        is refused. Where the caller stops waiting before the change was taken up, it is
        not carried out.
        """
        if not self._open or len(self._queue) >= self._settings.capacity:
            raise JournalClosedError("the journal takes no more records")
        request = _Request(change, asyncio.get_running_loop().create_future())
        self._append(request)
        self._hurry.set()
        return await request.answer

    async def drain(self, timeout_s: float) -> bool:
        """Have everything written that waits; False where that took too long."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._queue:
                    self._hurry.set()
                    await self._idle.wait()
        except TimeoutError:
            return False
        return True

    # --- the queue

    def _append(self, item: object) -> None:
        self._queue.append(item)
        if len(self._queue) == 1:
            self._work.set()
            self._idle.clear()
        elif len(self._queue) == self._settings.group_events:
            self._hurry.set()

    def _lose(self, record: object) -> None:
        self.lost += 1
        if not self._overflowing:
            self._overflowing = True
            logger.critical(
                "the journal takes no more records (%d wait); a %s is lost",
                len(self._queue),
                type(record).__name__,
            )

    def _next_group(self) -> list[object]:
        """Return what the next transaction writes: events only, or changes only.

        So events and changes are committed in the order in which they came.
        """
        group: list[object] = []
        for item in islice(self._queue, self._settings.group_events):
            if group and isinstance(item, _Request) != isinstance(group[0], _Request):
                break
            group.append(item)
        return group

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self._queue.popleft()
        self.written += count
        if len(self._queue) <= self._settings.capacity // 2:
            self._overflowing = False
        if not self._queue:
            self._work.clear()
            self._hurry.clear()
            self._idle.set()

    def _refuse_rest(self) -> None:
        for item in self._queue:
            if isinstance(item, _Request) and not item.answer.done():
                item.answer.set_exception(JournalClosedError("the journal was closed"))
        self._queue.clear()

    # --- the writing task

    async def _run(self) -> None:
        wait_s = self._settings.retry_min_s
        while not self._stopping:
            await self._work.wait()
            await self._gather()
            group = self._next_group()
            if not group:
                continue
            if await self._write(group):
                self._forget(len(group))
                wait_s = self._settings.retry_min_s
            else:
                self.retries += 1
                await self._back_off(wait_s)
                wait_s = min(2 * wait_s, self._settings.retry_max_s)

    async def _gather(self) -> None:
        """Give a group time to fill."""
        if len(self._queue) < self._settings.group_events and not self._stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.group_s):
                    await self._hurry.wait()
        self._hurry.clear()

    async def _back_off(self, wait_s: float) -> None:
        self._hurry.clear()
        await asyncio.sleep(wait_s)

    def _wake(self) -> None:
        self._work.set()
        self._hurry.set()

    async def _write(self, group: Sequence[object]) -> bool:
        """Write a group; False where it is to be tried again."""
        loop = asyncio.get_running_loop()
        stall = loop.call_later(self._settings.stall_s, self._mark_stalled)
        try:
            requests = [item for item in group if isinstance(item, _Request)]
            if requests:
                await self._write_requests(requests)
            else:
                await self._in_thread(lambda: self._writer.write_events(group))
        except Exception as error:  # noqa: BLE001 - the journal outlives what a database can do
            self._fail(error)
            return False
        finally:
            stall.cancel()
            self._stalled = False
        self._recover()
        return True

    async def _write_requests(self, requests: Sequence[_Request]) -> None:
        wanted = [request for request in requests if not request.answer.done()]
        changes = [request.change for request in wanted]
        try:
            answers = await self._in_thread(lambda: self._writer.write_changes(changes))
        except Exception as error:
            if is_transient(error):
                raise
            # Someone waits for this, so that it is refused, not repeated.
            logger.exception("a change could not be carried out")
            refusal = Answer(error=CdrError(f"the change could not be carried out: {error}"))
            answers = [refusal] * len(wanted)
        for request, answer in zip(wanted, answers, strict=True):
            if request.answer.done():
                continue
            if answer.error is not None:
                request.answer.set_exception(answer.error)
            else:
                request.answer.set_result(answer.result)

    def _mark_stalled(self) -> None:
        self._stalled = True
        logger.error("a write to the database takes longer than %g s", self._settings.stall_s)

    def _fail(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            logger.error("the database can't be written, trying on: %s", error)

    def _recover(self) -> None:
        if self._failing:
            self._failing = False
            logger.info("the database can be written again; %d records wait", self.waiting)

    # --- the thread

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        """Run in the journal's thread; a cancelled caller still waits for it to end.

        The connection must not be closed, nor a group counted as unwritten, under a
        transaction that is being committed.
        """
        job = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait([job])
            raise

    async def _let_go(self) -> None:
        try:
            await self._in_thread(self._writer.close)
        finally:
            self._thread.shutdown(wait=False)
