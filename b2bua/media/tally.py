"""A media worker's totals, kept from what its legs know of themselves.

A leg is looked at when its turn comes, a few legs at a time, never all at once: adding up
400 legs in one go would make packets wait.
"""

from dataclasses import fields
from operator import add, attrgetter, sub
from typing import Final

from rtp.io.leg import Leg
from rtp.statistics import Drops

_DROPS: Final = tuple(field.name for field in fields(Drops))
_drops_of: Final = attrgetter(*_DROPS)

_NAMES: Final = (
    *("packets_received", "packets_sent", "packets_lost", "octets_received"),
    *(f"dropped_{name}" for name in _DROPS),
)

_NOTHING: Final = (0,) * len(_NAMES)


class Tally:
    """Totals since the process started, and what each leg has contributed so far."""

    def __init__(self) -> None:
        self._sums: tuple[int, ...] = _NOTHING
        self._counted: dict[int, tuple[int, ...]] = {}

    @property
    def totals(self) -> dict[str, float]:
        """The totals by name."""
        return dict(zip(_NAMES, map(float, self._sums), strict=True))

    def count(self, leg: Leg) -> None:
        """Add what is new with `leg`."""
        figures = _figures(leg)
        before = self._counted.get(leg.leg_id, _NOTHING)
        self._counted[leg.leg_id] = figures
        self._sums = tuple(map(add, self._sums, map(sub, figures, before)))

    def forget(self, leg: Leg) -> None:
        """Add what is new with `leg` for the last time."""
        self.count(leg)
        del self._counted[leg.leg_id]


def _figures(leg: Leg) -> tuple[int, ...]:
    """Return the figures of `leg` in the order of the names."""
    received = leg.relay.received
    return (
        received.packets,
        leg.packets_sent,
        received.lost,
        received.octets,
        *_drops_of(leg.relay.drops),
    )
