"""A party of another call who waits for whoever is rung: it hears the ringing tone, or why not."""

import contextlib
from collections.abc import Callable

from b2bua.calls.call_over import CallOver
from b2bua.calls.conversation import Conversation
from b2bua.calls.greeting import BUSY_TONE_S, Greeting
from b2bua.calls.inbox import CallEvent
from b2bua.calls.sessions.bridge import Side
from ivr.tones import Tone
from sip.events import InviteAnswered, InviteProgressed

Progress = Callable[[int], None]


class Waiting(Greeting):
    """The side of a party who was transferred, while nobody else is there yet."""

    def __init__(self, conversation: Conversation, progress: Progress) -> None:
        """`progress` is told each status of the telephone that is rung."""
        super().__init__(conversation)
        self._progress = progress
        self._rings = False
        "The ringing tone is wanted and not heard yet: we don't speak the party's codec."

    def offer(self, *, narrow: bool, final: bool) -> bytes:  # noqa: ARG002 - of all fronts
        """Return an offer of ours, of what the party can and wants by itself."""
        return self._c.media.bridge.offer_for_lent(Side.B)

    def ring(self) -> None:
        """Let the party hear the ringing tone, now or as soon as it has agreed on our codec."""
        tone = self._c.services.voices.tone(Tone.RINGING)
        self._rings = self._c.media.hear(Side.A, tone) is None

    def accept(self, answered: InviteAnswered) -> None:
        """Take the answer of whoever is to hear the party from now on."""
        self._rings = False
        super().accept(answered)

    def fetched(self) -> None:
        """Let the party hear whoever has fetched the call."""
        self._rings = False
        super().fetched()

    async def say_busy(self) -> None:
        """Let the party hear the busy tone, as long as it likes to."""
        if self._c.media.legs:
            with contextlib.suppress(CallOver):
                await self.say(self._c.services.voices.tone(Tone.BUSY), for_s=BUSY_TONE_S)

    def on_event(self, event: CallEvent) -> None:
        """Answer the party while it waits; raises `CallOver` when it leaves."""
        if isinstance(event, InviteProgressed):
            self._progress(event.response.code)
        if not self._c.refreshing.handle(event):
            super().on_event(event)
        elif self._rings:
            self.ring()
