"""A plain epoll loop: descriptors, their callbacks, and what is due now and then.

It knows nothing of RTP. The clock is read once per wake-up; all callbacks of a batch get
that time. Level-triggered, and a callback takes one packet per wake-up: a second `recv`
that only finds an empty socket would cost more than another turn, and one busy socket
can't starve the others.
"""

import select
import time
from collections.abc import Callable
from functools import partial
from typing import Final

Callback = Callable[[int], None]
"Called with the time of the wake-up in ns of the monotonic clock."

OnError = Callable[[int, Exception], None]
"Called with the descriptor whose callback raised."

LONGEST_WAIT_S: Final = 0.05
"Bounds how late periodic work may be on an idle loop."

MAX_EVENTS: Final = 256
"Per wake-up; the rest comes with the next."


class EventLoop:
    """Runs until `stop`; made, used and run in one thread."""

    def __init__(self, on_error: OnError | None = None) -> None:
        self._epoll = select.epoll()
        self._callbacks: list[Callback | None] = []
        "By descriptor: a list, because it is looked at for each packet."
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
            self._callbacks += [None] * (fd + 1 - len(self._callbacks))
        self._callbacks[fd] = callback

    def park(self, fd: int) -> None:
        """Let whatever comes for `fd` wait in the kernel until `set`.

        It stays on the kernel's list until something has come: two system calls saved for each
        time that nothing does.
        """
        if self.watches(fd):
            self._callbacks[fd] = partial(self._leave, fd)

    def watches(self, fd: int) -> bool:
        """Tell whether `fd` is known; one that is parked is so while nothing has come."""
        return 0 <= fd < len(self._callbacks) and self._callbacks[fd] is not None

    def remove(self, fd: int) -> None:
        """Forget `fd`, if it is known. To be called before it is closed."""
        if self.watches(fd):
            self._epoll.unregister(fd)
            self._callbacks[fd] = None

    def forget(self, fd: int) -> None:
        """Forget `fd`, which is about to be closed: the kernel takes it off the list then."""
        if self.watches(fd):
            self._callbacks[fd] = None

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
        poll, clock, callbacks = self._epoll.poll, time.monotonic_ns, self._callbacks
        next_due = min(self._due, default=0)
        while self._running:
            events = poll(LONGEST_WAIT_S, MAX_EVENTS)
            now = clock()
            for fd, _ in events:
                try:
                    callbacks[fd](now)  # type: ignore[misc] # None: removed in this batch
                except Exception as error:  # noqa: BLE001 - a bulkhead: one leg, not the loop
                    self._failed(fd, error)
            if now >= next_due:
                if events:
                    self.batches_sampled += 1
                    self.batch_ns += clock() - now
                next_due = self._run_periodic(now)

    def close(self) -> None:
        """Give the loop's own descriptor back."""
        self._epoll.close()

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
