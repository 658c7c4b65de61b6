"""One call's common ground: its parties, legs, inbox and rows, and the small things done with them.

The phases of a call (`greeting`, `ringing`, `talking`) are written over a `Conversation`. Each
reads events from the one inbox and answers what concerns it; the rest is small talk.
"""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from b2bua.calls.bridge import Bridge, Side
from b2bua.calls.call_over import NOBODY, CallOver
from b2bua.calls.call_record import CallRecord
from b2bua.calls.call_recording import CallRecording
from b2bua.calls.evidence import Evidence
from b2bua.calls.inbox import CallEvent, Inbox, LegLost, RecordKeyPressed
from b2bua.calls.party import Party
from b2bua.calls.renegotiation import Renegotiation
from b2bua.calls.transcodable import transcodable
from b2bua.config import Config
from b2bua.directory import Directory
from b2bua.media.leg import MediaLeg
from b2bua.media.messages import PlayPart
from b2bua.media.plane import MediaPlane, NoPortError
from b2bua.routing import DialPlan
from b2bua.voice_book import VoiceBook
from cdr.journal import Journal
from recording.controller import Action
from sip.address import Flow, HostPort, Transport
from sip.build import HeaderList
from sip.endpoint import Endpoint
from sip.errors import LocalProtocolError, RemoteProtocolError
from sip.events import AckReceived, InDialogReceived, InviteOffered, ReinviteReceived
from sip.info import allows_info, record_wish
from sip.registrar import Registrar

logger = logging.getLogger("b2bua.calls.call")

T = TypeVar("T")


class Attachable(Protocol):
    """Who takes a usage's events."""

    def deliver(self, event: CallEvent) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CallServices:
    """What a call needs of the house."""

    config: Config
    endpoint: Endpoint
    kick: Callable[[], None]
    plane: MediaPlane
    journal: Journal
    directory: Directory
    registrar: Registrar
    plan: DialPlan
    voices: VoiceBook
    media_host: str
    flow_to: Callable[[Transport, HostPort], Flow | None]
    "The way from us to an address; None where we don't speak its family."
    recordings: Path
    clock: Callable[[], float]
    attach: Callable[[int, Attachable], None]
    "Have a usage's events delivered to a call."


class Conversation:
    """What the phases of one call share."""

    def __init__(self, services: CallServices, offered: InviteOffered, caller: Party) -> None:
        self.services = services
        self.request = offered.request
        self.parties: tuple[Party, Party] = (caller, caller)
        "The callee takes its place when it is known."
        self.a = offered.usage
        self.b: int | None = None
        "The usage of the callee who answered."
        self.branches: set[int] = set()
        "Usages of those who are being rung."
        self.legs: list[MediaLeg] = []
        self.answered_a = False
        "The caller has got its 2xx."
        self.owed: set[Side] = set()
        "Sides whose ACK will hold the answer to an offer of ours."
        self.record = CallRecord(services.journal, services.clock)
        self.evidence = Evidence(services.journal, self.record)
        self.recording = CallRecording(
            plane=services.plane,
            record=self.record,
            evidence=self.evidence,
            folder=services.recordings,
            settings=services.config.recording,
        )
        self._usages = [self.a]
        self._bridge: Bridge | None = None
        self._allows_info = [allows_info(offered.request.headers.getlist("Allow")), False]
        self.renegotiation = Renegotiation(self)
        self._inbox = Inbox(self.record.uniqueid, services.clock)

    # --- events

    @property
    def usages(self) -> tuple[int, ...]:
        """Every usage that was ever attached to the call."""
        return tuple(self._usages)

    def deliver(self, event: CallEvent) -> None:
        """Put an event into the inbox."""
        self._inbox.deliver(event)

    async def next_event(self, deadline: float | None = None) -> CallEvent | None:
        """Return the next event; None once the clock is past `deadline`; raises `CallOver`."""
        return await self._inbox.next_event(deadline)

    def small_talk(self, event: CallEvent) -> None:
        """Answer what needs an answer and changes nothing."""
        if isinstance(event, InDialogReceived):
            code = 200 if event.request.method == "OPTIONS" else 405
            if event.request.method == "INFO":
                code = 415 if record_wish(event.request) is None else 480
            elif event.request.method == "REFER":
                code = 603
            self.respond(event, code)
        elif isinstance(event, ReinviteReceived):
            self.respond(event, 491)
        elif isinstance(event, RecordKeyPressed) and not event.done.done():
            event.done.set_result(Action.REFUSE)

    def respond(
        self,
        event: InDialogReceived | ReinviteReceived,
        code: int,
        body: bytes = b"",
        headers: HeaderList = (),
    ) -> None:
        """Answer a request of one of the parties; a body is SDP."""
        self.services.endpoint.respond(
            event.transaction,
            code,
            self.now,
            headers=headers,
            body=body,
            content_type="application/sdp" if body else None,
        )
        self.kick()

    # --- who and where

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.services.clock()

    @property
    def bridge(self) -> Bridge:
        """The media of the call, once there are legs."""
        assert self._bridge is not None
        return self._bridge

    def speaks_g711(self, side: Side) -> bool:
        """Whether G.711 is what was agreed with a side, if there was anything to agree."""
        return self._bridge is not None and self._bridge.sides[side].law is not None

    @property
    def callee(self) -> Party:
        return self.parties[Side.B]

    def call(self, callee: Party) -> None:
        """Note whom the caller wants."""
        self.parties = (self.parties[Side.A], callee)

    @property
    def outside(self) -> Side | None:
        """The side that is not ours; None in an internal call."""
        return next((side for side in Side if self.parties[side].extension is None), None)

    def side_of(self, usage: int | None) -> Side:
        return Side.A if usage == self.a else Side.B

    def side_of_leg(self, leg_id: int) -> Side:
        return Side.A if leg_id == self.legs[0].leg_id else Side.B

    def usage(self, side: Side) -> int | None:
        return self.a if side is Side.A else self.b

    def partner(self, side: Side) -> int | None:
        """Return the usage of a side; while the callee still rings, the one that may be it."""
        usage = self.usage(side)
        if usage is None and len(self.branches) == 1:
            (usage,) = self.branches
        return usage

    def warning(self) -> HeaderList:
        """Return what goes with a 488: the media is why (:rfc:`3261#section-20.43`)."""
        host = self.services.endpoint.contact
        return (("Warning", f'305 {host} "Incompatible media format"'),)

    def attach(self, usage: int) -> None:
        """Have a usage's events come here."""
        self._usages.append(usage)
        self.services.attach(usage, self)

    def sip_call_id(self, side: Side) -> str:
        """Return the Call-ID of a side's dialog, for evidence."""
        usage = self.usage(side)
        with contextlib.suppress(LocalProtocolError):
            return self.services.endpoint.dialog(usage).call_id if usage is not None else ""
        return ""

    def note_allow(self, side: Side, allow: list[str]) -> None:
        """Remember whether a side takes, and so sends, INFO."""
        self._allows_info[side] = allows_info(allow)

    def can_be_asked(self, side: Side) -> bool:
        """Tell whether a side understands us and can press a key that we hear."""
        negotiation = self.bridge.sides[side]
        keys = bool(negotiation.event_types) or self._allows_info[side]
        return keys and negotiation.law is not None

    def kick(self) -> None:
        """Have the endpoint's words sent."""
        self.services.kick()

    # --- media

    async def lend_legs(self) -> None:
        """Get both legs before anybody is answered; raises `CallOver` (503)."""
        plane, host = self.services.plane, self.services.media_host
        try:
            first = await plane.lend(host)
            self._adopt(first)
            second = await plane.lend(host, beside=first)
            self._adopt(second)
        except NoPortError as error:
            self._log("no media leg", str(error))
            raise CallOver(503, "Service Unavailable", "FAILED", NOBODY) from error
        self._bridge = Bridge(first, second, transcodable(self.services.config.media))

    def _adopt(self, leg: MediaLeg) -> None:
        self.legs.append(leg)
        leg.on_event = self.deliver
        leg.on_lost = self._leg_lost

    def _leg_lost(self) -> None:
        self.recording.worker_died()
        self.deliver(LegLost())

    def negotiate(self, step: Callable[[], T]) -> T:
        """Take a step of offer and answer; raises `CallOver` (488)."""
        try:
            return step()
        except RemoteProtocolError as error:
            self._log("no media", str(error))
            raise CallOver(488, "Not Acceptable Here", "FAILED", NOBODY) from error

    def acknowledged(self, event: AckReceived) -> bool:
        """Take the answer that an ACK owes us; true where there was one. Raises `CallOver`."""
        side = self.side_of(event.usage)
        if side not in self.owed:
            return False
        self.owed.discard(side)
        self.negotiate(lambda: self.bridge.take_answer(side, event.request.body))
        return True

    def hear(self, side: Side, *parts: PlayPart) -> int | None:
        """Let a side hear `parts` and nothing else; None where we don't speak its codec."""
        law = self.bridge.sides[side].law
        return None if law is None else self.legs[side].play(parts, law)

    def hush(self, side: Side) -> None:
        """End what a side hears from us: it hears the other one again."""
        self.legs[side].stop_play()

    def _log(self, what: str, reason: str) -> None:
        logger.info(what, extra={"call_id": self.record.uniqueid, "reason": reason})
