"""Every listening and every download has its audit row, committed before the audio goes out.

A player asks for a recording in several ranges, and again for each jump. All that one person
asks of one recording within a quarter of an hour is one listening.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator

from cdr.records import AuditEntry
from web.errors import UnavailableError
from web.ports import Changes

MAX_KEPT = 10_000
"What is forgotten is audited once more: never once less."


class ListeningLog:
    """Writes the audit rows."""

    def __init__(self, changes: Changes, again_s: float, monotonic: Callable[[], float]) -> None:
        self._changes = changes
        self._again_s = again_s
        self._monotonic = monotonic
        self._seen: OrderedDict[tuple[str, str, str, str], float] = OrderedDict()

    async def note(self, entry: AuditEntry) -> None:
        """Have the row committed, unless it was a moment ago; raises what the port raises."""
        key = (entry.actor, entry.action, entry.object, str(entry.detail.get("source")))
        now = self._monotonic()
        last = self._seen.get(key)
        if last is not None and now - last < self._again_s:
            return
        await self._changes.write(entry)
        self._seen[key] = now
        self._seen.move_to_end(key)
        if len(self._seen) > MAX_KEPT:
            self._seen.popitem(last=False)


class LiveListeners:
    """Counts who listens to running recordings: each holds a connection and a file for long."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        """Count one while the context is open; raises `UnavailableError` where that is too many."""
        if self.count >= self._most:
            raise UnavailableError(f"{self._most} listen to running recordings already")
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
