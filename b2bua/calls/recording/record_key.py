"""The record key of a call at work: the controller's actions as taps, questions and sounds.

One beep to both is on, two beeps are off; a refusal is spoken to whoever pressed. From the
question to the outside party until its answer the bridge is closed: it hears the prompt and
then nothing, our side a soft tone.
"""

from b2bua.calls.conversation import Conversation
from b2bua.calls.greeting import answer_to_no
from b2bua.calls.inbox import CallEvent
from b2bua.calls.recording.asking import Asking
from b2bua.calls.sessions.bridge import Side
from b2bua.media.from_worker import PlayFinished
from b2bua.media.to_worker import PlayPart
from ivr.consent_menu import Decision as Answer
from ivr.consent_menu import Verdict
from ivr.prompts import PromptId
from ivr.tones import Tone
from recording.controller import Action, Press, RecordingController, State, Wish
from recording.permit import Basis
from recording.policy import Decision, OnKey
from recording.reasons import ReasonKey

AUTOMATIC = "automatic"

OBSTACLES = frozenset({ReasonKey.NEVER, ReasonKey.NO_OPT_IN, ReasonKey.NO_KEY})
"Reasons that count as `blocked` once somebody has pressed the key."


class RecordKey:
    """The recording's begin and end in one call."""

    def __init__(self, conversation: Conversation, decision: Decision) -> None:
        self._c = conversation
        self._controller = RecordingController(decision)
        self._asking: Asking | None = None
        self._at_begin = False
        "The question is that of the call's begin, and nobody's key."
        self._asked_by = ""
        self._sentence: int | None = None
        "The play that answers a no; when it is over the bridge opens. None once it was cut off."

    # --- by itself

    def begin(self) -> None:
        """Start by itself what the policy and an earlier yes allow."""
        if self._c.recording.start(self._c.media.bridge, started_by=AUTOMATIC):
            self._controller.begin()

    def consented(self) -> None:
        """Note that the outside party has agreed already."""
        self._controller.consented = True

    def ask_first(self) -> None:
        """Ask the outside party before the conversation begins."""
        self._controller.ask()
        self._at_begin = True
        self._ask(self._c.services.config.consent.question)
        self._show()

    # --- by somebody

    def press(self, number: str, wish: Wish) -> Action:
        """Take a press of an extension's key, and let it be heard what came of it."""
        press = Press(number=number, wish=wish, held=self._c.media.bridge.held)
        action = self._controller.press(press)
        if action is Action.START and not self._start(number):
            action = Action.REFUSE
        if action is Action.REFUSE:
            self._note_refusal()
        if action in (Action.ASK, Action.POSTPONE):
            self._asked_by, self._at_begin = number, False
        self._carry_out(action, self._side_of(number))
        self._show()
        return action

    def resumed(self) -> None:
        """Ask what had to wait for the end of a hold."""
        if not self._c.media.bridge.held and self._controller.resumed() is Action.ASK:
            self._ask(PromptId.CONSENT_ASK)
            self._show()

    def drop_question(self) -> None:
        """Ask no longer: the conversation changes."""
        if self._asking is not None:
            self._judge(self._asking.cancel())

    # --- what happens meanwhile

    def handle(self, event: CallEvent) -> bool:
        """Let the question, and what is said after it, hear what happens.

        True for a key by which the asked party answers: it is nobody else's business.
        """
        if self._is_sentence_over(event):
            self._sentence = None
            self._open_bridge()
        if self._asking is None:
            return False
        is_answer = self._asking.is_key(event)
        self._judge(self._asking.handle(event))
        return is_answer

    @property
    def asked(self) -> Side | None:
        """The side that is being asked now."""
        return self._asking.side if self._asking is not None else None

    def next_timeout(self) -> float | None:
        """Return when `time_passed` is due."""
        return self._asking.next_timeout() if self._asking is not None else None

    def time_passed(self) -> None:
        """Let silence count."""
        if self._asking is not None:
            self._judge(self._asking.time_passed())

    # --- inside

    def _show(self) -> None:
        """Let the lamp of the key follow."""
        self._c.is_asked = self._controller.state in (State.ASKING, State.WAITING)
        self._c.show_lamps()

    def _is_sentence_over(self, event: CallEvent) -> bool:
        return (
            isinstance(event, PlayFinished)
            and event.play_id == self._sentence
            and self._c.media.side_of(event.leg_id) is self._c.outside
        )

    def _start(self, number: str) -> bool:
        """Open the taps on the strength of a key."""
        conversation, outside = self._c, self._c.outside
        decision = self._controller.decision
        attested = decision.key_basis is Basis.ATTESTED and decision.on_key is OnKey.START
        if outside is not None and attested and not self._controller.consented:
            agreement = conversation.evidence.attested(outside, number)
            conversation.recording.agree(outside, agreement)
        if conversation.recording.start(conversation.media.bridge, started_by=f"ext:{number}"):
            return True
        self._controller.ended()
        return False

    def _note_refusal(self) -> None:
        reason = self._controller.decision.reason
        if reason.key in OBSTACLES:
            self._c.recording.block(reason)

    def _carry_out(self, action: Action, side: Side) -> None:
        """Do the rest of an action, for whoever is on `side`."""
        voices, conversation = self._c.services.voices, self._c
        beep, two_beeps = voices.tone(Tone.BEEP), voices.tone(Tone.TWO_BEEPS)
        match action:
            case Action.START:
                self._let_both_hear(beep)
            case Action.STOP:
                conversation.recording.stop()
                self._let_both_hear(two_beeps)
            case Action.ASK:
                self._ask(PromptId.CONSENT_ASK)
            case Action.CANCEL:
                if self._asking is not None:
                    self._judge(self._asking.cancel())
            case Action.CONFIRM_ON:
                conversation.media.hear(side, beep)
            case Action.CONFIRM_OFF:
                conversation.media.hear(side, two_beeps)
            case Action.POSTPONE:
                conversation.media.hear(side, voices.spoken(PromptId.RECORDING_ASKED))
            case Action.REFUSE:
                conversation.media.hear(side, voices.spoken(PromptId.NOT_ALLOWED))

    def _ask(self, prompt: PromptId) -> None:
        """Close the bridge and put the question."""
        outside = self._c.outside
        assert outside is not None
        self._sentence = None  # the answer to an earlier no, if it is still being said
        self._c.media.bridge.close()
        self._asking = Asking(self._c, outside, prompt)
        self._c.media.hear(outside.other, self._c.services.voices.tone(Tone.WAITING))
        self._judge(self._asking.begin())

    def _judge(self, verdict: Verdict | None) -> None:
        """Take the answer, if it has come."""
        if verdict is None or self._asking is None:
            return
        conversation, side = self._c, self._asking.side
        self._asking = None
        agreement = conversation.evidence.asked(side, verdict, conversation.sip_call_id(side))
        if agreement is not None:
            conversation.recording.agree(side, agreement)
            self._granted()
        elif verdict.decision is Answer.CANCELLED:
            self._controller.answered(granted=False)
            self._open_bridge()
        else:
            self._refused(verdict, side)
        self._show()

    def _granted(self) -> None:
        """Record from this instant on."""
        self._controller.answered(granted=True)
        started_by = AUTOMATIC if self._at_begin else f"ext:{self._asked_by}"
        if not self._c.recording.start(self._c.media.bridge, started_by=started_by):
            self._controller.ended()
            self._open_bridge()
        elif self._at_begin:
            self._open_bridge()
        else:
            self._let_both_hear(self._c.services.voices.tone(Tone.BEEP))

    def _refused(self, verdict: Verdict, side: Side) -> None:
        """Answer the no; the bridge opens when the sentence is over."""
        self._controller.answered(granted=False)
        prompt, reason = answer_to_no(verdict)
        self._c.recording.refuse(reason)
        self._sentence = self._c.media.hear(side, self._c.services.voices.spoken(prompt))
        if self._sentence is None:
            self._open_bridge()

    def _open_bridge(self) -> None:
        """Let the parties hear each other; a key that came to nothing gets its two beeps."""
        outside = self._c.outside
        assert outside is not None
        self._c.media.bridge.open()
        self._c.media.hush(outside)
        if self._at_begin:
            self._c.media.hush(outside.other)
        else:
            self._c.media.hear(outside.other, self._c.services.voices.tone(Tone.TWO_BEEPS))
        self._at_begin = False

    def _let_both_hear(self, part: PlayPart) -> None:
        """Let a sound be heard, in place of what was said last; then they hear each other."""
        self._sentence = None
        self._c.media.bridge.open()
        for side in Side:
            self._c.media.hear(side, part)

    def _side_of(self, number: str) -> Side:
        return Side.A if self._c.parties[Side.A].number == number else Side.B
