"""Two parties of other calls who talk to each other now: an attended transfer, or a Replaces."""

import contextlib

from b2bua.calls.call_over import NOBODY, CallOver
from b2bua.calls.exchange import Exchange
from b2bua.calls.party import Party
from b2bua.calls.services import CallServices
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.transfers.lent_call import LentCall
from b2bua.calls.transfers.line import Line
from sip.errors import RemoteProtocolError
from sip.events import InviteOffered
from sip.message import Request


class JoinedCall(LentCall):
    """The two whom a referrer talked to, one after the other."""

    def __init__(
        self,
        services: CallServices,
        exchange: Exchange,
        first: Line,
        *,
        second: Party,
        request: Request,
        linkedid: str,
    ) -> None:
        """`second`: the party of the line that `meet` brings."""
        super().__init__(
            services, exchange, first, request=request, other=second, linkedid=linkedid
        )
        self._second: Line | None = None

    def meet(self, line: Line) -> "JoinedCall":
        """Take the second party in."""
        self._second = line
        self._recorded = self._recorded or line.recorded
        self._c.call(line.party)
        self._c.lending.adopt(Side.B, line)
        return self

    async def _carry(self) -> None:
        conversation, first, second = self._c, self._line, self._second
        assert second is not None
        self._still_there()
        await conversation.lending.join(first.negotiation, second.negotiation)
        record = conversation.record
        record.join(second.party, side=Side.B, call_id=conversation.sip_call_id(Side.B))
        record.answered(second.party)
        with contextlib.suppress(RemoteProtocolError):
            # Without a common codec they meet when both have answered our offers.
            conversation.media.bridge.join()
        for side in Side:
            conversation.refreshing.begin(side)
        await self._talk()

    def _still_there(self) -> None:
        """Raise `CallOver` where a party left while it changed hands."""
        for side, name in ((Side.A, "caller"), (Side.B, "callee")):
            if not self._c.stands(side):
                raise CallOver(0, "", "FAILED", NOBODY, side=name)


class TakenCall(LentCall):
    """A party, and the extension that it talks to, at another telephone of that extension."""

    def __init__(
        self,
        services: CallServices,
        exchange: Exchange,
        line: Line,
        *,
        offered: InviteOffered,
        taker: Party,
    ) -> None:
        """`offered`: the INVITE with Replaces."""
        super().__init__(services, exchange, line, request=offered.request, other=taker)
        self._offered = offered
        self._taker = taker
        self._c.call(taker)
        self._c.b = offered.usage
        self._c.attach(offered.usage)

    async def _carry(self) -> None:
        conversation, offered = self._c, self._offered
        self._engage(self._taker)
        await conversation.lending.add_leg(self._line)
        bridge, endpoint = conversation.media.bridge, self._s.endpoint
        bridge.sides[Side.B].meet(self._s.ways.to(self._taker, offered.flow))
        body = conversation.media.negotiate(
            lambda: bridge.answer_alone(Side.B, offered.request.body)
        )
        endpoint.calls.answer(offered.usage, body, conversation.now)
        conversation.kick()
        record = conversation.record
        record.join(self._taker, side=Side.B, call_id=conversation.sip_call_id(Side.B))
        record.answered(self._taker)
        with contextlib.suppress(RemoteProtocolError):
            bridge.join()
        conversation.refreshing.begin(Side.A)
        await self._talk()
