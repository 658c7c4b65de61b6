"""Ports that rest: late packets of the call before must not reach the next one.

A media worker lends none that rests. What it freed before it died, the signalling process knows,
and gives such a port back.
"""

from typing import Final

COOLING_S: Final = 2.0
"A freed port is not lent again for this long."


class CoolingPorts:
    """The ports that were freed lately. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}
        "Oldest first."

    def add(self, port: int, now: float) -> None:
        """Let a port rest."""
        self._until.pop(port, None)
        self._until[port] = now + COOLING_S

    def holds(self, port: int, now: float) -> bool:
        """Tell whether a port still rests."""
        while self._until:
            oldest = next(iter(self._until))
            if self._until[oldest] > now:
                break
            del self._until[oldest]
        return port in self._until
