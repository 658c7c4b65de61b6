"""Re-INVITEs of either party: passed across, and their answers back (:rfc:`3261#section-14`).

Nothing waits here: the answer of the other side comes as an event like all others, so a record
key or a BYE that comes meanwhile is heard.
"""

from b2bua.calls.bridge import Side
from b2bua.calls.conversation import Conversation
from sip.endpoint import UsageState
from sip.errors import RemoteProtocolError
from sip.events import ReinviteReceived, RequestCompleted


class Renegotiation:
    """What is being negotiated anew in one call."""

    def __init__(self, conversation: Conversation) -> None:
        self._c = conversation
        self._pending: dict[int, ReinviteReceived] = {}

    def offered(self, event: ReinviteReceived) -> None:
        """Pass an offer across; without one, offer what stands."""
        conversation = self._c
        side = conversation.side_of(event.usage)
        body = event.request.body
        other = conversation.usage(side.other)
        assert other is not None
        if body and self._is_busy(side.other):
            conversation.respond(event, 491)
            return
        try:
            if not body:
                conversation.owed.add(side)
                conversation.respond(event, 200, conversation.bridge.offer_to(side))
                return
            offer = conversation.bridge.forward_offer(side, body)
        except RemoteProtocolError:
            conversation.respond(event, 488)
            return
        request_id = conversation.services.endpoint.reinvite(other, offer, conversation.now)
        self._pending[request_id] = event
        conversation.kick()

    def _is_busy(self, side: Side) -> bool:
        """Tell whether an offer or answer with a side is still under way (section 14.2)."""
        conversation = self._c
        usage = conversation.usage(side)
        assert usage is not None
        unacknowledged = conversation.services.endpoint.state(usage) is UsageState.ANSWERED
        return unacknowledged or side in conversation.owed or bool(self._pending)

    def completed(self, event: RequestCompleted) -> bool:
        """Pass the answer back; true where both sides agree on something new."""
        waiting = self._pending.pop(event.request_id, None)
        if waiting is None:
            return False
        conversation, code, body = self._c, event.code, b""
        if event.response is not None and code < 300:
            side = conversation.side_of(waiting.usage).other
            try:
                body = conversation.bridge.forward_answer(side, event.response.body)
            except RemoteProtocolError:
                code = 488
        conversation.respond(waiting, code if code < 300 or code >= 400 else 488, body)
        return code < 300
