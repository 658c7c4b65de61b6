"""Answering an outside caller ourselves: the question, then ringing, busy and no answer as sounds.

The caller of an extension that records by itself is asked before the extension rings. So it is
our 2xx that the caller gets, and from then on it hears from us what a network would tell it.
"""

import contextlib

from b2bua.calls.call_over import NO_ANSWER, CallOver, cancelled
from b2bua.calls.conversation import Conversation
from b2bua.calls.inbox import CallEvent
from b2bua.calls.recording.asking import Asking
from b2bua.calls.renegotiation import is_update
from b2bua.calls.sessions.bridge import Side
from b2bua.media.from_worker import FirstPacket, PlayFinished
from b2bua.media.to_worker import PlayPart
from ivr.consent_menu import Decision, Verdict, prompt_due
from ivr.prompts import PromptId
from ivr.tones import Tone
from recording.reasons import Reason, ReasonKey, because
from sip.errors import RemoteProtocolError
from sip.events import (
    AckMissing,
    AckReceived,
    InDialogReceived,
    InviteAnswered,
    InviteProgressed,
    RefreshDue,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.info import key_of

BUSY_TONE_S = 5.0
"How long the caller hears that the extension is busy."

SENTENCE_S = 15.0
"For a spoken sentence, if the media worker never says that it has ended."

_ANSWERS = {
    Decision.REFUSED: (PromptId.CONSENT_REFUSED, ReasonKey.REFUSED_BY_KEY),
    Decision.TIMED_OUT: (PromptId.CONSENT_TIMED_OUT, ReasonKey.REFUSED_BY_SILENCE),
    Decision.LEFT: (PromptId.CONSENT_REFUSED, ReasonKey.REFUSED_BY_LEAVING),
}


def answer_to_no(verdict: Verdict) -> tuple[PromptId, Reason]:
    """Return what is said to a no, and what the row says."""
    prompt, key = _ANSWERS[verdict.decision]
    return prompt, because(key)


class Greeting:
    """The caller's side while nobody else is there yet."""

    def __init__(self, conversation: Conversation) -> None:
        self._c = conversation
        self._first_packet_at: float | None = None
        self._early: dict[int, bytes] = {}
        "What each branch has described before its answer: some don't say it again."

    # --- answering

    async def answer(self) -> None:
        """Answer the call and wait for its ACK."""
        conversation = self._c
        offer = conversation.request.body
        body = conversation.media.negotiate(lambda: self._described(offer))
        conversation.services.endpoint.calls.answer(conversation.a, body, conversation.now)
        conversation.kick()
        conversation.answered_a = True
        conversation.record.greeted()
        while True:
            event = await conversation.next_event()
            assert event is not None
            self.on_event(event)
            if isinstance(event, AckReceived):
                return

    def _described(self, offer: bytes) -> bytes:
        """Return our answer to the caller's offer, or an offer where it made none."""
        conversation = self._c
        if offer:
            return conversation.media.bridge.answer_alone(Side.A, offer)
        conversation.owed.add(Side.A)
        return conversation.media.bridge.offer_to(Side.A)

    # --- asking

    async def ask(self) -> None:
        """Ask for consent; whatever the answer is, the call goes on."""
        conversation = self._c
        side, now = Side.A, conversation.now
        if not conversation.can_be_asked(side):
            return  # connected unrecorded: the policy says so when the parties talk
        asking = Asking(conversation, side, conversation.services.config.consent.question)
        verdict = await self._listen(now, asking)
        if verdict.decision is Decision.GRANTED:
            conversation.media.hush(side)
            return
        prompt, _ = answer_to_no(verdict)
        await self.say(conversation.services.voices.spoken(prompt), for_s=SENTENCE_S)

    async def _listen(self, acknowledged_at: float, asking: Asking) -> Verdict:
        """Begin the prompt in time and return the answer."""
        conversation = self._c
        begun = False
        while True:
            due = prompt_due(acknowledged_at=acknowledged_at, first_packet_at=self._first_packet_at)
            event = await conversation.next_event(asking.next_timeout() if begun else due)
            if event is not None:
                verdict = asking.handle(event)
            elif begun:
                verdict = asking.time_passed()
            else:
                begun = True
                verdict = asking.begin()
            if verdict is not None:
                self._keep(asking.side, verdict)
            if event is not None:
                self.on_event(event)
            if verdict is not None:
                return verdict

    def _keep(self, side: Side, verdict: Verdict) -> None:
        """Store the answer before anything else: with a BYE it is the last that we hear."""
        conversation = self._c
        agreement = conversation.evidence.asked(side, verdict, conversation.sip_call_id(side))
        if agreement is not None:
            conversation.recording.agree(side, agreement)
        else:
            _, reason = answer_to_no(verdict)
            conversation.recording.refuse(reason)

    # --- what the caller hears

    def ring(self) -> None:
        """Let the caller hear the ringing tone."""
        self._c.media.hear(Side.A, self._c.services.voices.tone(Tone.RINGING))

    def offer(self, *, narrow: bool, final: bool) -> bytes:  # noqa: ARG002 - of all fronts
        """Return an offer of ours; it is as narrow as what the caller has agreed to."""
        return self._c.media.bridge.offer_to(Side.B)

    def sent_on(self) -> None:
        """Let the caller go on hearing the ringing tone."""

    def accept(self, answered: InviteAnswered) -> None:
        """Take the answer of whoever is to hear the caller from now on."""
        body = self._answer_of(answered)
        self._c.media.negotiate(lambda: self._c.media.bridge.take_answer(Side.B, body))
        self._c.media.hush(Side.A)

    def fetched(self) -> None:
        """Let the caller hear whoever has fetched the call."""
        self._c.media.hush(Side.A)
        with contextlib.suppress(RemoteProtocolError):
            self._c.media.bridge.join()
        self._c.refreshing.begin(Side.A)

    def _answer_of(self, answered: InviteAnswered) -> bytes:
        return answered.response.body or self._early.get(answered.usage, b"")

    async def say_why(self, over: CallOver) -> None:
        """Let the caller hear that it came to nothing, then return.

        Whoever hangs up on the busy tone has found the extension busy all the same.
        """
        voices = self._c.services.voices
        with contextlib.suppress(CallOver):
            if over.cause == NO_ANSWER:
                await self.say(voices.spoken(PromptId.NOT_AVAILABLE), for_s=SENTENCE_S)
            else:
                await self.say(voices.tone(Tone.BUSY), for_s=BUSY_TONE_S)

    async def say(self, part: PlayPart, *, for_s: float) -> None:
        """Play to the caller, to the end but at most so long."""
        conversation = self._c
        play_id = conversation.media.hear(Side.A, part)
        if play_id is None:
            return
        deadline = conversation.now + for_s
        while True:
            event = await conversation.next_event(deadline)
            if event is None:
                return
            if isinstance(event, PlayFinished) and event.play_id == play_id:
                return
            self.on_event(event)

    # --- the caller's requests

    def on_event(self, event: CallEvent) -> None:
        """Answer the caller while it is alone with us; raises `CallOver` when it leaves."""
        conversation = self._c
        match event:
            case UsageEnded(usage=conversation.a) | AckMissing():
                raise cancelled()
            case InviteProgressed() if event.response.body:
                self._early[event.usage] = event.response.body
            case FirstPacket():
                self._first_packet_at = self._first_packet_at or event.at
            case ReinviteReceived():
                self._renegotiate(event)
            case InDialogReceived() if is_update(event):
                self._renegotiate(event)
            case RefreshDue() if event.usage == conversation.a:
                conversation.renegotiation.refresh(event.usage)
            case RequestCompleted():
                conversation.renegotiation.completed(event)
            case AckReceived():
                conversation.acknowledged(event)
            case InDialogReceived() if key_of(event.request) is not None:
                conversation.respond(event, 200)
            case _:
                conversation.small_talk(event)

    def _renegotiate(self, event: ReinviteReceived | InDialogReceived) -> None:
        """Answer a re-INVITE ourselves: a hold, or a refresh of the session."""
        try:
            body = self._described(event.request.body)
        except RemoteProtocolError:
            self._c.respond(event, 488, headers=self._c.warning())
        else:
            self._c.respond(event, 200, body)
