"""A media worker's totals, kept from what its legs know of themselves.

A leg is looked at when its turn comes, a few legs at a time, never all at once: adding up
400 legs in one go would make packets wait.
"""

from dataclasses import fields

from rtp.io.leg import Leg
from rtp.statistics import Drops

_DROPS = tuple(field.name for field in fields(Drops))


class Tally:
    """Totals since the process started, and what each leg has contributed so far."""

    def __init__(self) -> None:
        names = ("packets_received", "packets_sent", "packets_lost", "octets_received")
        self.totals: dict[str, float] = dict.fromkeys(
            (*names, *(f"dropped_{name}" for name in _DROPS)), 0.0
        )
        self._counted: dict[int, tuple[int, ...]] = {}

    def count(self, leg: Leg) -> None:
        """Add what is new with `leg`."""
        figures = _figures(leg)
        before = self._counted.get(leg.leg_id)
        self._counted[leg.leg_id] = figures
        for index, name in enumerate(self.totals):
            self.totals[name] += figures[index] - (before[index] if before else 0)

    def forget(self, leg: Leg) -> None:
        """Add what is new with `leg` for the last time."""
        self.count(leg)
        del self._counted[leg.leg_id]


def _figures(leg: Leg) -> tuple[int, ...]:
    """Return the figures of `leg` in the order of the totals."""
    received, drops = leg.relay.received, leg.relay.drops
    return (
        received.packets,
        leg.packets_sent,
        received.lost,
        received.octets,
        *(getattr(drops, name) for name in _DROPS),
    )
