"""One call's common ground: its parties and their dialogs, its inbox, and the small things done.

The phases of a call (`greeting`, `ringing`, `talking`) are written over a `Conversation`. Each
reads events from the one inbox and answers what concerns it; the rest is small talk.
"""

import contextlib
import logging
from collections.abc import Mapping

from b2bua.calls.call_media import CallMedia
from b2bua.calls.call_record import CallRecord
from b2bua.calls.inbox import Attachable, CallEvent, Inbox, PickedUp, RecordKeyPressed
from b2bua.calls.party import Party
from b2bua.calls.recording.call_recording import CallRecording
from b2bua.calls.recording.evidence import Evidence
from b2bua.calls.refreshing import Refreshing
from b2bua.calls.renegotiation import Renegotiation
from b2bua.calls.services import CallServices
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.sessions.key_ways import KeyWays
from b2bua.calls.sessions.media_way import MediaWay
from b2bua.calls.transfers.lending import Lending
from ivr.key_pad import Way
from recording.controller import Action
from sip.address import Flow
from sip.build import HeaderList
from sip.errors import LocalProtocolError
from sip.events import AckReceived, InDialogReceived, InviteOffered, ReinviteReceived
from sip.info import allows_info, record_wish
from sip.message import ANSWERED
from sip.usage_state import UsageState

logger = logging.getLogger("b2bua.calls.call")

STANDING = frozenset({UsageState.ANSWERED, UsageState.ESTABLISHED})


class Conversation:
    """What the phases of one call share."""

    def __init__(self, services: CallServices, offered: InviteOffered, caller: Party) -> None:
        self.services = services
        self.request = offered.request
        "The caller's INVITE, until somebody has answered."
        self.parties: tuple[Party, Party] = (caller, caller)
        "The callee takes its place when it is known."
        self.a = offered.usage
        self._flow = offered.flow
        self.b: int | None = None
        "The usage of the callee who answered."
        self.branches: set[int] = set()
        "Usages of those who are being rung."
        self.fetching: set[int] = set()
        "Usages of those who want to fetch the call."
        self.answered_a = False
        "The caller has got its 2xx."
        self.is_asked = False
        "A question to the outside party is open, whether it may be recorded."
        self.owed: set[Side] = set()
        "Sides whose ACK will hold the answer to an offer of ours."
        self.closed = False
        "The call is over."
        self.emergency = False
        self.referred_by = ""
        "Number of the extension that had the caller transferred."
        self.takes_info = [allows_info(offered.request.headers.getlist("Allow")), False]
        self._usages = [self.a]
        self.record = CallRecord(services.journal, services.clock)
        self.evidence = Evidence(services.journal, self.record)
        self.recording = CallRecording(
            plane=services.plane,
            record=self.record,
            evidence=self.evidence,
            folder=services.recordings,
            settings=services.config.recording,
            on_change=self.show_lamps,
        )
        self._inbox = Inbox(self.record.uniqueid, services.clock)
        self.media = CallMedia(
            services,
            self._inbox,
            call_id=self.record.uniqueid,
            on_worker_died=self.recording.worker_died,
        )
        self.refreshing = Refreshing(self)
        self.renegotiation = Renegotiation(self)
        self.lending = Lending(self)

    def forget_request(self) -> None:
        """Let the INVITE go, when nobody is rung any more."""
        self.request = ANSWERED

    # --- events

    @property
    def usages(self) -> tuple[int, ...]:
        """Every usage that was ever attached to the call."""
        return tuple(self._usages)

    def deliver(self, event: CallEvent) -> None:
        """Put an event into the inbox."""
        self._inbox.deliver(event)

    async def next_event(self, deadline: float | None = None) -> CallEvent | None:
        """Return the next event; None once the clock is past `deadline`; raises `CallOver`.

        What concerns a party that is in another conversation goes on to that one.
        """
        while True:
            event = await self._inbox.next_event(deadline)
            borrower = self.lending.borrower(event)
            if event is None or borrower is None:
                return event
            borrower.deliver(event)

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
        elif isinstance(event, PickedUp):
            self.turn_away(event, 480)

    def turn_away(self, event: PickedUp, code: int) -> None:
        """Refuse somebody who wants to fetch the call, unless that was done already."""
        usage = event.offered.usage
        if usage in self.fetching:
            self.fetching.discard(usage)
            self.services.endpoint.calls.reject(usage, code, self.now)
            self.kick()

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

    def acknowledged(self, event: AckReceived) -> bool:
        """Take the answer that an ACK owes us; true where there was one. Raises `CallOver`."""
        side = self.side_of(event.usage)
        if side not in self.owed:
            return False
        self.owed.discard(side)
        self.media.negotiate(lambda: self.media.bridge.take_answer(side, event.request.body))
        return True

    def pracked(self, event: InDialogReceived) -> None:
        """Take the answer to an early offer of ours, which came in a PRACK; raises `CallOver`."""
        side = self.side_of(event.usage)
        self.owed.discard(side)
        self.media.negotiate(lambda: self.media.bridge.take_answer(side, event.request.body))
        self.respond(event, 200)

    # --- who and where

    @property
    def lent(self) -> Mapping[Side, Attachable]:
        """Sides that are in another conversation, and in which."""
        return self.lending.away

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

    def usage(self, side: Side) -> int | None:
        return self.a if side is Side.A else self.b

    def partner(self, side: Side) -> int | None:
        """Return the usage of a side; while the callee still rings, the one that may be it.

        None also for a party that is in another conversation.
        """
        if side in self.lent:
            return None
        usage = self.usage(side)
        if usage is None and len(self.branches) == 1:
            (usage,) = self.branches
        return usage

    def warning(self, text: str = "") -> HeaderList:
        """Return what goes with a 488: the media is why (:rfc:`3261#section-20.43`).

        `text`: something else is.
        """
        host = self.services.endpoint.contact
        what = f'399 {host} "{text}"' if text else f'305 {host} "Incompatible media format"'
        return (("Warning", what),)

    def stands(self, side: Side) -> bool:
        """Whether a side's dialog stands, though its end may be about to be told."""
        usage = self.usage(side)
        return usage is not None and self.services.endpoint.calls.state(usage) in STANDING

    def attach(self, usage: int) -> None:
        """Have a usage's events come here."""
        if usage not in self._usages:
            self._usages.append(usage)
        self.services.attach(usage, self)

    def detach(self, usage: int) -> None:
        """Let a usage go: it is another conversation's now."""
        self._usages.remove(usage)

    def sip_call_id(self, side: Side) -> str:
        """Return the Call-ID of a side's dialog, for evidence."""
        usage = self.usage(side)
        with contextlib.suppress(LocalProtocolError):
            return self.services.endpoint.calls.dialog(usage).call_id if usage is not None else ""
        return ""

    def note_allow(self, side: Side, allow: list[str]) -> None:
        """Remember whether a side takes, and so sends, INFO."""
        self.takes_info[side] = allows_info(allow)

    def key_ways(self, side: Side) -> KeyWays:
        """Return in which ways a side presses keys, as things stand."""
        party = self.parties[side]
        dtmf = self.services.config.dtmf
        if party.extension is not None:
            ways = party.extension.dtmf or dtmf.ways_of(party.number)
        else:
            ways = party.trunk.settings.dtmf if party.trunk is not None else dtmf.extensions
        return KeyWays(
            ways, self.media.bridge.sides[side], info=Way.INFO in ways and self.takes_info[side]
        )

    def can_be_asked(self, side: Side) -> bool:
        """Tell whether a side understands us and can press a key that we hear."""
        return self.key_ways(side).any and self.media.bridge.sides[side].coding is not None

    @property
    def way_of_caller(self) -> MediaWay:
        """How media goes to the caller."""
        return self.way_to(self.parties[Side.A], self._flow)

    def way_to(self, party: Party, flow: Flow) -> MediaWay:
        """Return how media goes to a party who is at the other end of a flow."""
        return self.services.ways.to(party, flow, emergency=self.emergency)

    # --- the house

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.services.clock()

    def show_lamps(self) -> None:
        """Have the lamps looked at that stand for this call."""
        self.services.changed(p.number for p in self.parties if p.extension is not None)

    def kick(self) -> None:
        """Have the endpoint's words sent."""
        self.services.kick()

    def log(self, what: str, reason: str) -> None:
        """Note something that an operator may look for."""
        logger.info(what, extra={"call_id": self.record.uniqueid, "reason": reason})

    def dissolve(self) -> None:
        """Let go of those who know the conversation, when nobody will ask for them any more.

        Circles would wait for the garbage collector, and set-ups for its walks through them.
        """
        self.recording.on_change = _nobody_to_tell
        del self.lending, self.refreshing, self.renegotiation


def _nobody_to_tell() -> None:
    """Stand in for who was told of changes, when the call is over."""
