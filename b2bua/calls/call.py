"""One call: from the offered INVITE to its closed row.

A call is a coroutine with an inbox. It reads top to bottom as the call goes: find whom to call,
ask the caller where that is due, ring, talk, end (`life.py`).
"""

from b2bua.calls.call_over import CallOver, nobody
from b2bua.calls.conversation import Conversation
from b2bua.calls.exchange import Exchange
from b2bua.calls.forwarding import Forwarding
from b2bua.calls.greeting import Greeting
from b2bua.calls.hunting.diversion import diverted_by
from b2bua.calls.hunting.history_info import replaced_by_others
from b2bua.calls.hunting.hunt import Hunt
from b2bua.calls.hunting.search import Search, Step
from b2bua.calls.life import CallLife
from b2bua.calls.party import Party
from b2bua.calls.services import CallServices
from b2bua.calls.talking import Talk
from b2bua.calls.transfers.still_ringing import StillRinging, Target
from b2bua.routing import Reachable, ToExtension, ToGroup, ToTrunk
from b2bua.trunks.arrival import dialled_number
from recording.policy import Decision, Direction, Start
from sip.events import InviteCancelled, InviteOffered
from sip.hops import hops_left


class Call(CallLife):
    """The B2BUA between one caller's usage and one callee's."""

    def __init__(
        self,
        services: CallServices,
        offered: InviteOffered,
        caller: Party,
        destination: Reachable | CallOver,
        exchange: Exchange,
    ) -> None:
        """`destination`: a `CallOver` where there is none, for the row to say so."""
        super().__init__(services, Conversation(services, offered, caller), exchange)
        self._caller = caller
        self._destination = destination
        self._greeted = False
        self._forwarding: tuple[Hunt, Forwarding] | None = None
        "Whoever is rung, and what the caller hears of it from the network."
        self._step: Step | None = None
        "Who is being rung."
        self._asking: list[bool] = []
        "Of each of them, whether it will want to ask the outside party."
        self._dialled = dialled_number(offered.request, caller.trunk)
        self._direction = _direction(caller, outside=isinstance(destination, ToTrunk))
        self._c.recording.fax = services.plan.is_fax(caller.number, caller.trunk, self._dialled)
        self._c.record.open(offered, caller, self._direction.value)

    def give_up(self, usage: int, number: str) -> Target | None:
        """Return whom the caller is having rung; here they are rung no longer."""
        conversation, caller = self._c, self._caller
        ours = caller.extension is not None and caller.number == number and usage == conversation.a
        if not ours or conversation.answered_a or isinstance(self._destination, CallOver):
            return None
        self._s.endpoint.calls.reject(usage, 487, conversation.now)
        conversation.deliver(InviteCancelled(usage, "transferred"))
        return Target(
            destination=self._destination,
            dialled=self._dialled,
            ringing=self._forwarding and StillRinging.of(conversation, *self._forwarding),
        )

    # --- the call

    async def _carry(self) -> None:
        """Go through the phases; always ends with `CallOver`."""
        conversation, destination = self._c, self._destination
        if isinstance(destination, CallOver):
            raise destination
        if not hops_left(conversation.request):
            raise nobody(483, "Too Many Hops", self._dialled)
        await self._find(destination)
        self._answered()
        await self._talk()

    async def _find(self, destination: Reachable) -> None:
        """Ask the caller where that is due, and ring, until somebody has answered."""
        conversation = self._c
        search = Search(
            self._s.plan,
            self._exchange,
            destination,
            patience_s=self._s.config.sip.ring_timeout_s,
            caller=self._caller,
            diverted_by=self._diverted_by(),
        )
        step = search.first()
        self._prepare(step)
        self._routed()
        conversation.emergency = self._emergency
        await conversation.media.lend(conversation.way_of_caller)
        hunt = Hunt(conversation, self._exchange, search)
        if all(self._asking) and self._direction is Direction.INCOMING:
            await self._greet_and_ring(hunt, step)
        else:
            self._forwarding = hunt, Forwarding(conversation)
            await hunt.run(step, self._forwarding[1], self._prepare)
            self._forwarding = None

    def _diverted_by(self) -> set[str]:
        """Return our extensions that have sent this call on, before it came back from outside."""
        plan, trunk = self._s.plan, self._caller.trunk
        if trunk is None:
            return set()
        names = diverted_by(self._c.request) | replaced_by_others(self._c.request)
        found = [plan.from_trunk(name, trunk) for name in names]
        return {each.extension.number for each in found if isinstance(each, ToExtension)}

    def _routed(self) -> None:
        """Note in the row whom the caller wants."""
        destination = self._destination
        match destination:
            case ToTrunk():
                wanted = self._dialled
            case ToExtension():
                wanted = destination.extension.number
            case ToGroup():
                wanted = destination.number
            case CallOver():
                return
        did = self._dialled if self._direction is Direction.INCOMING else ""
        self._c.record.routed(wanted, self._direction.value, did)

    def _prepare(self, step: Step) -> bool:
        """Note who is rung; tells whether they are to be offered G.711 alone.

        Because one of them will ask the outside party, or because the call is a fax: its tones
        don't outlive any other codec.
        """
        if step is not self._step:
            self._step = step
            self._c.call(step.stations[0].party)
            self._engage(*(station.party for station in step.stations))
            decisions = [self._decide(station.party) for station in step.stations]
            self._asking = [each.start is Start.AFTER_CONSENT for each in decisions]
        return any(self._asking) or self._c.recording.fax

    def _answered(self) -> None:
        """Note who has answered: from now on they talk."""
        callee = self._c.callee
        self._connected = True
        self._c.forget_request()
        self._engage(callee)
        direction = _direction(self._caller, outside=callee.extension is None)
        if direction is not self._direction:
            self._direction = direction
            self._routed()

    def _engage(self, *callees: Party) -> None:
        parties = (self._caller, *callees)
        own = {party.number for party in parties if party.extension is not None}
        self._exchange.engage(self, own)

    def _decide(self, callee: Party, *, outside_has_keys: bool = True) -> Decision:
        return self._c.recording.decide(
            _direction(self._caller, outside=callee.extension is None),
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
            await hunt.run(step, greeting, self._prepare)
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
        talk = Talk(
            conversation,
            decision,
            call=self,
            exchange=self._exchange,
            greeted=self._greeted,
            emergency=self._emergency,
        )
        await talk.run(agreed=conversation.recording.agreed)


def _direction(caller: Party, *, outside: bool) -> Direction:
    """`outside`: that is where the call goes."""
    if caller.extension is None:
        return Direction.INCOMING
    return Direction.OUTGOING if outside else Direction.INTERNAL
