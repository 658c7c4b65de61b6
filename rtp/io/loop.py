"""A plain epoll loop: descriptors, their callbacks, and what is due now and then.

The clock is read once per wake-up; all callbacks of a batch get that time. Level-triggered,
and a callback takes one packet per wake-up: a second `recv` that only finds an empty socket
would cost more than another turn, and one busy socket can't starve the others.

Callbacks that are paths (`rtp/fast_path.py`) are carried out instead of called, all of a batch
in one go: with as many packets as there are, a call for each would be felt.
"""

import select
import time
from functools import partial
from typing import Final

from rtp.fast_path import Callback, Failed, FastPath, Path

LONGEST_WAIT_S: Final = 0.05
"Bounds how late periodic work may be on an idle loop."

MAX_EVENTS: Final = 256
"Per wake-up; the rest comes with the next."


class EventLoop:
    """Runs until `stop`; made, used and run in one thread."""

    def __init__(self, on_error: Failed | None = None) -> None:
        self._epoll = select.epoll()
        self._callbacks: list[Callback | None] = []
        "By descriptor: a list, because it is looked at for each packet..."
        self._paths: list[Path | None] = []
        "...and those of them that are paths."
        self.fast_path = FastPath()
        "With the buffer for all sockets of this loop."
        self._periodic: list[tuple[int, Callback]] = []
        self._due: list[int] = []
        self.on_error = on_error
        "Without one, exceptions of callbacks come out of `run`."
        self._running = False
        self.batches_sampled = 0
        self.batch_ns = 0
        """Time that the sampled batches took, from the wake-up to their last callback: how
        long the last packet of each had to wait for its turn. One sample per periodic turn.
        """

    def set(self, fd: int, callback: Callback) -> None:
        """Call `callback` whenever `fd` is readable or has an error."""
        if not self.watches(fd):
            self._epoll.register(fd, select.EPOLLIN)
            missing = fd + 1 - len(self._callbacks)
            self._callbacks += [None] * missing
            self._paths += [None] * missing
        self._call(fd, callback)

    def park(self, fd: int) -> None:
        """Let whatever comes for `fd` wait in the kernel until `set`.

        It stays on the kernel's list until something has come: two system calls saved for each
        time that nothing does.
        """
        if self.watches(fd):
            self._call(fd, partial(self._leave, fd))

    def watches(self, fd: int) -> bool:
        """Tell whether `fd` is known; one that is parked is so while nothing has come."""
        return 0 <= fd < len(self._callbacks) and self._callbacks[fd] is not None

    def remove(self, fd: int) -> None:
        """Forget `fd`, if it is known. To be called before it is closed."""
        if self.watches(fd):
            self._epoll.unregister(fd)
            self._call(fd, None)

    def forget(self, fd: int) -> None:
        """Forget `fd`, which is about to be closed: the kernel takes it off the list then."""
        if self.watches(fd):
            self._call(fd, None)

    def every(self, interval_s: float, callback: Callback) -> None:
        """Call `callback` about every `interval_s` seconds."""
        self._periodic.append((int(interval_s * 1e9), callback))
        self._due.append(time.monotonic_ns() + int(interval_s * 1e9))

    def stop(self) -> None:
        """Let `run` return after the present batch."""
        self._running = False

    def run(self) -> None:
        """Wait and call, until `stop`."""
        self._running = True
        poll, clock, forward = self._epoll.poll, time.monotonic_ns, self.fast_path.forward
        paths, callbacks, failed = self._paths, self._callbacks, self._failed
        next_due = min(self._due, default=0)
        while self._running:
            events = poll(LONGEST_WAIT_S, MAX_EVENTS)
            now = clock()
            forward(events, now, paths, callbacks, failed)
            if now >= next_due:
                if events:
                    self.batches_sampled += 1
                    self.batch_ns += clock() - now
                next_due = self._run_periodic(now)

    def close(self) -> None:
        """Give the loop's own descriptor back."""
        self._epoll.close()

    def _call(self, fd: int, callback: Callback | None) -> None:
        self._callbacks[fd] = callback
        self._paths[fd] = callback if isinstance(callback, Path) else None

    def _failed(self, fd: int, error: Exception) -> None:
        # An event of this batch may be for a descriptor that an earlier callback removed.
        if self.watches(fd):
            self._tell(fd, error)

    def _leave(self, fd: int, now: int) -> None:  # noqa: ARG002 - a callback
        self.remove(fd)

    def _run_periodic(self, now: int) -> int:
        """Call what is due; return when something is due next."""
        for index, (interval, callback) in enumerate(self._periodic):
            if now >= self._due[index]:
                self._due[index] = now + interval
                try:
                    callback(now)
                except Exception as error:  # noqa: BLE001 - the same
                    self._tell(-1, error)
        return min(self._due, default=now + 1_000_000_000)

    def _tell(self, fd: int, error: Exception) -> None:
        if self.on_error is None:
            raise error
        self.on_error(fd, error)
