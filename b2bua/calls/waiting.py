"""A party of another call who waits for whoever is rung: it hears the ringing tone, or why not."""

import contextlib
from collections.abc import Callable

from b2bua.calls.bridge import Side
from b2bua.calls.call_over import CallOver
from b2bua.calls.conversation import Conversation
from b2bua.calls.greeting import BUSY_TONE_S, Greeting
from b2bua.calls.inbox import CallEvent
from ivr.tones import Tone
from sip.events import InviteProgressed

Progress = Callable[[int], None]


class Waiting(Greeting):
    """The side of a party who was transferred, while nobody else is there yet."""

    def __init__(self, conversation: Conversation, progress: Progress) -> None:
        """`progress` is told each status of the telephone that is rung."""
        super().__init__(conversation)
        self._progress = progress

    def offer(self, *, narrow: bool, final: bool) -> bytes:  # noqa: ARG002 - of all fronts
        """Return an offer of ours, of what the party can and wants by itself."""
        return self._c.bridge.offer_for_lent(Side.B)

    async def say_busy(self) -> None:
        """Let the party hear the busy tone, as long as it likes to."""
        if self._c.legs:
            with contextlib.suppress(CallOver):
                await self.say(self._c.services.voices.tone(Tone.BUSY), for_s=BUSY_TONE_S)

    def on_event(self, event: CallEvent) -> None:
        """Answer the party while it waits; raises `CallOver` when it leaves."""
        if isinstance(event, InviteProgressed):
            self._progress(event.response.code)
        elif not self._c.refreshing.handle(event):
            super().on_event(event)
