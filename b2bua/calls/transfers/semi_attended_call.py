"""A semi-attended transfer: the target still rings when the referrer sends somebody to it.

Its telephones ring on, for the party that waits now. They show the referrer as long as they
ring, for hardly any telephone would learn of another caller meanwhile.
"""

import contextlib
from collections.abc import Mapping

from b2bua.calls.conversation import Conversation
from b2bua.calls.exchange import Exchange
from b2bua.calls.services import CallServices
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.transfers.line import Line
from b2bua.calls.transfers.still_ringing import Transfer
from b2bua.calls.transfers.transferred_call import TransferredCall
from b2bua.calls.transfers.waiting import Progress, Waiting
from sip.errors import RemoteProtocolError
from sip.events import InviteAnswered


class SemiAttendedCall(TransferredCall):
    """A party, and the target that was rung by the referrer."""

    def __init__(
        self,
        services: CallServices,
        exchange: Exchange,
        line: Line,
        transfer: Transfer,
    ) -> None:
        ringing = transfer.target.ringing
        assert ringing is not None
        self._early = ringing.early
        super().__init__(services, exchange, line, transfer)
        self._hunt = ringing.go_on_for(line, self._c)

    def _wait(self) -> Waiting:
        return _WaitingApart(self._c, self._loan.progress, self._early)

    async def _ring(self) -> None:
        """Wait for the target; the party hears the ringing tone."""
        conversation, hunt = self._c, self._hunt
        assert hunt.step is not None
        self._called(hunt.step)
        self._waiting.ring()
        conversation.refreshing.begin(Side.A)
        await hunt.go_on(self._waiting, self._called)
        caller, callee = conversation.media.bridge.sides
        await conversation.lending.join(caller, callee)
        with contextlib.suppress(RemoteProtocolError):
            # Without a common codec they meet when the target has answered our offer.
            conversation.media.bridge.join()
        conversation.refreshing.begin(Side.B)


class _WaitingApart(Waiting):
    """Somebody who waits for those whose leg may be on another media worker."""

    def __init__(
        self, conversation: Conversation, progress: Progress, early: Mapping[int, bytes]
    ) -> None:
        super().__init__(conversation, progress)
        self._early |= early

    def accept(self, answered: InviteAnswered) -> None:
        """Take the answer; both are brought together afterwards."""
        self._rings = False
        body, callee = self._answer_of(answered), self._c.media.bridge.sides[Side.B]
        self._c.media.negotiate(lambda: callee.take_answer(body))
        self._c.media.hush(Side.A)
