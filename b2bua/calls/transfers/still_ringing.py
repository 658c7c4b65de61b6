"""Whoever rings while the one who had them rung transfers somebody to them.

Both dialogs are ours, so their telephones need to know nothing of it: they ring on, and their leg
goes with them into the call of the party that waits now (`semi_attended_call.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from b2bua.calls.conversation import Conversation
from b2bua.calls.forwarding import Forwarding
from b2bua.calls.hunting.hunt import Hunt
from b2bua.calls.party import Party
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.transfers.line import Line
from b2bua.calls.transfers.loan import Loan
from b2bua.routing import Reachable
from sip.message import Request


class StillRinging:
    """Whoever is rung in one conversation, ready to ring on in another."""

    def __init__(self, conversation: Conversation, hunt: Hunt, early: Mapping[int, bytes]) -> None:
        """`early`: what those who ring have described already."""
        self._c = conversation
        self._hunt = hunt
        self.early = early

    @classmethod
    def of(cls, conversation: Conversation, hunt: Hunt, front: Forwarding) -> Self | None:
        """Return who rings; None where nobody does, or an offer to them is under way."""
        if conversation.renegotiation.is_busy or not any(each.rings for each in hunt.ringings):
            return None
        return cls(conversation, hunt, front.early)

    def go_on_for(self, line: Line, conversation: Conversation) -> Hunt:
        """Let them ring for a party that has come to a conversation; returns its hunt."""
        lending, negotiation = self._c.lending, self._c.media.bridge.sides[Side.B]
        usages = [usage for each in self._hunt.ringings for usage in each.usages]
        lending.lend_ringing(usages, to=conversation)
        sides = (line.negotiation, negotiation)
        conversation.media.use(line.leg, negotiation.leg, sides, apart=True)
        return self._hunt.moved_to(conversation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom a referrer wants to have rung, or is having rung."""

    destination: Reachable
    dialled: str
    "As what the referrer knows it."
    ringing: StillRinging | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What makes a call of a party that is lent, and of the target."""

    loan: Loan
    referrer: Party
    target: Target
    request: Request
    "The REFER."
