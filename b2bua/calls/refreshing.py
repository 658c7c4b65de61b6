"""Re-INVITEs of our own, with which a party who changes the conversation is taken along.

The referrer mostly puts the other party on hold before it transfers it, and what the two spoke
may be no codec of the next one. So we offer again, in G.711, both ways. Nothing waits for it: who
can be heard already is heard, and the answer comes as an event.
"""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from b2bua.calls.inbox import CallEvent, OfferAgain
from b2bua.calls.sessions.bridge import Side
from sip.errors import LocalProtocolError, RemoteProtocolError
from sip.events import RequestCompleted

if TYPE_CHECKING:
    from b2bua.calls.conversation import Conversation

logger = logging.getLogger("b2bua.calls.call")

BUSY_S = 0.5
"How long an offer of ours waits for one that is under way."

TRIES = 5


class Refreshing:
    """What we have offered anew to the parties of one conversation."""

    def __init__(self, conversation: "Conversation") -> None:
        self._c = conversation
        self._pending: dict[int, Side] = {}
        self._tries = [TRIES, TRIES]

    def begin(self, side: Side) -> None:
        """Offer again to a party that was on hold, or speaks another codec than we."""
        usage = self._c.usage(side)
        if usage is None or self._c.media.bridge.sides[side].is_open or not self._tries[side]:
            return
        self._tries[side] -= 1
        endpoint, offer = self._c.services.endpoint, self._c.media.bridge.sides[side].offer_again
        try:
            request_id = endpoint.calls.reinvite(usage, offer(), self._c.now)
        except LocalProtocolError:
            self._later(side, BUSY_S)  # its ACK is still to come, or another re-INVITE to end
        else:
            self._pending[request_id] = side
            self._c.kick()

    def pending(self, side: Side) -> frozenset[int]:
        """Return the request ids of offers that a side has to answer."""
        return frozenset(number for number, whose in self._pending.items() if whose is side)

    def take_over(self, side: Side, offers: frozenset[int]) -> None:
        """Expect the answers to offers that another conversation has made to a side."""
        self._pending |= dict.fromkeys(offers, side)

    def is_busy(self, side: Side) -> bool:
        """Whether a side has to answer an offer of ours."""
        return side in self._pending.values()

    def handle(self, event: CallEvent) -> bool:
        """Take the answer to an offer of ours, or the time for another try; true for either."""
        match event:
            case RequestCompleted() if event.request_id in self._pending:
                self._completed(self._pending.pop(event.request_id), event)
            case OfferAgain():
                self.begin(Side(event.side))
            case _:
                return False
        return True

    def _completed(self, side: Side, event: RequestCompleted) -> None:
        if event.retry_after_s is not None:
            self._later(side, event.retry_after_s)
        elif event.response is not None and event.code < 300:
            with contextlib.suppress(RemoteProtocolError):
                self._c.media.bridge.take_answer(side, event.response.body)
            self._c.recording.follow(self._c.media.bridge)

    def _later(self, side: Side, after_s: float) -> None:
        event = OfferAgain(int(side))
        asyncio.get_running_loop().call_later(after_s, self._c.deliver, event)
