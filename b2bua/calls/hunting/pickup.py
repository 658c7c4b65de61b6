"""A ringing call that is fetched: the code for it and the extension where it rings, dialled.

Whoever fetches it makes an offer, as the caller did. So both get an answer of ours, and what they
agree on with us is joined; where that is no common codec, the caller is offered another one.
"""

from b2bua.calls.conversation import Conversation
from b2bua.calls.inbox import PickedUp
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.sessions.negotiation import Negotiation
from sip.errors import RemoteProtocolError


def fetch(conversation: Conversation, event: PickedUp) -> bool:
    """Answer whoever fetches the call: the callee from now on. False where they can't talk."""
    offered, taker = event.offered, event.taker
    first, second = conversation.media.legs
    callee = Negotiation(second, conversation.media.convertible)
    callee.lifts = conversation.services.config.media.wideband_after_menu
    callee.meet(conversation.way_to(taker, offered.flow))
    try:
        body = callee.answer_alone(offered.request.body)
    except RemoteProtocolError as error:
        conversation.log("no media", str(error))
        conversation.turn_away(event, 488)
        return False
    bridge, record = conversation.media.bridge, conversation.record
    conversation.media.use(first, second, (bridge.sides[Side.A], callee), apart=bridge.closed)
    conversation.fetching.discard(offered.usage)
    conversation.call(taker)
    conversation.b = offered.usage
    conversation.note_allow(Side.B, offered.request.headers.getlist("Allow"))
    conversation.services.endpoint.calls.answer(offered.usage, body, conversation.now)
    record.join(taker, side=Side.B, call_id=conversation.sip_call_id(Side.B))
    record.answered(taker)
    return True
