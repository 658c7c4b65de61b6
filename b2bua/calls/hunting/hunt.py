"""Ringing whoever the search names, one step after the other, until somebody answers."""

from collections.abc import Callable
from typing import Protocol

from b2bua.calls.call_over import Unanswered
from b2bua.calls.conversation import Conversation
from b2bua.calls.exchange import Exchange
from b2bua.calls.hunting.first_answer import first_answer
from b2bua.calls.hunting.ringing import Ringing
from b2bua.calls.hunting.search import Search, Station, Step
from b2bua.calls.hunting.trunk_ringing import TrunkRinging
from b2bua.calls.inbox import CallEvent, PickedUp
from b2bua.routing import ToTrunk
from sip.devices import first_flows
from sip.events import InviteAnswered


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

    def fetched(self) -> None:
        """Let the caller hear whoever has fetched the call; raises `CallOver`."""


def let_meet(front: Front, answered: InviteAnswered | PickedUp) -> None:
    """Let the caller hear whoever has answered, or has fetched the call; raises `CallOver`."""
    if isinstance(answered, PickedUp):
        front.fetched()
    else:
        front.accept(answered)


class Hunt:
    """The search of one call at work."""

    def __init__(self, conversation: Conversation, exchange: Exchange, search: Search) -> None:
        self._c = conversation
        self._exchange = exchange
        self._search = search
        self._sent_on = 0
        self.step: Step | None = None
        "Who is being rung."
        self.ringings: list[Ringing] = []

    def moved_to(self, conversation: Conversation) -> "Hunt":
        """Return a hunt that goes on as this one is, in another conversation; here it is over."""
        moved = Hunt(conversation, self._exchange, self._search)
        moved._sent_on, moved.step = self._sent_on, self.step
        moved.ringings = [each.moved_to(conversation) for each in self.ringings if each.rings]
        return moved

    async def run(self, step: Step, front: Front, prepare: Callable[[Step], bool]) -> None:
        """Ring until somebody has answered, beginning with `step`; raises `CallOver`.

        `prepare` is told of each step, and says whether G.711 alone is to be offered.
        """
        self._ring(step, front, prepare)
        await self.go_on(front, prepare)

    async def go_on(self, front: Front, prepare: Callable[[Step], bool]) -> None:
        """Wait for those who are rung, and ring on until somebody has answered, as `run` does."""
        while True:
            assert self.step is not None
            try:
                answered = await first_answer(
                    self._c, self.ringings, front.on_event, patience_s=self.step.patience_s
                )
            except Unanswered as over:
                # The search keeps it; its frames keep all else, and so would make a circle.
                step = self._search.after(over.with_traceback(None))
                self._ring(step, front, prepare)
            else:
                let_meet(front, answered)
                return

    def _ring(self, step: Step, front: Front, prepare: Callable[[Step], bool]) -> None:
        if len(step.diversions) > self._sent_on:
            self._sent_on = len(step.diversions)
            front.sent_on()
        narrow = prepare(step)
        self.step = step
        self.ringings = [self._ringing(station, step) for station in step.stations]
        front.offer(narrow=narrow, final=step.final)
        for ringing in self.ringings:
            ringing.start()

    def _ringing(self, station: Station, step: Step) -> Ringing:
        if isinstance(station.destination, ToTrunk):
            return TrunkRinging(self._c, station.party, station.destination, step.diversions)
        devices = first_flows(self._exchange.reachable(station.party.number))
        return Ringing(self._c, station.party, devices, step.diversions)
