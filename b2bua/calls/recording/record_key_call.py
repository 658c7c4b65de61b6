"""The star code dialled as a call of its own: a speed-dial key of any telephone is a record key.

The call that is meant is another one of the same extension: the one that it holds, else its
newest. We answer, press that call's record key, say what came of it and hang up. Such a call is
nobody's conversation, so it has no row; the segment that it starts names the extension.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable

from b2bua.calls.call_over import CallOver
from b2bua.calls.inbox import CallEvent, Inbox, LegLost, RecordKeyPressed
from b2bua.calls.party import Party
from b2bua.calls.services import CallServices
from b2bua.calls.sessions.negotiation import Negotiation
from b2bua.calls.sessions.transcodable import transcodable
from b2bua.media.from_worker import PlayFinished
from b2bua.media.leg import MediaLeg
from b2bua.media.lending import NoPortError
from b2bua.media.to_worker import PlayPart
from ivr.prompts import PromptId
from recording.controller import Action, Wish
from sip.errors import RemoteProtocolError
from sip.events import (
    AckMissing,
    AckReceived,
    InDialogReceived,
    InviteCancelled,
    InviteOffered,
    ReinviteReceived,
    UsageEnded,
)

logger = logging.getLogger("b2bua.calls.call")

PRESS_PATIENCE_S = 2.0
"For the other call to say what came of the key."

PAUSE_MS = 200
"Of silence before we speak: a telephone's ear opens late."

LONGEST_S = 15.0
"Of the whole call."

SAYS = {
    Action.START: PromptId.RECORDING_ON,
    Action.CONFIRM_ON: PromptId.RECORDING_ON,
    Action.STOP: PromptId.RECORDING_OFF,
    Action.CANCEL: PromptId.RECORDING_OFF,
    Action.CONFIRM_OFF: PromptId.RECORDING_OFF,
    Action.ASK: PromptId.RECORDING_ASKED,
    Action.POSTPONE: PromptId.RECORDING_ASKED,
    Action.NOTHING: PromptId.RECORDING_ASKED,
    Action.REFUSE: PromptId.NOT_ALLOWED,
}

Press = Callable[[RecordKeyPressed], bool]
"Hands the press to the call that is meant; false where there is none."


class RecordKeyCall:
    """One such call."""

    def __init__(
        self, services: CallServices, offered: InviteOffered, caller: Party, press: Press
    ) -> None:
        self.call_id = f"key-{secrets.token_hex(6)}"
        self._s = services
        self._usage = offered.usage
        self._offer = offered.request.body
        self._flow = offered.flow
        self._caller = caller
        self._press = press
        self._leg: MediaLeg | None = None
        self._answered = False
        self._inbox = Inbox(self.call_id, services.clock)

    @property
    def usages(self) -> tuple[int, ...]:
        return (self._usage,)

    def deliver(self, event: CallEvent) -> None:
        """Put an event into the inbox."""
        self._inbox.deliver(event)

    async def run(self) -> None:
        """Answer, press, say, hang up; never raises for what a peer did."""
        code = 500
        try:
            await self._carry()
        except CallOver as over:
            code = over.code
        except Exception:
            logger.exception("call failed", extra={"call_id": self.call_id})
        finally:
            self._hang_up(code)

    async def _carry(self) -> None:
        deadline = self._s.clock() + LONGEST_S
        negotiation = await self._answer()
        await self._acknowledged(negotiation, deadline)
        action = await self._pressed()
        prompt = PromptId.NO_CALL if action is None else SAYS[action]
        parts = (PlayPart(silence_ms=PAUSE_MS), self._s.voices.spoken(prompt))
        coding = negotiation.coding
        if coding is None:
            return
        play_id = negotiation.leg.play(parts, *coding)
        await self._wait(
            lambda event: isinstance(event, PlayFinished) and event.play_id == play_id, deadline
        )

    async def _answer(self) -> Negotiation:
        """Answer with a leg of our own; raises `CallOver`."""
        try:
            leg = await self._s.plane.lend(self._s.ways.bind)
        except NoPortError as error:
            raise CallOver(503, "Service Unavailable", "FAILED") from error
        self._leg = leg
        leg.on_event = self.deliver
        leg.on_lost = lambda: self.deliver(LegLost())
        negotiation = Negotiation(leg, transcodable(self._s.config.media))
        negotiation.meet(self._s.ways.to(self._caller, self._flow))
        try:
            body = (
                negotiation.answer_alone(self._offer) if self._offer else negotiation.offer_alone()
            )
        except RemoteProtocolError as error:
            raise CallOver(488, "Not Acceptable Here", "FAILED") from error
        self._s.endpoint.calls.answer(self._usage, body, self._s.clock())
        self._s.kick()
        self._answered = True
        return negotiation

    async def _acknowledged(self, negotiation: Negotiation, deadline: float) -> None:
        """Wait for the ACK, which holds the answer where the offer was ours."""
        event = await self._wait(lambda event: isinstance(event, AckReceived), deadline)
        if isinstance(event, AckReceived) and not self._offer:
            with contextlib.suppress(RemoteProtocolError):
                negotiation.take_answer(event.request.body)

    async def _pressed(self) -> Action | None:
        """Press the other call's key; None where there is no such call."""
        done: asyncio.Future[Action] = asyncio.get_running_loop().create_future()
        if not self._press(RecordKeyPressed(self._caller.number, Wish.TOGGLE, done)):
            return None
        try:
            async with asyncio.timeout(PRESS_PATIENCE_S):
                return await done
        except TimeoutError:
            return Action.REFUSE

    async def _wait(self, wanted: Callable[[CallEvent], bool], deadline: float) -> CallEvent | None:
        """Return the wanted event, or None at the deadline; raises `CallOver` at the end."""
        while (event := await self._inbox.next_event(deadline)) is not None:
            if wanted(event):
                return event
            if isinstance(event, InviteCancelled | UsageEnded | AckMissing):
                raise CallOver(487, "Request Terminated", "NO ANSWER")
            if isinstance(event, InDialogReceived | ReinviteReceived):
                code = 488 if isinstance(event, ReinviteReceived) else 405
                self._s.endpoint.respond(event.transaction, code, self._s.clock())
                self._s.kick()
        return None

    def _hang_up(self, code: int) -> None:
        now = self._s.clock()
        if not self._answered and code != 487:
            self._s.endpoint.calls.reject(self._usage, code, now)
        self._s.endpoint.calls.abandon(self._usage, now)
        self._s.kick()
        if self._leg is not None:
            self._leg.on_event = self._leg.on_lost = None
            self._leg.release()
