"""The conversation itself: from the answer of the wanted party to whatever ends the call."""

import contextlib
from typing import NoReturn

from b2bua.calls.call_over import CallOver
from b2bua.calls.conversation import Conversation
from b2bua.calls.exchange import Exchange, Talkable
from b2bua.calls.hold_music import HoldMusic
from b2bua.calls.inbox import CallEvent, RecordKeyPressed, Surrendered
from b2bua.calls.key_relay import KeyRelay
from b2bua.calls.lifting import Lifting
from b2bua.calls.recording.record_key import RecordKey
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.transfers.referring import Referring
from b2bua.media.from_worker import CodeReceived, KeysDue, MediaResumed, MediaTimeout
from recording.controller import Action, Wish
from recording.policy import Decision, Start
from sip.errors import RemoteProtocolError
from sip.events import (
    AckMissing,
    AckReceived,
    InDialogReceived,
    InviteCancelled,
    RefreshDue,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.info import key_of, record_wish
from sip.reason import q850_cause


class Talk:
    """Two parties who hear each other."""

    def __init__(
        self,
        conversation: Conversation,
        decision: Decision,
        *,
        call: Talkable,
        exchange: Exchange,
        emergency: bool,
        greeted: bool = False,
        transferred: bool = False,
    ) -> None:
        """`call`: whose conversation it is.

        `greeted`: the caller has answered our questions and acknowledged our 2xx already;
        `transferred`: they have talked before, if not to each other.
        """
        self._c = conversation
        self._decision = decision
        self._greeted = greeted
        silent = emergency or conversation.recording.fax
        self._codes = () if silent else (conversation.services.config.codes.record,)
        self._key = RecordKey(conversation, decision)
        self._keys = KeyRelay(conversation, self._codes, {Side.A} if greeted else ())
        self._renegotiation = conversation.renegotiation
        self._music = HoldMusic(conversation, allowed=not emergency)
        self._lifting = Lifting(conversation)
        self._referring = Referring(
            conversation,
            exchange,
            call,
            allowed=not emergency,
            on_lend=self._key.drop_question,
        )
        self._wish: InDialogReceived | None = None
        "A REFER that has to wait."
        self._due = False
        "A recording is to begin by itself, and has not yet."
        self._acknowledged = greeted or transferred
        self._silent: set[int] = set()

    async def run(self, *, agreed: bool) -> NoReturn:
        """Carry the conversation; its end is raised as `CallOver`.

        `agreed`: the outside party has said yes already.
        """
        if agreed:
            self._key.consented()
        elif self._to_be_asked and Side.A not in self._c.owed:
            self._key.ask_first()
        self._join()
        self._listen()
        self._due = self._acknowledged and self._begins_now(agreed=agreed)
        self._begin()
        self._music.follow()
        self._lifting.follow()
        try:
            while True:
                await self._next()
        finally:
            self._music.end()

    async def _next(self) -> None:
        event = await self._c.next_event(self._deadline())
        if event is None:
            self._key.time_passed()
            self._renegotiation.time_passed()
        elif isinstance(event, RequestCompleted) and self._keys.completed(event):
            pass
        elif self._referring.under_way:
            if self._referring.handle(event):
                self._keys.listen(anew=tuple(Side))
                self._renegotiated()
        elif self._key.handle(event):
            self._acknowledge_answer(event)
        else:
            self._handle(event)
            self._refer_at_last()
        self._keys.follow(self._key.asked)
        self._music.follow(event)
        self._lifting.follow()

    def _join(self) -> None:
        """Let them hear each other, at once or when both have answered our offers."""
        with contextlib.suppress(RemoteProtocolError):
            self._c.media.bridge.join()

    def _begin(self) -> None:
        """Start what begins by itself, as soon as it is known what the parties send."""
        if self._due:
            self._key.begin()
            self._due = not self._c.recording.running

    def _begins_now(self, *, agreed: bool) -> bool:
        start = self._decision.start
        return start is Start.NOW or (start is Start.AFTER_CONSENT and agreed)

    @property
    def _to_be_asked(self) -> bool:
        """Whether the question comes first, and was not put by the greeting."""
        return self._decision.start is Start.AFTER_CONSENT and not self._greeted

    def _deadline(self) -> float | None:
        due = (
            self._key.next_timeout(),
            self._renegotiation.next_timeout(),
        )
        return min((at for at in due if at is not None), default=None)

    def _listen(self) -> None:
        """Hear the star codes of our own parties, and keys that don't reach the other by packet."""
        self._keys.follow(self._key.asked)
        self._keys.listen()

    def _handle(self, event: CallEvent) -> None:
        match event:
            case MediaTimeout():
                self._fall_silent(event)
            case MediaResumed():
                self._silent.discard(event.leg_id)
            case CodeReceived():
                self._press(self._c.media.side_of(event.leg_id), Wish.TOGGLE)
            case KeysDue():
                self._keys.pass_on(event)
            case RecordKeyPressed() if not event.done.done():
                event.done.set_result(self._key.press(event.number, event.wish))
            case Surrendered():
                self._key.drop_question()
                raise CallOver(0, "", "ANSWERED", side=("caller", "callee")[event.side])
            case InDialogReceived() if event.request.method == "REFER":
                self._refer(event)
            case _ if self._c.refreshing.handle(event):
                self._renegotiated()
            case _:
                self._handle_sip(event)

    def _handle_sip(self, event: CallEvent) -> None:
        match event:
            case AckReceived():
                self._take_ack(event)
            case UsageEnded() | InviteCancelled():
                # Cancelled: our 2xx waited for a PRACK and never went out.
                self._referring.left(self._c.side_of(event.usage))
                side = "caller" if event.usage == self._c.a else "callee"
                bye = event.request if isinstance(event, UsageEnded) else None
                raise CallOver(0, "", "ANSWERED", side=side, cause=q850_cause(bye))
            case AckMissing():
                raise CallOver(0, "", "ANSWERED")
            case ReinviteReceived():
                self._renegotiation.offered(event)
            case RefreshDue():
                self._renegotiation.refresh(event.usage)
            case RequestCompleted():
                if self._renegotiation.completed(event):
                    self._renegotiated()
            case InDialogReceived():
                self._request(event)
            case _:
                self._c.small_talk(event)

    def _request(self, event: InDialogReceived) -> None:
        match event.request.method:
            case "UPDATE":
                self._renegotiation.offered(event)
            case "INFO":
                self._info(event)
            case "PRACK":
                self._take_prack(event)
            case _:
                self._c.small_talk(event)

    def _take_ack(self, event: AckReceived) -> None:
        """Start what begins by itself, with the caller's first ACK.

        A caller who answers an offer of ours says only there where it listens and what it sends:
        a yes before that would open a tap on a leg of which nothing is known.
        """
        answered = self._c.acknowledged(event)
        if answered:
            self._renegotiated()
            self._renegotiation.tell(self._c.side_of(event.usage).other)
        if event.usage == self._c.a and not self._acknowledged:
            self._acknowledged = True
            if self._decision.start is Start.NOW:
                self._due = True
                self._begin()
            elif answered and self._to_be_asked:
                self._key.ask_first()

    def _take_prack(self, event: InDialogReceived) -> None:
        """Go on with a caller who has answered an early offer, for which our 2xx has waited."""
        self._c.pracked(event)
        self._renegotiated()
        if self._to_be_asked:
            self._key.ask_first()

    def _renegotiated(self) -> None:
        """Go on with what both sides have agreed on now."""
        self._listen()
        self._c.recording.follow(self._c.media.bridge)
        self._begin()
        self._key.resumed()

    # --- transfers

    def _refer(self, event: InDialogReceived) -> None:
        """Take a REFER; one that overtakes the end of a hold has to wait for it."""
        if self._wish is not None:
            self._c.respond(event, 491)
        else:
            self._wish = event

    def _refer_at_last(self) -> None:
        if self._wish is not None and not self._renegotiation.is_busy:
            wish, self._wish = self._wish, None
            self._referring.offered(wish)

    def _fall_silent(self, event: MediaTimeout) -> None:
        self._silent.add(event.leg_id)
        if len(self._silent) == len(self._c.media.legs) and not self._c.media.bridge.held:
            raise CallOver(0, "", "ANSWERED")

    # --- keys

    def _press(self, side: Side, wish: Wish) -> Action:
        extension = self._c.parties[side].extension
        if extension is None:
            return Action.REFUSE
        return self._key.press(extension.number, wish)

    def _acknowledge_answer(self, event: CallEvent) -> None:
        """Nobody else hears the key by which the asked party answers."""
        if isinstance(event, InDialogReceived):
            self._c.respond(event, 200)

    def _info(self, event: InDialogReceived) -> None:
        """Answer an INFO: the record key, a key of the keypad, or nothing that we know."""
        conversation = self._c
        side = conversation.side_of(event.usage)
        wish, key = record_wish(event.request), key_of(event.request)
        if wish is not None:
            action = self._press(side, Wish(wish)) if self._codes else Action.REFUSE
            conversation.respond(event, 403 if action is Action.REFUSE else 200)
        elif key is not None and self._keys.info(side, key):
            conversation.respond(event, 200)
        else:
            conversation.small_talk(event)
