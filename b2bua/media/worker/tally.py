"""A media worker's totals, kept from what its legs know of themselves.

A leg is looked at when its turn comes, a few legs at a time, never all at once: adding up
400 legs in one go would make packets wait.
"""

from dataclasses import fields
from operator import add, attrgetter, sub
from typing import Final, TypeAlias

from rtp.io.leg import Leg
from rtp.statistics import Drops

_DROPS: Final = tuple(field.name for field in fields(Drops))
_drops_of: Final = attrgetter(*_DROPS)

_TRAFFIC: Final = ("packets_received", "packets_sent", "packets_lost", "octets_received")
_NAMES: Final = (*_TRAFFIC, *(f"dropped_{name}" for name in _DROPS))

Sums: TypeAlias = tuple[int, ...]

_NO_TRAFFIC: Final[Sums] = (0,) * len(_TRAFFIC)
_NOTHING: Final[tuple[Sums, Sums]] = _NO_TRAFFIC, (0,) * len(_DROPS)


class Tally:
    """Totals since the process started, and what each leg has contributed so far."""

    def __init__(self) -> None:
        self._traffic, self._drops = _NOTHING
        self._counted: dict[int, tuple[Sums, Sums]] = {}

    @property
    def totals(self) -> dict[str, float]:
        """The totals by name."""
        return dict(zip(_NAMES, map(float, self._traffic + self._drops), strict=True))

    def count(self, leg: Leg) -> None:
        """Add what is new with `leg`."""
        traffic = _traffic_of(leg) if leg.has_media else _NO_TRAFFIC
        drops = _drops_of(leg.relay.drops)
        before = traffic_before, drops_before = self._counted.get(leg.leg_id, _NOTHING)
        if before == (traffic, drops):
            return
        self._counted[leg.leg_id] = traffic, drops
        self._traffic = tuple(map(add, self._traffic, map(sub, traffic, traffic_before)))
        if drops != drops_before:
            self._drops = tuple(map(add, self._drops, map(sub, drops, drops_before)))

    def forget(self, leg: Leg) -> None:
        """Add what is new with `leg` for the last time."""
        self.count(leg)
        self._counted.pop(leg.leg_id, None)


def _traffic_of(leg: Leg) -> Sums:
    """Return the figures of `leg` in the order of their names."""
    received = leg.relay.received
    return received.packets, leg.packets_sent, received.lost, received.octets
