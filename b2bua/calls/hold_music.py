"""Music for whoever is on hold.

It is played where one of our extensions holds. What somebody outside plays to our extension
while it holds the call comes through as it is: many systems have music of their own.

The held party is told `sendonly` where the other side says `inactive` (`sip/offer_answer.py`):
a telephone that was told that nobody sends would not listen. Whatever else is played to it goes
before the music, which begins again when that is over.

After each event the talk asks what ought to be heard now. So it makes no difference by which
request and in which spelling a call was held, moved or resumed.
"""

from b2bua.calls.conversation import Conversation
from b2bua.calls.inbox import CallEvent
from b2bua.calls.sessions.bridge import Side
from b2bua.media.from_worker import PlayFinished
from sip.audio_stream import RECEIVES


class HoldMusic:
    """The music of one talk."""

    def __init__(self, conversation: Conversation, *, allowed: bool) -> None:
        """Begin silent; `allowed` is false in an emergency, where nobody is entertained."""
        self._c = conversation
        self._allowed = allowed
        self._side: Side | None = None
        "Who is entertained."
        self._play_id: int | None = None
        "None while that party hears something else from us."
        for side in Side:
            conversation.media.bridge.sides[side].entertained = self._may_hear(side)

    def follow(self, event: CallEvent | None = None) -> None:
        """Begin or end the music as the call stands after an event."""
        wanted = self._wanted()
        if wanted is not self._side:
            self.end()
            self._side = wanted
            self._begin()
        elif isinstance(event, PlayFinished):
            self._heard(event)

    def end(self) -> None:
        """End the music, and nothing else that is played."""
        if self._side is not None and self._play_id is not None:
            self._c.media.legs[self._side].stop_play(self._play_id)
        self._side = self._play_id = None

    def _begin(self) -> None:
        if self._side is not None:
            self._play_id = self._c.media.entertain(self._side, self._c.services.voices.music())

    def _heard(self, event: PlayFinished) -> None:
        """Make way for something else that the held party hears, and go on after it."""
        if self._side is None or event.leg_id != self._c.media.legs[self._side].leg_id:
            return
        if event.play_id == self._play_id:
            self._play_id = None
        elif self._play_id is None:
            self._begin()

    def _may_hear(self, side: Side) -> bool:
        holder, held = self._c.parties[side.other], self._c.parties[side]
        wanted = self._allowed and self._c.services.config.music.on_hold
        own = holder.extension is not None
        return wanted and own and (held.trunk is None or held.trunk.settings.hold_music)

    def _wanted(self) -> Side | None:
        """Return who ought to hear music now."""
        bridge = self._c.media.bridge
        if bridge.closed:
            return None
        for side in Side:
            held, holder = bridge.sides[side], bridge.sides[side.other]
            if not held.entertained or not holder.holds or held.stream is None:
                continue
            if RECEIVES[held.stream.direction]:
                return side
        return None
