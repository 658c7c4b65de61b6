"""A party that was lent out of its call for a blind transfer, and how it comes back.

The call that lends goes on to hold the referrer's leg, the call that borrows rings the target.
What each has to know of the other goes through here: events into the lender's inbox, a status for
the referrer, and whether there is still somebody to whom the party could return.
"""

from b2bua.calls.call_over import CallOver
from b2bua.calls.conversation import Conversation
from b2bua.calls.inbox import LineEnded, LineKept, LineReturned
from b2bua.calls.services import CallServices
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.transfers.line import Line


class Referral:
    """What the referrer is told of the call that it asked for."""

    def __init__(self, services: CallServices, subscription: int) -> None:
        self._s = services
        self._subscription = subscription

    def tell(self, code: int, reason: str | None = None) -> None:
        """Pass on a status; a final one is the last."""
        self._s.endpoint.notify_refer(self._subscription, code, self._s.clock(), reason)
        self._s.kick()


class Loan:
    """One party on loan from `lender`, whose other side is the referrer."""

    def __init__(self, lender: Conversation, side: Side, referral: Referral) -> None:
        """`side`: of the party that is lent."""
        self._lender = lender
        self._side = side
        self._referral = referral
        self.settled = False
        "It is known what became of it."

    @property
    def can_return(self) -> bool:
        """Whether the referrer still holds its end of the line."""
        return not self._lender.closed and self._lender.stands(self._side.other)

    def progress(self, code: int) -> None:
        """Tell the referrer how the target's telephone does."""
        self._referral.tell(code)

    def keep(self) -> None:
        """Note that the target has answered: the party does not come back."""
        self._settle(200, None)
        self._lender.deliver(LineKept())

    def give_back(self, line: Line, over: CallOver) -> Conversation:
        """Let the party talk to the referrer again: the target can't be had."""
        self._settle(over.code, over.phrase)
        self._lender.lending.take_back(self._side, line)
        self._lender.deliver(LineReturned())
        return self._lender

    def lose(self, over: CallOver) -> None:
        """Note that there is no way back: the party or the referrer has gone."""
        self._settle(over.code, over.phrase)
        self._lender.deliver(LineEnded())

    def _settle(self, code: int, reason: str | None) -> None:
        self.settled = True
        self._referral.tell(code, reason)
