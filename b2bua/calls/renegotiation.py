"""What is negotiated anew in a call that stands or rings (RFC 3261 section 14, RFC 3311).

- An offer of one party is passed across, as re-INVITE or UPDATE, and the answer back. One that
  says nothing new is a refresh of its session (RFC 4028) and answered at once.
- A party that asks us for an offer gets what stands; where its answer changes anything, as when
  it takes its call back from hold so, the other party is told by an offer of ours.
- A refresh of our own says what stands once more.

Nothing waits here: answers come as events like all others, so a record key or a BYE that comes
meanwhile is heard. Offers of ours that meet one of the peer's are made again after the time that
the rules of glare name, out of what is true then.
"""

from typing import TYPE_CHECKING

from b2bua.calls.sessions.bridge import Side
from sip.errors import RemoteProtocolError
from sip.events import InDialogReceived, ReinviteReceived, RequestCompleted
from sip.usage_state import UsageState

if TYPE_CHECKING:
    from b2bua.calls.conversation import Conversation

Offered = ReinviteReceived | InDialogReceived
"A re-INVITE or an UPDATE."

SDP = "application/sdp"

BUSY_S = 0.5
"How long an offer of ours waits for one that is under way."

MAX_OFFERS = 6
"Offers of ours in a row, without one of a party: telephones that never agree end somewhere."


def is_update(event: object) -> bool:
    """Tell whether an event is an UPDATE with an offer."""
    return isinstance(event, InDialogReceived) and event.request.method == "UPDATE"


class Renegotiation:
    """The offers of one call that are under way, or due."""

    def __init__(self, conversation: "Conversation") -> None:
        self._c = conversation
        self._passed: dict[int, Offered] = {}
        "Request id of ours -> the offer that it passes on."
        self._own: dict[int, Side] = {}
        "Request id of an offer of ours -> whom it is made to."
        self._due: dict[Side, tuple[float, bool]] = {}
        "When whom is told what is new, and whether anyway."
        self._refreshes: dict[int, float] = {}
        "When a usage is refreshed, because it could not be at once."
        self._offers = 0

    # --- offers of the parties

    def offered(self, event: Offered) -> None:
        """Pass an offer across; without one, offer what stands."""
        conversation = self._c
        side = conversation.side_of(event.usage)
        body = event.request.body
        self._offers = 0
        try:
            if not body:
                conversation.owed.add(side)
                conversation.respond(event, 200, conversation.media.bridge.offer_to(side))
                return
            again = conversation.media.bridge.sides[side].again(body)
            if again is not None:
                conversation.respond(event, 200, again)
                return
            self._pass_on(event, side, body)
        except RemoteProtocolError:
            conversation.respond(event, 488, headers=conversation.warning())

    def _pass_on(self, event: Offered, side: Side, body: bytes) -> None:
        conversation = self._c
        usage = conversation.partner(side.other)
        if usage is None or self._is_busy(side.other, usage):
            # An UPDATE must not wait for what a human does (RFC 3311 section 5.2).
            early = is_update(event) and not conversation.answered_a
            conversation.respond(event, 504 if early else 491)
            return
        offer = conversation.media.bridge.forward_offer(side, body)
        request_id = self._offer(usage, offer, update=is_update(event))
        if request_id is None:
            conversation.respond(event, 504 if is_update(event) else 491)
            return
        self._passed[request_id] = event
        conversation.kick()

    def _offer(self, usage: int, offer: bytes, *, update: bool) -> int | None:
        """Send an offer in the form that the state of the call allows; None: in none."""
        endpoint, now = self._c.services.endpoint, self._c.now
        if update and endpoint.calls.takes_update(usage):
            return endpoint.calls.request(usage, "UPDATE", now, body=offer, content_type=SDP)
        if endpoint.calls.state(usage) in (UsageState.ESTABLISHED, UsageState.ENDED):
            return endpoint.calls.reinvite(usage, offer, now)
        return None

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way with either side."""
        usages = ((side, self._c.usage(side)) for side in Side)
        return any(usage is not None and self._is_busy(side, usage) for side, usage in usages)

    def _is_busy(self, side: Side, usage: int) -> bool:
        """Tell whether an offer or answer with a side is still under way (section 14.2)."""
        unacknowledged = self._c.services.endpoint.calls.state(usage) is UsageState.ANSWERED
        own = bool(self._own) or self._c.refreshing.is_busy(side)
        under_way = bool(self._passed) or own
        return unacknowledged or side in self._c.owed or under_way

    def completed(self, event: RequestCompleted) -> bool:
        """Take the end of an offer; true where both sides agree on something new."""
        if event.usage is not None:
            self._refreshes.pop(event.usage, None)
        side = self._own.pop(event.request_id, None)
        if side is not None:
            return self._told(side, event)
        waiting = self._passed.pop(event.request_id, None)
        if waiting is None:
            return False
        self._refreshes.pop(waiting.usage, None)
        conversation, code, body = self._c, event.code, b""
        if event.response is not None and code < 300:
            side = conversation.side_of(waiting.usage).other
            try:
                body = conversation.media.bridge.forward_answer(side, event.response.body)
            except RemoteProtocolError:
                code = 488
        if 300 <= code < 400 or code in {405, 501}:
            code = 488
        headers = conversation.warning() if code == 488 else ()
        conversation.respond(waiting, code, body, headers)
        return code < 300

    # --- offers of ours

    def refresh(self, usage: int) -> None:
        """Say once more what stands, for the session timer of a side."""
        conversation = self._c
        side = conversation.side_of(usage)
        if self._is_busy(side, usage):
            self._refreshes[usage] = conversation.now + BUSY_S
            return
        offer = conversation.media.bridge.sides[side].repeat()
        self._keep(side, self._offer(usage, offer, update=False))

    def tell(self, side: Side, *, anyway: bool = False) -> None:
        """Tell a side what the other one has said alone with us, where that is new to it."""
        conversation = self._c
        usage = conversation.partner(side)
        if usage is None or self._offers >= MAX_OFFERS:
            return
        if self._is_busy(side, usage):
            self._later(side, BUSY_S, anyway=anyway)
            return
        offer = conversation.media.bridge.news_for(side, anyway=anyway)
        if offer is not None:
            self._offers += 1
            self._keep(side, self._offer(usage, offer, update=False))

    def lift(self, side: Side) -> None:
        """Offer a side the wideband that the other one has, where there is any to gain."""
        usage = self._c.partner(side)
        offer = self._c.media.bridge.lift_for(side) if usage is not None else None
        if usage is not None and offer is not None:
            self._keep(side, self._offer(usage, offer, update=False))

    def correct(self, side: Side) -> None:
        """Tell a side soon that the other one is not what it was told first."""
        self._later(side, BUSY_S, anyway=True)

    def _keep(self, side: Side, request_id: int | None) -> None:
        if request_id is None:
            self._later(side, BUSY_S, anyway=False)
            return
        self._own[request_id] = side
        self._c.kick()

    def _later(self, side: Side, after_s: float, *, anyway: bool) -> None:
        self._due[side] = (self._c.now + after_s, anyway)

    def _told(self, side: Side, event: RequestCompleted) -> bool:
        """Take the answer to an offer of ours; it may be news for the other side."""
        if event.response is None or event.code >= 300:
            if event.retry_after_s is not None and self._c.usage(side) is not None:
                self._later(side, event.retry_after_s, anyway=False)
            return False
        try:
            self._c.media.bridge.take_answer(side, event.response.body)
        except RemoteProtocolError:
            return False
        self.tell(side.other)
        return True

    # --- time

    def next_timeout(self) -> float | None:
        """Return when `time_passed` is due."""
        due = [when for when, _ in self._due.values()]
        return min((*due, *self._refreshes.values()), default=None)

    def time_passed(self) -> None:
        """Make the offers that are due."""
        now = self._c.now
        for side, (when, anyway) in tuple(self._due.items()):
            if when <= now:
                del self._due[side]
                self.tell(side, anyway=anyway)
        for usage, when in tuple(self._refreshes.items()):
            if when <= now:
                del self._refreshes[usage]
                self.refresh(usage)
