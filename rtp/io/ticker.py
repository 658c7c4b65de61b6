"""A clock tick as a descriptor of the loop, for what must be sent at its time.

The loop's own periodic work may be late by as long as the loop waits; that is fine for
housekeeping, not for audio. A timer descriptor wakes the loop up as a packet does, and
costs nothing while it is off. (`os.timerfd_create` came with Python 3.13.)
"""

import ctypes
import os
import struct
from typing import Final

from rtp.fast_path import Callback
from rtp.io.loop import EventLoop

_CLOCK_MONOTONIC: Final = 1
_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC
_TIMES: Final = struct.Struct("4l")
"Interval and first expiry, each in seconds and nanoseconds."

_libc = ctypes.CDLL(None, use_errno=True)


class Ticker:
    """Calls back every `interval_s` seconds between `start` and `stop`; missed ticks are one."""

    __slots__ = ("_callback", "_fd", "_interval_ns", "_loop", "running")

    def __init__(self, loop: EventLoop, interval_s: float, callback: Callback) -> None:
        self._loop = loop
        self._interval_ns = int(interval_s * 1e9)
        self._callback = callback
        self.running = False
        self._fd = int(_libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS))
        if self._fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def start(self) -> None:
        """Tick from now on; the first tick comes after one interval."""
        if not self.running:
            self.running = True
            self._set(self._interval_ns)
            self._loop.set(self._fd, self._tick)

    def stop(self) -> None:
        """Tick no more."""
        if self.running:
            self.running = False
            self._set(0)
            self._loop.remove(self._fd)

    def close(self) -> None:
        """Give the descriptor back."""
        self.stop()
        os.close(self._fd)

    def _tick(self, now: int) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return  # stopped and started again within one batch of the loop
        self._callback(now)

    def _set(self, interval_ns: int) -> None:
        seconds, ns = divmod(interval_ns, 1_000_000_000)
        times = _TIMES.pack(seconds, ns, seconds, ns)
        if _libc.timerfd_settime(self._fd, 0, times, None) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
