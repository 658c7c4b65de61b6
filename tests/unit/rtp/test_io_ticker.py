"""The ticker on a real loop."""

import time

from rtp.io.loop import EventLoop
from rtp.io.ticker import Ticker


def test_it_ticks_while_it_is_on_and_can_be_started_again() -> None:
    loop = EventLoop()
    ticks: list[int] = []

    def tick(now: int) -> None:
        ticks.append(now)
        if len(ticks) in (5, 8):
            ticker.stop()
            ticker.stop()
            loop.stop()

    ticker = Ticker(loop, 0.01, tick)
    began = time.monotonic_ns()
    ticker.start()
    ticker.start()
    loop.run()
    assert len(ticks) == 5
    assert ticks[-1] - began >= 49_000_000
    assert not ticker.running
    ticker.start()
    loop.run()
    assert len(ticks) == 8
    ticker.close()
    loop.close()


def test_a_tick_of_the_past_is_no_tick() -> None:
    loop = EventLoop()
    ticker = Ticker(loop, 0.01, lambda _: None)
    ticker._tick(1)  # nothing has expired
    ticker.close()
    loop.close()
