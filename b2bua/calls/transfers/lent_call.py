"""A call that begins with a party of another one: what is common to all kinds of transfer.

It has a row of its own, with the `linkedid` of the call that the party comes from. Whether it is
recorded is decided anew, for those who talk now; an outside party's yes goes with the party.
"""

from b2bua.calls.conversation import Conversation
from b2bua.calls.exchange import Exchange
from b2bua.calls.life import CallLife
from b2bua.calls.party import Party
from b2bua.calls.services import CallServices
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.talking import Talk
from b2bua.calls.transfers.line import Line
from recording.policy import Decision, Direction
from sip.events import InviteOffered
from sip.message import Request


class LentCall(CallLife):
    """The call of a party that was lent, and of whoever it talks to now."""

    def __init__(
        self,
        services: CallServices,
        exchange: Exchange,
        line: Line,
        *,
        request: Request,
        other: Party,
        linkedid: str = "",
    ) -> None:
        """`request`: what had the party transferred; `other`: whom it is to talk to."""
        offered = InviteOffered(
            line.usage, request, services.endpoint.calls.dialog(line.usage).flow
        )
        conversation = Conversation(services, offered, line.party)
        super().__init__(services, conversation, exchange)
        self._line = line
        self._flow = offered.flow
        self._recorded = line.recorded
        conversation.recording.fax = line.fax
        self._direction = direction_of(line.party, other)
        conversation.answered_a = True
        conversation.record.open_transferred(
            line.party,
            other.number,
            self._direction.value,
            linkedid=linkedid or line.linkedid,
            call_id=services.endpoint.calls.dialog(line.usage).call_id,
        )
        conversation.lending.adopt(Side.A, line)

    @property
    def conversation(self) -> Conversation:
        """Where the party's events go from now on."""
        return self._c

    def _engage(self, *others: Party) -> None:
        parties = (self._line.party, *others)
        self._exchange.engage(self, {p.number for p in parties if p.extension is not None})

    def _decide(self) -> Decision:
        """Decide about the recording, for the parties who talk now."""
        conversation = self._c
        own = [party for party in conversation.parties if party.extension is not None]
        if any(self._s.plan.is_fax(party.number, None, "") for party in own):
            conversation.recording.fax = True
        direction = direction_of(*conversation.parties)
        outside = conversation.outside
        can_be_asked = outside is None or conversation.can_be_asked(outside)
        decide = (
            conversation.recording.carry_on if self._recorded else conversation.recording.decide
        )
        return decide(
            direction,
            conversation.parties,
            emergency=self._c.emergency,
            outside_has_keys=can_be_asked,
        )

    async def _talk(self) -> None:
        """Talk until somebody ends it; a recording begins at once, or with the question."""
        self._connected = True
        self._engage(self._c.callee)
        talk = Talk(
            self._c,
            self._decide(),
            call=self,
            exchange=self._exchange,
            transferred=True,
            emergency=self._c.emergency,
        )
        await talk.run(agreed=self._c.recording.agreed)


def direction_of(caller: Party, callee: Party) -> Direction:
    """Return the direction of a call between two parties, seen from this house."""
    if caller.extension is None:
        return Direction.INCOMING
    return Direction.INTERNAL if callee.extension is not None else Direction.OUTGOING
