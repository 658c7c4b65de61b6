"""Ringing whoever the search names, one step after the other, until somebody answers."""

from collections.abc import Callable
from typing import Protocol

from b2bua.calls.call_over import Unanswered
from b2bua.calls.conversation import Conversation
from b2bua.calls.exchange import Exchange
from b2bua.calls.inbox import CallEvent
from b2bua.calls.ringing import Ringing, first_answer
from b2bua.calls.search import Search, Station, Step
from b2bua.calls.trunk_ringing import TrunkRinging
from b2bua.routing import ToTrunk
from sip.events import InviteAnswered
from sip.registrar import first_flows


class Front(Protocol):
    """The caller's side while others are rung."""

    def offer(self, *, narrow: bool, final: bool) -> object:
        """Let the bridge have an offer for those who are rung; raises `CallOver`.

        `narrow`: G.711 alone where there is G.711, since we are going to speak. `final`: nobody
        is rung after them.
        """

    def sent_on(self) -> None:
        """Learn that the call was forwarded: somebody is rung in another one's place."""

    def on_event(self, event: CallEvent) -> None:
        """Take what is neither an answer nor an end."""

    def accept(self, answered: InviteAnswered) -> None:
        """Let the caller and whoever answered agree; raises `CallOver`."""


class Hunt:
    """The search of one call at work."""

    def __init__(self, conversation: Conversation, exchange: Exchange, search: Search) -> None:
        self._c = conversation
        self._exchange = exchange
        self._search = search

    async def run(self, step: Step, front: Front, prepare: Callable[[Step], bool]) -> None:
        """Ring until somebody has answered, beginning with `step`; raises `CallOver`.

        `prepare` is told of each step, and says whether G.711 alone is to be offered.
        """
        sent_on = 0
        while True:
            if len(step.diversions) > sent_on:
                sent_on = len(step.diversions)
                front.sent_on()
            narrow = prepare(step)
            ringings = [self._ringing(station, step) for station in step.stations]
            front.offer(narrow=narrow, final=step.final)
            for ringing in ringings:
                ringing.start()
            try:
                answered = await first_answer(
                    self._c, ringings, front.on_event, patience_s=step.patience_s
                )
            except Unanswered as over:
                step = self._search.after(over)
            else:
                front.accept(answered)
                return

    def _ringing(self, station: Station, step: Step) -> Ringing:
        if isinstance(station.destination, ToTrunk):
            return TrunkRinging(self._c, station.party, station.destination, step.diversions)
        devices = first_flows(self._exchange.reachable(station.party.number))
        return Ringing(self._c, station.party, devices, step.diversions)
