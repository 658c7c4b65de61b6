"""A blind transfer: the party hears the ringing tone while the target is rung.

Where the target can't be had, the party talks to the referrer again, if that one still holds its
end of the line. Else the referrer is rung once more, and where that fails too, the party hears
the busy tone and the call is over.
"""

import contextlib

from b2bua.calls.bridge import Side
from b2bua.calls.call_over import CallOver, CutOff
from b2bua.calls.conversation import CallServices
from b2bua.calls.exchange import Exchange
from b2bua.calls.greeting import BUSY_TONE_S
from b2bua.calls.hunt import Hunt
from b2bua.calls.lent_call import LentCall
from b2bua.calls.line import Line
from b2bua.calls.loan import Loan
from b2bua.calls.party import Party
from b2bua.calls.ringing import Ringing, first_answer, to_extension
from b2bua.calls.search import Search, Step
from b2bua.calls.waiting import Waiting
from b2bua.routing import Reachable, ToExtension, ToGroup, ToTrunk
from ivr.tones import Tone
from sip.message import Request

RECALL_S = 20.0
"How long a referrer who has hung up is rung again."


class TransferredCall(LentCall):
    """A party, and the target to which it was transferred."""

    def __init__(
        self,
        services: CallServices,
        exchange: Exchange,
        line: Line,
        *,
        loan: Loan,
        referrer: Party,
        destination: Reachable,
        request: Request,
    ) -> None:
        """`destination`: as the dial plan has it for the referrer."""
        super().__init__(services, exchange, line, request=request, other=_wanted(destination))
        self._loan = loan
        self._referrer = referrer
        self._destination = destination
        self._request = request
        self.emergency = isinstance(destination, ToTrunk) and destination.emergency

    async def _carry(self) -> None:
        try:
            await self._ring()
        except CutOff:
            raise
        except CallOver as over:
            if over.side != "caller":
                self._come_to_nothing(over)
            raise
        self._loan.keep()
        await self._talk()

    async def _ring(self) -> None:
        """Ring the target; the party hears it."""
        conversation = self._c
        waiting = Waiting(conversation, self._loan.progress)
        await conversation.lend_leg_beside(self._line)
        waiting.ring()
        conversation.refreshing.begin(Side.A)
        search = Search(
            self._s.plan,
            self._exchange,
            self._destination,
            patience_s=self._s.config.sip.ring_timeout_s,
        )
        hunt = Hunt(conversation, self._exchange, search)
        await hunt.run(search.first(), waiting, self._called)

    def _called(self, step: Step) -> bool:
        """Note who is rung; we are going to speak to whoever answers."""
        self._c.call(step.stations[0].party)
        self._engage(*(station.party for station in step.stations))
        return True

    def _come_to_nothing(self, over: CallOver) -> None:
        """Give the party back to the referrer, or ring that one again."""
        conversation, loan = self._c, self._loan
        if not conversation.stands(Side.A):
            return
        if loan.can_return:
            conversation.lend(Side.A, to=lambda _line: loan.lender)
            loan.give_back(over)
        elif self._referrer.extension is not None and self._exchange.accepting:
            loan.lose(over)
            conversation.lend(Side.A, to=self._recall)

    def _recall(self, line: Line) -> LentCall:
        recall = RecallCall(
            self._s, self._exchange, line, referrer=self._referrer, request=self._request
        )
        self._exchange.begin(recall)
        return recall

    def _hang_up(self, over: CallOver) -> None:
        if not self._loan.settled:
            self._loan.lose(over)
        super()._hang_up(over)


class RecallCall(LentCall):
    """A party whose transfer has failed, and the referrer, who had hung up."""

    def __init__(
        self,
        services: CallServices,
        exchange: Exchange,
        line: Line,
        *,
        referrer: Party,
        request: Request,
    ) -> None:
        super().__init__(services, exchange, line, request=request, other=referrer)
        self._referrer = referrer

    async def _carry(self) -> None:
        conversation, referrer = self._c, self._referrer
        waiting = Waiting(conversation, lambda _code: None)
        conversation.call(referrer)
        self._engage(referrer)
        await conversation.lend_leg_beside(self._line)
        waiting.ring()
        conversation.refreshing.begin(Side.A)
        targets = to_extension(self._exchange.reachable(referrer.number))
        ringing = Ringing(conversation, referrer, targets)
        waiting.offer(narrow=True, final=True)
        ringing.start()
        try:
            answered = await first_answer(
                conversation, [ringing], waiting.on_event, patience_s=RECALL_S
            )
        except CutOff:
            raise
        except CallOver as over:
            if over.side != "caller":
                with contextlib.suppress(CallOver):
                    busy = self._s.voices.tone(Tone.BUSY)
                    await waiting.say(busy, for_s=BUSY_TONE_S)
            raise
        waiting.accept(answered)
        await self._talk()


def _wanted(destination: Reachable) -> Party:
    match destination:
        case ToTrunk():
            return Party(number=destination.number, trunk=destination.trunk)
        case ToExtension():
            return Party.own(destination.extension)
        case ToGroup():
            return Party(number=destination.number)
