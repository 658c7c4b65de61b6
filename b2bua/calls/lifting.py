"""From G.711 to wideband, once nothing more is said by us.

A menu speaks G.711, so both sides were kept to it. Behind it each is offered what the other one
has, by one re-INVITE at most: first the callee, unless it was offered that when it was rung, then
the caller. Whoever refuses stays where it is, and is transcoded.
"""

from b2bua.calls.conversation import Conversation
from b2bua.calls.sessions.bridge import Side


class Lifting:
    """What is still to be offered in one talk."""

    def __init__(self, conversation: Conversation) -> None:
        self._c = conversation
        wanted = conversation.services.config.media.wideband_after_menu
        self._sides = [Side.B, Side.A] if wanted else []

    def follow(self) -> None:
        """Make the next offer, where the call is ready for it."""
        conversation = self._c
        while self._sides and self._is_ready:
            side = self._sides.pop(0)
            conversation.renegotiation.lift(side)

    @property
    def _is_ready(self) -> bool:
        """Whether both sides talk, and nothing is asked or negotiated."""
        conversation = self._c
        bridge = conversation.media.bridge
        agreed = all(side.stream is not None for side in bridge.sides)
        idle = not conversation.owed and not conversation.renegotiation.is_busy
        return agreed and idle and not bridge.closed and not bridge.held and not conversation.lent
