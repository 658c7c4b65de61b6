"""One call: from the offered INVITE to its closed row.

A call is a coroutine with an inbox. It reads top to bottom as the call goes: find whom to call,
ask the caller where that is due, ring, talk, end (`life.py`).
"""

from b2bua.calls.call_over import CallOver
from b2bua.calls.conversation import CallServices, Conversation
from b2bua.calls.exchange import Exchange
from b2bua.calls.forwarding import Forwarding
from b2bua.calls.greeting import Greeting
from b2bua.calls.hunt import Hunt
from b2bua.calls.life import CallLife
from b2bua.calls.party import Party
from b2bua.calls.search import Search, Step
from b2bua.calls.talking import Talk
from b2bua.routing import ToExtension, ToTrunk
from recording.policy import Decision, Direction, Start
from sip.events import InviteOffered


class Call(CallLife):
    """The B2BUA between one caller's usage and one callee's."""

    def __init__(
        self,
        services: CallServices,
        offered: InviteOffered,
        caller: Party,
        destination: ToExtension | ToTrunk | CallOver,
        exchange: Exchange,
    ) -> None:
        """`destination`: a `CallOver` where there is none, for the row to say so."""
        super().__init__(services, Conversation(services, offered, caller), exchange)
        self._caller = caller
        self._destination = destination
        self._flow = offered.flow
        self._greeted = False
        self._dialled = offered.request.uri.user or ""
        self._direction = _direction(caller, destination)
        self._c.record.open(offered, caller, self._direction.value)

    # --- the call

    async def _carry(self) -> None:
        """Go through the phases; always ends with `CallOver`."""
        conversation, destination = self._c, self._destination
        if isinstance(destination, CallOver):
            raise destination
        search = Search(self._exchange, destination, patience_s=self._s.config.sip.ring_timeout_s)
        step = search.first()
        self._wanted(step)
        asking = self._ask_first(step)
        await conversation.lend_legs()
        hunt = Hunt(conversation, self._exchange, search, self._flow)
        if asking and self._direction is Direction.INCOMING:
            await self._greet_and_ring(hunt, step)
        else:
            await hunt.run(step, Forwarding(conversation), narrow=asking)
        self._connected = True
        await self._talk()

    def _wanted(self, step: Step) -> None:
        """Note whom the caller wants."""
        conversation, callee = self._c, step.stations[0].party
        conversation.call(callee)
        numbers = {s.party.number for s in step.stations if s.party.extension is not None}
        own = {self._caller.number} if self._caller.extension is not None else set()
        self._exchange.engage(self, own | numbers)
        conversation.record.routed(
            self._dialled if callee.extension is None else callee.number,
            self._direction.value,
            self._dialled if self._direction is Direction.INCOMING else "",
        )

    def _ask_first(self, step: Step) -> bool:
        """Tell whether whoever answers will want to ask the outside party."""
        decisions = [self._decide(station.party) for station in step.stations]
        return all(decision.start is Start.AFTER_CONSENT for decision in decisions)

    def _decide(self, callee: Party, *, outside_has_keys: bool = True) -> Decision:
        return self._c.recording.decide(
            self._direction,
            (self._caller, callee),
            emergency=self._emergency,
            outside_has_keys=outside_has_keys,
        )

    @property
    def _emergency(self) -> bool:
        return isinstance(self._destination, ToTrunk) and self._destination.emergency

    async def _greet_and_ring(self, hunt: Hunt, step: Step) -> None:
        """Answer and ask the caller, then ring; the caller hears from us how that goes."""
        greeting = Greeting(self._c)
        self._greeted = True
        await greeting.answer()
        await greeting.ask()
        greeting.ring()
        try:
            await hunt.run(step, greeting, narrow=True)
        except CallOver as over:
            if over.cause is not None:
                await greeting.say_why(over)
            raise

    async def _talk(self) -> None:
        """Talk until somebody ends it; only now it is known whether the other side has keys."""
        conversation = self._c
        outside = conversation.outside
        can_be_asked = outside is None or conversation.can_be_asked(outside)
        decision = self._decide(conversation.callee, outside_has_keys=can_be_asked)
        talk = Talk(conversation, decision, greeted=self._greeted, emergency=self._emergency)
        await talk.run(agreed=conversation.recording.agreed)


def _direction(caller: Party, destination: ToExtension | ToTrunk | CallOver) -> Direction:
    if caller.extension is None:
        return Direction.INCOMING
    return Direction.OUTGOING if isinstance(destination, ToTrunk) else Direction.INTERNAL
