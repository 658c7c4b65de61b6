"""One call: from the offered INVITE to its closed row.

A call is a coroutine with an inbox. It reads top to bottom as the call goes: find whom to call,
ask the caller where that is due, ring, talk, end. Whatever ends it is raised as `CallOver` and
met in one place, so each way out releases the same things in the same order.
"""

import asyncio
import contextlib
import logging

from b2bua.calls.bridge import Side
from b2bua.calls.call_over import NOBODY, CallOver
from b2bua.calls.conversation import CallServices, Conversation
from b2bua.calls.exchange import Exchange
from b2bua.calls.forwarding import Forwarding
from b2bua.calls.greeting import Greeting
from b2bua.calls.hunt import Hunt
from b2bua.calls.inbox import CallEvent
from b2bua.calls.party import Party
from b2bua.calls.search import Search, Step
from b2bua.calls.talking import Talk
from b2bua.routing import ToExtension, ToTrunk
from recording.policy import Decision, Direction, Start
from sip.events import InviteOffered

logger = logging.getLogger("b2bua.calls.call")

RELEASE_PATIENCE_S = 1.0
"For the media worker's last words about a leg."


class Call:
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
        self._s = services
        self._exchange = exchange
        self._caller = caller
        self._destination = destination
        self._flow = offered.flow
        self._connected = False
        self._greeted = False
        self._c = Conversation(services, offered, caller)
        self._dialled = offered.request.uri.user or ""
        self._direction = _direction(caller, destination)
        self._c.record.open(offered, caller, self._direction.value)

    @property
    def call_id(self) -> str:
        """The call's `uniqueid`."""
        return self._c.record.uniqueid

    @property
    def usages(self) -> tuple[int, ...]:
        """Every usage that was ever attached to the call."""
        return self._c.usages

    @property
    def is_talking(self) -> bool:
        """Whether the parties hear each other, or did before a hold."""
        return self._connected

    def is_held_by(self, number: str) -> bool:
        """Tell whether an extension has put the call on hold."""
        sides = [side for side in Side if self._c.parties[side].number == number]
        return self._connected and any(self._c.bridge.sides[side].holds for side in sides)

    def deliver(self, event: CallEvent) -> None:
        """Put an event into the inbox."""
        self._c.deliver(event)

    async def run(self) -> None:
        """Carry the call from offer to closed row; never raises for what a peer did."""
        over = CallOver(500, "Server Internal Error", "FAILED", NOBODY)
        try:
            await self._carry()
        except CallOver as reason:
            # Without its traceback: frames that hold the call would make a cycle of garbage.
            over = reason.with_traceback(None)
        except Exception:
            logger.exception("call failed", extra={"call_id": self.call_id})
        ended_after = self._c.record.elapsed()
        try:
            self._hang_up(over)
        except Exception:
            logger.exception("hanging up failed", extra={"call_id": self.call_id})
        await self._finish(over, ended_after)

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

    # --- the end

    def _hang_up(self, over: CallOver) -> None:
        """Stop the recording, tell both sides, give the ports back.

        Each step is taken even where one before it raises (the stack unwinds in the opposite
        order, so the first step stands last).
        """
        conversation, endpoint = self._c, self._s.endpoint
        now = self._s.clock()
        with contextlib.ExitStack() as steps:
            for leg in conversation.legs:
                steps.callback(leg.release)
            steps.callback(self._s.kick)
            for usage in (conversation.a, conversation.b, *conversation.branches):
                if usage is not None:
                    steps.callback(endpoint.abandon, usage, now)
            if not conversation.answered_a and over.code != 487:
                steps.callback(endpoint.reject, conversation.a, over.code, now, reason=over.phrase)
            elif conversation.answered_a and over.cause is not None:
                reason = ("Reason", f"Q.850;cause={over.cause}")
                steps.callback(endpoint.bye, conversation.a, now, (reason,))
            steps.callback(conversation.recording.stop)

    async def _finish(self, over: CallOver, ended_after: float) -> None:
        conversation = self._c
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_PATIENCE_S):
                for leg in conversation.legs:
                    await leg.released.wait()
        for side, leg in enumerate(conversation.legs):
            leg.on_event = leg.on_lost = None
            g711 = conversation.speaks_g711(Side(side))
            conversation.record.leave(side, leg.statistics, g711=g711)
        verdict = await conversation.recording.verdict(
            connected=self._connected, not_connected=over.why
        )
        conversation.record.close(
            "ANSWERED" if self._connected else over.disposition,
            verdict,
            ended_after=ended_after,
            side=over.side,
            cause=over.cause,
        )


def _direction(caller: Party, destination: ToExtension | ToTrunk | CallOver) -> Direction:
    if caller.extension is None:
        return Direction.INCOMING
    return Direction.OUTGOING if isinstance(destination, ToTrunk) else Direction.INTERNAL
