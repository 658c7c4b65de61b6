"""The loop that turns the bench's telephones."""

import select
import time
from collections.abc import Callable, Iterator

from bench.sip_client import Phone


class Loop:
    """Turns the phones over until something has happened."""

    def __init__(self, *phones: Phone) -> None:
        self._phones = phones
        self._poll = select.poll()
        for phone in phones:
            self._poll.register(phone.socket.fileno(), select.POLLIN)

    def turn(self, until: float) -> None:
        """Wait for work, at most until this instant, and do it."""
        now = time.monotonic()
        timers = [phone.next_timer for phone in self._phones]
        wake = min([until, *(timer for timer in timers if timer is not None)])
        self._poll.poll(max(0.0, wake - now) * 1000)
        now = time.monotonic()
        for phone in self._phones:
            phone.read()
            phone.retransmit(now)

    def run(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Turn until `done`; False where it took too long."""
        end = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > end:
                return False
            self.turn(min(end, time.monotonic() + 0.1))
        return True

    def paced(self, rate: float, begin: float, count: int) -> Iterator[tuple[int, float]]:
        """Yield 0 … count-1 at their instants, with how late each is, s; turn in between."""
        for number in range(count):
            at = begin + number / rate
            while (now := time.monotonic()) < at:
                self.turn(at)
            yield number, now - at
            if now - at > 0:
                self.turn(now)
