"""Durations of RFC 3261 table 4 as a value, and a heap of what is due.

Timers are a value that is passed in, so that tests shrink them and two endpoints in one process
can differ. Everything is in seconds.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """T1, T2 and T4 and the timers A to M that follow from them (RFC 3261 17, RFC 6026)."""

    t1: float = 0.5
    "Estimate of the round trip; the first retransmission."
    t2: float = 4.0
    "Longest interval between retransmissions of non-INVITE requests and INVITE responses."
    t4: float = 5.0
    "How long a message stays in the network."
    unreliable_d: float = 32.0
    "Timer D over UDP: how long retransmitted final responses to an INVITE are ACKed."
    provisional_refresh: float = 60.0
    "RFC 3261 section 13.3.1.1: a 1xx once a minute keeps proxies from cancelling."
    late_answer: float = 300.0
    "Ours: how long after giving up a cancelled INVITE its late 2xx is still ACKed and ended."

    @property
    def give_up(self) -> float:
        """64*T1: Timers B, F, H, J, L and M, and the wait for the ACK of a 2xx."""
        return 64 * self.t1


class Timer:
    """One deadline; `cancel` leaves it in the heap, where it is skipped."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[float], None]) -> None:
        self.when = when
        self.callback: Callable[[float], None] | None = callback

    def cancel(self) -> None:
        """Make the timer do nothing; the callback and all it refers to is let go at once."""
        self.callback = None


class TimerHeap:
    """Deadlines in order; cancelled ones are swept when they outnumber the living."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._serial = count()
        self._sweep_at = 1024

    def __len__(self) -> int:
        return sum(entry[2].callback is not None for entry in self._heap)

    def start(self, when: float, callback: Callable[[float], None]) -> Timer:
        """Call `callback(now)` at the first `pop_due` at or after `when`."""
        timer = Timer(when, callback)
        heapq.heappush(self._heap, (when, next(self._serial), timer))
        if len(self._heap) >= self._sweep_at:
            self._sweep()
        return timer

    def next_when(self) -> float | None:
        """Return the earliest deadline."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> Callable[[float], None] | None:
        """Take out the earliest callback that is due."""
        when = self.next_when()
        if when is None or when > now:
            return None
        _, _, timer = heapq.heappop(self._heap)
        callback, timer.callback = timer.callback, None
        return callback

    def _sweep(self) -> None:
        # Most timers are cancelled long before they are due (an answered INVITE stops Timer B
        # after milliseconds), so the heap would hold 32 seconds of dead ones.
        self._heap = [entry for entry in self._heap if entry[2].callback is not None]
        heapq.heapify(self._heap)
        self._sweep_at = max(1024, 2 * len(self._heap))
