"""Ringing the wanted party on behalf of a caller who hears the network's own answer.

Offer, progress and answer pass through: the caller is answered when the wanted party is.
"""

import contextlib

from b2bua.calls.conversation import Conversation
from b2bua.calls.inbox import CallEvent
from b2bua.calls.renegotiation import is_update
from b2bua.calls.sessions.bridge import Side
from sip.errors import RemoteProtocolError
from sip.events import InDialogReceived, InviteAnswered, InviteProgressed, RequestCompleted


class Forwarding:
    """The caller's side of a call that we only pass on."""

    def __init__(self, conversation: Conversation) -> None:
        self._c = conversation
        self._final = True
        self.early: dict[int, bytes] = {}
        "What each branch has described before its answer: some don't say it again."
        self._promised = b""
        "What the caller was answered in a reliable response."

    @property
    def _offer(self) -> bytes:
        return self._c.request.body

    def offer(self, *, narrow: bool, final: bool) -> bytes:
        """Return the offer for the wanted party: the caller's, or ours where it made none."""
        self._final = final
        bridge = self._c.media.bridge
        return self._c.media.negotiate(
            lambda: (
                bridge.forward_offer(Side.A, self._offer, narrow=narrow)
                if self._offer
                else bridge.offer_to(Side.B)
            )
        )

    def on_event(self, event: CallEvent) -> None:
        """Pass ringing on."""
        renegotiation = self._c.renegotiation
        match event:
            case InviteProgressed() if event.usage in self._c.branches:
                self._progress(event)
            case InDialogReceived() if is_update(event):
                renegotiation.offered(event)
            case InDialogReceived() if event.request.method == "PRACK":
                self._c.pracked(event)
            case RequestCompleted():
                renegotiation.completed(event)
            case _:
                self._c.small_talk(event)

    def sent_on(self) -> None:
        """Tell the caller that the call is being forwarded (:rfc:`3261#section-21.1.3`)."""
        conversation = self._c
        conversation.services.endpoint.calls.provisional(conversation.a, 181, conversation.now)
        conversation.kick()

    def _progress(self, event: InviteProgressed) -> None:
        """Pass ringing on; early media only where one contact alone can send it.

        And only where nobody is rung afterwards: the caller was promised that media.
        """
        conversation, answer = self._c, event.response.body
        body = b""
        if answer:
            self.early[event.usage] = answer
        if answer and not self._promised and len(conversation.branches) == 1 and self._final:
            body = self._early_media(answer)
        code = 183 if body else 180
        endpoint = conversation.services.endpoint
        endpoint.calls.provisional(conversation.a, code, conversation.now, body=body)
        conversation.kick()

    def _early_media(self, answer: bytes) -> bytes:
        """Return what the caller is told of early media.

        One who made no offer gets ours, if it will answer it in its PRACK (:rfc:`3262`).
        """
        conversation, bridge = self._c, self._c.media.bridge
        reliably = conversation.services.endpoint.calls.takes_reliable(conversation.a)
        if self._offer:
            body = conversation.media.negotiate(lambda: bridge.forward_answer(Side.B, answer))
        elif reliably:
            body = conversation.media.negotiate(lambda: self._own_offer(answer))
        else:
            return b""
        self._promised = body if reliably else b""
        return body

    def accept(self, answered: InviteAnswered) -> None:
        """Answer the caller, who made the offer or answers ours in its ACK."""
        conversation = self._c
        answer = answered.response.body or self.early.get(answered.usage, b"")
        body = conversation.media.negotiate(lambda: self._final_answer(answer))
        conversation.services.endpoint.calls.answer(conversation.a, body, conversation.now)
        conversation.kick()
        conversation.answered_a = True

    def fetched(self) -> None:
        """Answer the caller, for whoever has fetched the call.

        What was promised can't be taken back; the caller is offered again what is true then.
        """
        conversation, bridge = self._c, self._c.media.bridge
        was_told = bridge.sides[Side.A].stream is not None
        body = b"" if self._promised else conversation.media.negotiate(self._answer_alone)
        conversation.services.endpoint.calls.answer(conversation.a, body, conversation.now)
        conversation.kick()
        conversation.answered_a = True
        with contextlib.suppress(RemoteProtocolError):
            bridge.join()
        if was_told:
            conversation.renegotiation.correct(Side.A)

    def _answer_alone(self) -> bytes:
        if self._offer:
            return self._c.media.bridge.answer_alone(Side.A, self._offer)
        self._c.owed.add(Side.A)
        return self._c.media.bridge.offer_to(Side.A)

    def _final_answer(self, answer: bytes) -> bytes:
        """Return what the 2xx for the caller says; nothing new where it was promised before."""
        conversation, bridge = self._c, self._c.media.bridge
        if self._offer:
            body = bridge.forward_answer(Side.B, answer, join=False)
            if self._promised not in {b"", body}:
                conversation.renegotiation.correct(Side.A)
            return body
        if not self._promised:
            return self._own_offer(answer)
        bridge.take_answer(Side.B, answer)
        return b""

    def _own_offer(self, answer: bytes) -> bytes:
        self._c.media.bridge.take_answer(Side.B, answer)
        self._c.owed.add(Side.A)
        return self._c.media.bridge.offer_to(Side.A)
