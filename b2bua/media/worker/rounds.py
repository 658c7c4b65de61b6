"""Whose turn it is: a media worker looks after each of its legs once a round, a few at a time."""

from collections import deque
from collections.abc import Mapping
from typing import Final

from rtp.io.leg import Leg

TURN_S: Final = 0.01
"""Between two turns, where packets wake the loop so often: a leg takes 10 µs, so with all that are
due in 50 ms packets would wait for half a millisecond."""

ROUND_NS: Final = 1_000_000_000
"In which each leg is looked after once. Twice a second was a tenth of all that relaying costs."


class Rounds:
    """The order in which the legs of one process are looked after."""

    def __init__(self, legs: Mapping[int, Leg]) -> None:
        self._legs = legs
        self._waiting: deque[int] = deque()
        "Legs that are still to be looked after in this round."
        self.number = 0
        "Of the present round."
        self._until_ns = 0
        "Until when all are looked after that were due."

    def due(self, now: int) -> list[Leg]:
        """Return those whose turn it is. A round takes in whatever leg there is when it begins."""
        waiting, legs = self._waiting, self._legs
        if not waiting:
            waiting.extend(legs)
            self.number += 1
        count = min(len(waiting), len(legs) * (now - self._until_ns) // ROUND_NS)
        if not count:
            return []
        # The rest of the time counts for the next turn, but never more than a round of it.
        self._until_ns = max(self._until_ns + count * ROUND_NS // len(legs), now - ROUND_NS)
        turn = [waiting.popleft() for _ in range(count)]
        return [legs[leg_id] for leg_id in turn if leg_id in legs]
