"""Ringing a number outside: over the trunks of its route, one after the other.

The next one is asked where nobody was reached: no answer at all, no way there, a server that is
full or broken (5xx), a password that is not taken, as many calls as the trunk may have. What the
called party itself says (busy, declined, unknown) is the answer of the call.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from b2bua.calls.call_over import Unanswered
from b2bua.calls.conversation import Conversation
from b2bua.calls.hunting.diversion import Diversion, diversion_headers
from b2bua.calls.hunting.history_info import history_headers
from b2bua.calls.hunting.ringing import Branch, Ringing
from b2bua.calls.party import Party
from b2bua.calls.sessions.bridge import Side
from b2bua.routing import ToTrunk
from b2bua.trunks.identity import identity, wants_privacy
from b2bua.trunks.trunk import Trunk
from sip.address import Flow
from sip.build import HeaderList
from sip.events import InviteFailed
from sip.locating import Destination
from sip.message import URI, Address

SILENCE_S: Final = 6.0
"How long a server may say nothing at all where there is another one to ask."

MAX_SERVERS: Final = 8
"Servers that one call is tried with; each may be silent for a while."

MAX_PLACES: Final = 3
"Servers of one trunk."

NOT_TAKEN: Final = frozenset({401, 407, 408})
"Beside 5xx: nobody there has decided about the call."


@dataclass(frozen=True, slots=True)
class Server:
    """One server of one trunk."""

    trunk: Trunk
    place: Destination
    flow: Flow


def servers(
    destination: ToTrunk, flow_to: Callable[[Destination], Flow | None]
) -> tuple[Server, ...]:
    """Return where to try, best first.

    A trunk that is known to take nothing is passed over; in an emergency it is tried last. Where
    nothing is left, one that only has not registered us is asked all the same: it may know us.
    """
    trunks = destination.trunks
    able = [trunk for trunk in trunks if trunk.may_take]
    if destination.emergency:
        able += [trunk for trunk in trunks if not trunk.may_take]
    able = able or [trunk for trunk in trunks if not trunk.down]
    found = (
        Server(trunk, place, flow)
        for trunk in able
        for place in trunk.servers[:MAX_PLACES]
        if (flow := flow_to(place)) is not None
    )
    return tuple(found)[:MAX_SERVERS]


class TrunkRinging(Ringing):
    """One number outside that is rung."""

    def __init__(
        self,
        conversation: Conversation,
        party: Party,
        destination: ToTrunk,
        diversions: tuple[Diversion, ...] = (),
    ) -> None:
        super().__init__(conversation, party, (), diversions)
        self._destination = destination
        self._left = deque(servers(destination, conversation.services.flow_to))
        self._at: Server | None = None

    def start(self) -> None:
        """Send the first INVITE."""
        self._next()

    def refused(self, event: InviteFailed) -> Unanswered | None:
        """Take the failure of a server; returns the answer where it is the call's."""
        if _was_not_taken(event):
            self._leave(event)
            if self._next():
                self._drop(event.usage)
                return None
        return super().refused(event)

    def _leave(self, event: InviteFailed) -> None:
        """Take note of a failure: who was silent is avoided, who refused has spoken for all."""
        server = self._at
        assert server is not None
        if event.response is None or event.code == 503:
            server.trunk.note_failure(server.place)
        else:
            self._left = deque(each for each in self._left if each.trunk is not server.trunk)

    def _next(self) -> bool:
        """Try the next server; false where there is none."""
        while self._left:
            server = self._left.popleft()
            if self._has_room(server.trunk) and self._try(server):
                return True
        return False

    def _has_room(self, trunk: Trunk) -> bool:
        limit = trunk.settings.max_calls
        if not limit or self._destination.emergency:
            return True
        return self._c.services.endpoint.calls.count_with(trunk) < limit

    def _try(self, server: Server) -> bool:
        """Send the INVITE; false where SRTP is required and can't be had there."""
        self._at = server
        self.party = replace(self.party, trunk=server.trunk)
        way = self._c.way_to(self.party, server.flow)
        if way.unkeyed:
            self._not_encrypted = way.unkeyed
            return False
        number = self._destination.number
        called = number if self._destination.emergency else server.trunk.numbers.called(number)
        self._invite(Branch(target=server.trunk.uri(called), flow=server.flow, way=way))
        self._c.kick()
        return True

    def _send(self, branch: Branch, body: bytes) -> int:
        server, conversation = self._at, self._c
        assert server is not None
        trunk, endpoint = server.trunk, conversation.services.endpoint
        host = endpoint.advertised(branch.flow).uri_host
        who = identity(trunk, conversation.parties[Side.A], withheld=self._withheld, host=host)
        ours = trunk.uri(None).host if trunk.settings.has_domain else host
        return endpoint.calls.invite(
            target=branch.target,
            flow=branch.flow,
            from_=who.from_,
            to=Address(uri=branch.target),
            body=body,
            now=conversation.now,
            caused_by=conversation.request,
            headers=(*who.headers, *self._forwarded(trunk, branch.target, ours)),
            routes=trunk.routes(server.place),
            peer=trunk,
            silence_s=SILENCE_S if self._left else None,
        )

    def _forwarded(self, trunk: Trunk, target: URI, host: str) -> HeaderList:
        """Return who has sent the call on, as the trunk wants to be told."""
        ways, names = trunk.settings.identity.forwarded, self._names()
        headers: list[tuple[str, str]] = []
        if "diversion" in ways:
            headers += diversion_headers(self._diversions, names, host)
        if "history-info" in ways:
            headers += history_headers(self._diversions, names, host, target)
        return headers

    def _names(self) -> dict[str, str]:
        trunk = self.party.trunk
        assert trunk is not None
        return {number: trunk.numbers.written(did) for number, did in super()._names().items()}

    @property
    def _withheld(self) -> bool:
        """Whether the caller's number is not to be shown; an emergency always shows it."""
        if self._destination.emergency or self._at is None:
            return False
        always = self._at.trunk.settings.identity.withhold
        return always or self._destination.withheld or wants_privacy(self._c.request)


def _was_not_taken(event: InviteFailed) -> bool:
    return event.code in NOT_TAKEN or 500 <= event.code < 600
