"""Parties who go from one conversation into another, and may come back.

What was agreed on with a party goes with it as a `Line`: its dialog, its leg, its word. Nothing of
the conversation that it leaves reaches it any more, and what still comes for it there is passed
on. Its tap is closed the moment it goes.
"""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from b2bua.calls.inbox import Attachable, CallEvent
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.sessions.negotiation import Negotiation
from b2bua.calls.transfers.line import Line
from b2bua.media.leg import MediaLeg
from sip.errors import RemoteProtocolError

if TYPE_CHECKING:
    from b2bua.calls.conversation import Conversation


class Lending:
    """Who of one conversation is away, and who in it came from another one."""

    def __init__(self, conversation: "Conversation") -> None:
        self._c = conversation
        self.away: dict[Side, Attachable] = {}
        "Sides that are in another conversation, and in which."
        self._rung: dict[int, Attachable] = {}
        "Usages that began to ring here and ring in another conversation now, and in which."
        self._lines: dict[Side, Line] = {}
        "Parties who came from other conversations."

    # --- going

    def lend(self, side: Side, *, to: Callable[[Line], Attachable]) -> None:
        """Give a party away into the conversation that `to` makes for it."""
        conversation = self._c
        line = self._line(side)
        conversation.media.give_away(side)
        if conversation.media.is_there:
            conversation.recording.suspend()
        conversation.detach(line.usage)
        self.away[side] = to(line)

    def lend_ringing(self, usages: Collection[int], *, to: "Conversation") -> None:
        """Give away the callee's leg, and the dialogs of those who ring for it."""
        conversation = self._c
        conversation.media.give_away(Side.B)
        for usage in usages:
            conversation.branches.discard(usage)
            conversation.detach(usage)
        self._rung |= dict.fromkeys(usages, to)
        self.away[Side.B] = to

    def _line(self, side: Side) -> Line:
        conversation, usage = self._c, self._c.usage(side)
        assert usage is not None
        if conversation.media.is_there:
            negotiation = conversation.media.bridge.sides[side]
        else:
            negotiation = self._lines[side].negotiation
        return Line(
            party=conversation.parties[side],
            usage=usage,
            leg=negotiation.leg,
            negotiation=negotiation,
            allows_info=conversation.takes_info[side],
            agreement=conversation.recording.agreement(side),
            recorded=conversation.recording.running,
            fax=conversation.recording.fax,
            offers=conversation.refreshing.pending(side),
            uniqueid=conversation.record.uniqueid,
            linkedid=conversation.record.linkedid,
        )

    def borrower(self, event: CallEvent | None) -> Attachable | None:
        """Return the conversation whose an event is, because it is about a party on loan."""
        if not self.away:
            return None
        conversation = self._c
        usage, leg_id = getattr(event, "usage", None), getattr(event, "leg_id", None)
        if usage in self._rung:
            return self._rung[usage]
        for side, borrower in self.away.items():
            if usage is not None and usage == conversation.usage(side):
                return borrower
            if conversation.media.is_there and leg_id == conversation.media.legs[side].leg_id:
                return borrower
        return None

    @property
    def staying_usages(self) -> list[int]:
        """The parties' usages, but for those that are away."""
        usages = (self._c.usage(side) for side in Side if side not in self.away)
        return [usage for usage in usages if usage is not None]

    @property
    def staying_legs(self) -> list[MediaLeg]:
        """The legs, but for those that are away.

        A party that has come here before there was a second leg has brought its own.
        """
        legs = self._c.media.legs or [line.leg for line in self._lines.values()]
        return [leg for side, leg in zip(Side, legs, strict=False) if side not in self.away]

    # --- coming

    def adopt(self, side: Side, line: Line) -> None:
        """Take in the dialog of a party that comes from another conversation."""
        conversation = self._c
        if side is Side.B:
            conversation.b = line.usage
        conversation.attach(line.usage)
        conversation.media.listen_to(line.leg)
        self._lines[side] = line
        conversation.refreshing.take_over(side, line.offers)
        conversation.takes_info[side] = line.allows_info
        if line.agreement is not None:
            conversation.recording.carry(side, line.agreement, line.uniqueid)
        _begin_anew(line.leg)

    def take_back(self, side: Side, line: Line) -> None:
        """Have a party again that was lent."""
        conversation = self._c
        del self.away[side]
        conversation.refreshing.take_over(side, line.offers)
        conversation.attach(line.usage)
        conversation.media.listen_to(line.leg)
        _begin_anew(line.leg)
        try:
            conversation.media.take_back(side)
        except RemoteProtocolError as error:
            # The next offer of either side brings them together again.
            conversation.log("no common codec yet", str(error))
        conversation.recording.resume(conversation.media.bridge)

    # --- its leg beside another one

    async def add_leg(self, line: Line) -> None:
        """Get a leg for whoever is to talk to a party that has come; raises `CallOver`."""
        conversation = self._c
        leg = await conversation.media.lend_beside(line.leg)
        bridge = conversation.media.use(line.leg, leg, (line.negotiation, None))
        bridge.sides[Side.B].meet(conversation.way_of_caller.plain)

    async def join(self, first: Negotiation, second: Negotiation) -> None:
        """Take the legs of two parties who began elsewhere; raises `CallOver`.

        They have to be on one media worker: else the second gets a leg there, whose address it
        has to be told.
        """
        conversation = self._c
        if second.leg.worker == first.leg.worker:
            conversation.media.use(first.leg, second.leg, (first, second))
            return
        leg = await conversation.media.lend_beside(first.leg)
        conversation.media.use(first.leg, leg, (first, second.moved_to(leg)))
        second.leg.on_event = second.leg.on_lost = None
        second.leg.release()


def _begin_anew(leg: MediaLeg) -> None:
    """End what another conversation played to a leg, and listened for."""
    leg.stop_play()
    leg.collect_digits((), forward=True)
