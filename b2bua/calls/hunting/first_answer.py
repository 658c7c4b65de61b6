"""Waiting for parties who ring: the first 2xx wins, all other branches are cancelled.

What the caller hears meanwhile is the business of whoever rings: see `on_event`.
"""

import re
from collections.abc import Callable, Sequence

from b2bua.calls.call_over import cancelled, likeliest, no_answer
from b2bua.calls.conversation import Conversation
from b2bua.calls.hunting.pickup import fetch
from b2bua.calls.hunting.ringing import Ringing
from b2bua.calls.inbox import CallEvent, PickedUp
from recording.reasons import ReasonKey
from sip.build import HeaderList
from sip.events import (
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteProgressed,
    UsageEnded,
)

ELSEWHERE = (("Reason", 'SIP;cause=200;text="Call completed elsewhere"'),)
"With it a telephone counts no missed call (:rfc:`3326`)."

_ANSWERED_ELSEWHERE = re.compile(r"\s*SIP\s*;.*\bcause\s*=\s*200\b", re.IGNORECASE)


async def first_answer(
    conversation: Conversation,
    ringings: Sequence[Ringing],
    on_event: Callable[[CallEvent], None],
    *,
    patience_s: float,
) -> InviteAnswered | PickedUp:
    """Return the first answer of parties who were started; nobody rings any longer then.

    Or who has fetched the call in their place. Raises `CallOver` when there will be no answer.
    `on_event` gets what is neither an answer nor an end.
    """
    waiting = [ringing for ringing in ringings if ringing.rings]
    refusals = [ringing.not_started for ringing in ringings if not ringing.rings]
    deadline = conversation.now + patience_s
    why: HeaderList = ()
    try:
        while waiting:
            event = await conversation.next_event(deadline)
            match event:
                case None:
                    raise no_answer(ReasonKey.NOT_ANSWERED, waiting[0].party.number)
                case InviteAnswered() | PickedUp() if _is_taken(conversation, waiting, event):
                    why = ELSEWHERE
                    return event
                case InviteFailed() if ringing := _whose(waiting, event.usage):
                    over = ringing.refused(event)
                    if over is not None:
                        waiting.remove(ringing)
                        refusals.append(over)
                case InviteProgressed() if ringing := _whose(waiting, event.usage):
                    ringing.heard_of(event.usage)
                    on_event(event)
                case InviteCancelled() | UsageEnded() if event.usage == conversation.a:
                    why = _passed_on(event)
                    raise cancelled()
                case _:
                    on_event(event)
        raise likeliest(refusals)
    finally:
        for ringing in waiting:
            ringing.lose_patience(why)


def _is_taken(
    conversation: Conversation, waiting: Sequence[Ringing], event: InviteAnswered | PickedUp
) -> bool:
    """Take the answer of one who rings, or of whoever fetches the call where one rings."""
    if isinstance(event, PickedUp):
        rings = any(ringing.party.number == event.number for ringing in waiting)
        return rings and fetch(conversation, event)
    ringing = _whose(waiting, event.usage)
    if ringing is not None:
        ringing.answered(event)
    return ringing is not None


def _passed_on(event: InviteCancelled | UsageEnded) -> HeaderList:
    """Return why a caller gave up, where that matters to telephones: no call was missed."""
    reason = event.reason if isinstance(event, InviteCancelled) else ""
    return ELSEWHERE if _ANSWERED_ELSEWHERE.match(reason) else ()


def _whose(ringings: Sequence[Ringing], usage: int) -> Ringing | None:
    return next((ringing for ringing in ringings if ringing.has(usage)), None)
