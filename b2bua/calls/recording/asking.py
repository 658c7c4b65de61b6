"""Putting the question to one party: the prompt on its leg, its keys, and its answer.

The rules of the question are `ivr/consent_menu.py`; here are its ears and its mouth. A key
counts only from the asked party's own leg or dialog, and only where the media worker or the
SIP stack has checked that it is theirs.
"""

from b2bua.calls.conversation import Conversation
from b2bua.calls.inbox import CallEvent
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.sessions.negotiation import would_hold
from b2bua.media.from_worker import DigitReceived, PlayFinished, PlayStarted
from ivr.consent_menu import (
    ConsentMenu,
    Departure,
    DigitPressed,
    Event,
    PartyLeft,
    PromptEnded,
    PromptProgressed,
    PromptStarted,
    QuestionCancelled,
    SessionRefreshed,
    TimePassed,
    Verdict,
)
from ivr.prompts import PromptId
from sip.events import AckReceived, InDialogReceived, ReinviteReceived, UsageEnded
from sip.info import key_of


class Asking:
    """One question to one side of a conversation, from `begin` to its verdict."""

    def __init__(self, conversation: Conversation, side: Side, prompt: PromptId) -> None:
        self.side = side
        self._c = conversation
        self._prompt = prompt
        self._menu = ConsentMenu(conversation.services.voices.question(prompt), conversation.now)
        self._play_id: int | None = None

    def begin(self) -> Verdict | None:
        """Play the prompt and listen for keys; a verdict at once where that can't be."""
        conversation = self._c
        self._listen(forward=False)
        spoken = conversation.services.voices.spoken(self._prompt)
        self._play_id = conversation.media.hear(self.side, spoken)
        if self._play_id is not None:
            return None
        # We don't speak the party's codec, so it hears nothing: the menu takes that for a no.
        ended = PromptEnded(conversation.now, 0, completed=False)
        return self._decided(self._menu.handle(ended))

    def next_timeout(self) -> float | None:
        """Return when `time_passed` is due."""
        return self._menu.next_timeout()

    def time_passed(self) -> Verdict | None:
        """Let silence count."""
        return self._decided(self._menu.handle(TimePassed(self._c.now)))

    def cancel(self) -> Verdict | None:
        """Take the question back."""
        return self._decided(self._menu.handle(QuestionCancelled(self._c.now)))

    def handle(self, event: CallEvent) -> Verdict | None:
        """Take what happened on the line; requests of the party are still to be answered."""
        verdict = None
        for step in self._steps(event):
            verdict = self._menu.handle(step) or verdict
        return self._decided(verdict)

    def is_key(self, event: CallEvent) -> bool:
        """Tell whether an event is a key of the asked party, as INFO or as telephone event."""
        match event:
            case DigitReceived():
                return event.leg_id == self._leg_id
            case InDialogReceived() if self._c.side_of(event.usage) is self.side:
                return event.request.method == "INFO" and self._key_in(event) is not None
        return False

    def _decided(self, verdict: Verdict | None) -> Verdict | None:
        if verdict is not None:
            # Still listening, or the rest of the answer's packets would reach the other side.
            self._listen(forward=True)
        return verdict

    def _listen(self, *, forward: bool) -> None:
        ways = self._c.key_ways(self.side)
        self._c.media.legs[self.side].collect_digits(
            ways.event_types, forward=forward, in_band=ways.tone_types
        )

    def _steps(self, event: CallEvent) -> tuple[Event, ...]:
        """Return what an event means to the question."""
        match event:
            case PlayStarted() if self._is_ours(event):
                return (PromptStarted(event.at),)
            case PlayFinished() if self._is_ours(event):
                return (
                    PromptProgressed(event.at, event.played_ms),
                    PromptEnded(event.at, event.played_ms, event.completed),
                )
            case DigitReceived() if self.is_key(event):
                return (self._digit(event),)
            case InDialogReceived() | ReinviteReceived() | AckReceived() | UsageEnded():
                return self._signalled(event)
        return ()

    def _signalled(
        self, event: InDialogReceived | ReinviteReceived | AckReceived | UsageEnded
    ) -> tuple[Event, ...]:
        """Return what a message means; of the side that had the question put, only its BYE."""
        now = self._c.now
        if self._c.side_of(event.usage) is not self.side:
            return (QuestionCancelled(now),) if isinstance(event, UsageEnded) else ()
        match event:
            case UsageEnded():
                return (PartyLeft(now, Departure.BYE),)
            case InDialogReceived():
                return self._request(event)
            case ReinviteReceived():
                return self._reinvite(event)
        # The answer to an offer that the party asked us for can be a hold as well.
        return (PartyLeft(now, Departure.HOLD),) if would_hold(event.request.body) else ()

    @property
    def _leg_id(self) -> int:
        return self._c.media.legs[self.side].leg_id

    def _is_ours(self, event: PlayStarted | PlayFinished) -> bool:
        return (event.leg_id, event.play_id) == (self._leg_id, self._play_id)

    def _digit(self, event: DigitReceived) -> DigitPressed:
        ours = event.play_id == self._play_id
        return DigitPressed(
            key=event.key,
            at=event.at,
            transport=event.way,
            rtp_timestamp=event.timestamp,
            ssrc=event.ssrc,
            played_ms=event.played_ms if ours else None,
        )

    def _request(self, event: InDialogReceived) -> tuple[Event, ...]:
        now = self._c.now
        if event.request.method == "REFER":
            return (PartyLeft(now, Departure.TRANSFER),)
        if event.request.method == "UPDATE":
            return self._reinvite(event)
        if event.request.method != "INFO":
            return ()
        key = self._key_in(event)
        if key is not None:
            # It comes back as one that was pressed, if it has not come in another way before.
            self._c.media.legs[self.side].press_keys(key)
        return ()

    def _key_in(self, event: InDialogReceived) -> str | None:
        """Return the key that an INFO says was pressed, where INFO of the party counts."""
        counts = self._c.key_ways(self.side).reads_info
        return key_of(event.request) if counts else None

    def _reinvite(self, event: ReinviteReceived | InDialogReceived) -> tuple[Event, ...]:
        """Tell a hold from a session refresh (:rfc:`3264#section-8.4`, :rfc:`4028`)."""
        if would_hold(event.request.body):
            return (PartyLeft(self._c.now, Departure.HOLD),)
        return (SessionRefreshed(self._c.now),)
