"""The life of a call between two parties: carried by whatever kind it is, ended in one way.

Whatever ends a call is raised as `CallOver` and met in one place, so each way out releases the
same things in the same order.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from b2bua.calls.call_over import NOBODY, CallOver
from b2bua.calls.conversation import Conversation
from b2bua.calls.exchange import Exchange
from b2bua.calls.inbox import Attachable, CallEvent, PickedUp, Surrendered
from b2bua.calls.party import Party
from b2bua.calls.services import CallServices
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.transfers.line import Line
from sip.dialog_info import DialogState
from sip.reason import q850_reason

if TYPE_CHECKING:
    from b2bua.calls.transfers.still_ringing import Target

logger = logging.getLogger("b2bua.calls.call")

RELEASE_PATIENCE_S = 1.0
"For the media worker's last words about a leg."


class CallLife(ABC):
    """What every call has: a conversation, a task that carries it, and an end."""

    def __init__(
        self, services: CallServices, conversation: Conversation, exchange: Exchange
    ) -> None:
        self._s = services
        self._c = conversation
        self._exchange = exchange
        self._connected = False

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
        return self._connected and any(self._c.media.bridge.sides[side].holds for side in sides)

    def occupies(self, number: str) -> bool:
        """Tell whether an extension talks in the call, or makes it."""
        parties = self._c.parties if self._connected else self._c.parties[:1]
        return any(party.number == number and party.extension is not None for party in parties)

    def call_lamp(self, number: str) -> DialogState:
        """Return how far an extension is in the call; `early` where it is rung."""
        if self._c.closed:
            return "terminated"
        return "confirmed" if self.occupies(number) else "early"

    @property
    def record_lamp(self) -> DialogState:
        """Return `confirmed` while the call is recorded, `early` while that is asked for."""
        if self._c.closed or not self._connected:
            return "terminated"
        if self._c.recording.goes_on:
            return "confirmed"
        return "early" if self._c.is_asked else "terminated"

    # --- parties who go into other calls

    @property
    def linkedid(self) -> str:
        """The `uniqueid` of the first call of the chain of transfers."""
        return self._c.record.linkedid

    def talks_with(self, usage: int, number: str) -> Party | None:
        """Return whom an extension talks to on its `usage`; None where it is not its, or alone."""
        conversation = self._c
        side = conversation.side_of(usage)
        whose = conversation.parties[side]
        away = conversation.closed or bool(conversation.lent)
        if not self._connected or away or conversation.usage(side) != usage:
            return None
        if conversation.renegotiation.is_busy:
            return None
        if whose.extension is None or whose.number != number or not conversation.stands(side.other):
            return None
        return conversation.parties[side.other]

    def surrender(self, usage: int, *, to: Callable[[Line], Attachable]) -> None:
        """Let the party beside `usage` go into the conversation that `to` makes for it."""
        side = self._c.side_of(usage)
        self._c.lending.lend(side.other, to=to)
        self._c.deliver(Surrendered(int(side)))

    def give_up(self, usage: int, number: str) -> "Target | None":  # noqa: ARG002 - see `Call`
        """Return whom an extension is having rung on its `usage`: nobody here."""
        return None

    def fetch(self, event: PickedUp) -> None:
        """Let somebody fetch the call, if it still rings there when this is read."""
        self._c.attach(event.offered.usage)
        self._c.fetching.add(event.offered.usage)
        self._c.deliver(event)

    def deliver(self, event: CallEvent) -> None:
        """Put an event into the inbox."""
        self._c.deliver(event)

    async def run(self) -> None:
        """Carry the call to its closed row; never raises for what a peer did."""
        over = CallOver(500, "Server Internal Error", "FAILED", NOBODY)
        try:
            await self._carry()
        except CallOver as reason:
            # Without its traceback: frames that hold the call would make a cycle of garbage.
            over = reason.with_traceback(None)
        except Exception:
            logger.exception("call failed", extra={"call_id": self.call_id})
        ended_after = self._c.record.elapsed()
        self._hang_up(over)
        # A disk that stands still may keep the row waiting for long, and nobody else.
        self._exchange.settle(self)
        self._c.show_lamps()
        try:
            await self._finish(over, ended_after)
        finally:
            self._c.dissolve()

    @abstractmethod
    async def _carry(self) -> None:
        """Go through the phases; always ends with `CallOver`."""

    # --- the end

    def _hang_up(self, over: CallOver) -> None:
        """Stop the recording, tell both sides, give the ports back.

        Each step is taken even where one before it raises.
        """
        conversation, endpoint = self._c, self._s.endpoint
        now = self._s.clock()
        conversation.closed = True
        steps: list[Callable[[], None]] = [conversation.recording.stop]
        if Side.A not in conversation.lent:
            steps.append(partial(self._tell_caller, over, now))
        ours = (*conversation.lending.staying_usages, *conversation.branches)
        steps.extend(
            partial(endpoint.calls.abandon, each, now) for each in (*ours, *conversation.fetching)
        )
        steps.append(self._s.kick)
        steps.extend(leg.release for leg in conversation.lending.staying_legs)
        for step in steps:
            try:
                step()
            except Exception:
                logger.exception("hanging up failed", extra={"call_id": self.call_id})

    def _tell_caller(self, over: CallOver, now: float) -> None:
        """Say why it is over, where there is more to say than that it is."""
        conversation, endpoint = self._c, self._s.endpoint
        if not conversation.answered_a and over.code != 487:
            headers = conversation.warning(over.warning) if over.code == 488 else ()
            if over.cause is not None:
                headers = (*headers, q850_reason(over.cause))
            endpoint.calls.reject(
                conversation.a, over.code, now, reason=over.phrase, headers=headers
            )
        elif conversation.answered_a and over.cause is not None and over.side != "caller":
            endpoint.calls.bye(conversation.a, now, (q850_reason(over.cause),))

    async def _finish(self, over: CallOver, ended_after: float) -> None:
        conversation = self._c
        staying, deadline = conversation.lending.staying_legs, self._s.clock() + RELEASE_PATIENCE_S
        for leg in staying:
            await leg.last_words(deadline - self._s.clock())
        for side, leg in enumerate(conversation.media.legs):
            if leg in staying:
                leg.on_event = leg.on_lost = None
            g711 = conversation.media.speaks_g711(Side(side))
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
