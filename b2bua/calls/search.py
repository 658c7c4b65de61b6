"""Whom to ring next. Decides only; `hunt.py` rings.

A search begins with what the dial plan says. Each step is one or several parties who are rung
at the same time; where a step came to nothing, the search says which one follows.
"""

from dataclasses import dataclass
from typing import NoReturn

from b2bua.calls.call_over import CallOver, busy, no_answer
from b2bua.calls.exchange import Exchange
from b2bua.calls.party import Party
from b2bua.routing import ToExtension, ToTrunk
from recording.reasons import ReasonKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One party who is rung."""

    party: Party
    destination: ToExtension | ToTrunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Those who are rung at the same time."""

    stations: tuple[Station, ...]
    patience_s: float
    "How long they may let it ring."


class Search:
    """The way of one call through the house, until somebody answers."""

    def __init__(
        self, exchange: Exchange, destination: ToExtension | ToTrunk, *, patience_s: float
    ) -> None:
        self._exchange = exchange
        self._destination = destination
        self._patience_s = patience_s

    def first(self) -> Step:
        """Return who is rung first; raises `CallOver` where there is nobody."""
        station = _station(self._destination)
        if isinstance(self._destination, ToExtension):
            number = station.party.number
            if self._exchange.is_full(number):
                raise busy(number)
            if not self._exchange.is_registered(number):
                raise no_answer(ReasonKey.UNREACHABLE, number)
        return Step(stations=(station,), patience_s=self._patience_s)

    def after(self, over: CallOver) -> NoReturn:
        """Return who is rung after a step that ended so; raises `CallOver` where nobody is."""
        raise over


def _station(destination: ToExtension | ToTrunk) -> Station:
    if isinstance(destination, ToTrunk):
        party = Party(number=destination.number, trunk=destination.trunk)
    else:
        party = Party.own(destination.extension)
    return Station(party=party, destination=destination)
