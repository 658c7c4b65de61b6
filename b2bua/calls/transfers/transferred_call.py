"""A blind transfer: the party hears the ringing tone while the target is rung.

Where the target can't be had, the party talks to the referrer again, if that one still holds its
end of the line. Else the referrer is rung once more, and where that fails too, the party hears
the busy tone and the call is over.
"""

from b2bua.calls.call_over import CallOver, CutOff
from b2bua.calls.exchange import Exchange
from b2bua.calls.hunting.first_answer import first_answer
from b2bua.calls.hunting.hunt import Hunt, let_meet
from b2bua.calls.hunting.ringing import Ringing
from b2bua.calls.hunting.search import Search, Step
from b2bua.calls.inbox import Attachable
from b2bua.calls.party import Party
from b2bua.calls.services import CallServices
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.transfers.lent_call import LentCall
from b2bua.calls.transfers.line import Line
from b2bua.calls.transfers.still_ringing import Target, Transfer
from b2bua.calls.transfers.waiting import Waiting
from b2bua.routing import ToExtension, ToGroup, ToTrunk
from sip.devices import first_flows
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
        transfer: Transfer,
    ) -> None:
        target, request = transfer.target, transfer.request
        super().__init__(services, exchange, line, request=request, other=_wanted(target))
        self._transfer = transfer
        self._loan = transfer.loan
        self._waiting = self._wait()
        self._c.referred_by = transfer.referrer.number
        destination = target.destination
        self._c.emergency = isinstance(destination, ToTrunk) and destination.emergency

    async def _carry(self) -> None:
        try:
            await self._ring()
        except CutOff:
            raise
        except CallOver as over:
            if over.side != "caller":
                await self._come_to_nothing(over)
            raise
        self._loan.keep()
        await self._talk()

    def _wait(self) -> Waiting:
        return Waiting(self._c, self._loan.progress)

    async def _ring(self) -> None:
        """Ring the target; the party hears it."""
        conversation = self._c
        waiting = self._waiting
        await conversation.lending.add_leg(self._line)
        search = Search(
            self._s.plan,
            self._exchange,
            self._transfer.target.destination,
            patience_s=self._s.config.sip.ring_timeout_s,
            caller=self._line.party,
        )
        first = search.first()
        waiting.ring()
        conversation.refreshing.begin(Side.A)
        await Hunt(conversation, self._exchange, search).run(first, waiting, self._called)

    def _called(self, step: Step) -> bool:
        """Note who is rung; we are going to speak to whoever answers."""
        self._c.call(step.stations[0].party)
        self._engage(*(station.party for station in step.stations))
        return True

    async def _come_to_nothing(self, over: CallOver) -> None:
        """Give the party back to the referrer, or ring that one again."""
        conversation, loan = self._c, self._loan
        if not conversation.stands(Side.A):
            return
        if loan.can_return:
            conversation.lending.lend(Side.A, to=lambda line: loan.give_back(line, over))
            return
        loan.lose(over)
        if self._transfer.referrer.extension is not None and self._exchange.accepting:
            conversation.lending.lend(Side.A, to=self._recall)
        else:
            await self._waiting.say_busy()

    def _recall(self, line: Line) -> Attachable:
        referrer, request = self._transfer.referrer, self._transfer.request
        return self._exchange.recall(line, referrer=referrer, request=request)

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
        await conversation.lending.add_leg(self._line)
        waiting.ring()
        conversation.refreshing.begin(Side.A)
        devices = first_flows(self._exchange.reachable(referrer.number))
        ringing = Ringing(conversation, referrer, devices)
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
                await waiting.say_busy()
            raise
        let_meet(waiting, answered)
        await self._talk()


def _wanted(target: Target) -> Party:
    """Return the target as the referrer knows it."""
    destination = target.destination
    match destination:
        case ToTrunk():
            return Party(number=target.dialled, trunk=destination.trunk)
        case ToExtension():
            return Party.own(destination.extension)
        case ToGroup():
            return Party(number=destination.number)
