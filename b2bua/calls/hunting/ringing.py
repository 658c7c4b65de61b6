"""Ringing a party: every contact of an extension; `trunk_ringing.py` rings numbers outside.

Whose answer is taken is `first_answer.py`'s.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Self

from b2bua.calls.call_over import UNSPECIFIED, Unanswered, all_failed, no_answer, not_encrypted
from b2bua.calls.conversation import Conversation
from b2bua.calls.hunting.diversion import Diversion, diversion_headers, redirected_to
from b2bua.calls.party import Party
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.sessions.media_way import MediaWay
from b2bua.trunks.trunk import ANONYMOUS
from recording.reasons import ReasonKey
from sip.address import Flow
from sip.build import HeaderList
from sip.dialog import header_values
from sip.events import InviteAnswered, InviteFailed
from sip.message import URI, Address, parse_uri
from sip.reason import q850_cause
from sip.registrar import Binding
from sip.secure_media import Srtp

NO_COMMON_CODEC = frozenset({488, 606})
":rfc:`3261#section-21.4.26`: not acceptable here, or anywhere."

NO_COMMON_MEDIA = NO_COMMON_CODEC | {415}
"Of a secure profile some say it as if it were another kind of body."

Device = tuple[Binding, ...]
"The flows of one telephone, in the order in which to try them; most have one."

FLOW_FAILED = 430
"Of a proxy: the telephone's connection to it is no more (:rfc:`5626#section-11.5`)."

NOT_THERE = 480
"What that is to a caller."

UNREACHABLE = 503
"Without a response: nothing could be sent."


class Attempt(Enum):
    """What a contact was offered."""

    FIRST = auto()
    PLAIN = auto()
    "Plain RTP, after it had refused SRTP that it need not have."
    WIDER = auto()
    "Other codecs, after it had refused those of the caller."


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One INVITE."""

    target: URI
    flow: Flow
    way: MediaWay
    device: Device = ()
    "Of an extension: the flow that is tried, and those behind it."
    attempt: Attempt = Attempt.FIRST


class Ringing:
    """One party who is rung, at all of its contacts."""

    def __init__(
        self,
        conversation: Conversation,
        party: Party,
        devices: Sequence[Device],
        diversions: tuple[Diversion, ...] = (),
    ) -> None:
        """`diversions`: who has sent the call on, oldest first."""
        self.party = party
        self._c = conversation
        self._devices = devices
        self._diversions = diversions
        self._branches: dict[int, Branch] = {}
        self._not_encrypted = ""
        "Why a contact is not rung, or said no: SRTP is required."
        self._failures: list[int] = []
        self._redirect = ""

    def start(self) -> None:
        """Send the INVITEs, with the bridge's newest offer."""
        for device in self._devices:
            self._ring(device)
        self._c.kick()

    def _ring(self, device: Device) -> None:
        """Try the first flow of a telephone."""
        binding = device[0]
        way = self._c.way_to(self.party, binding.flow)
        if way.unkeyed:
            self._not_encrypted = way.unkeyed
            return
        target = parse_uri(binding.contact)
        self._invite(Branch(target=target, flow=binding.flow, way=way, device=device))

    @property
    def not_started(self) -> Unanswered:
        """What came of it where nothing is rung."""
        if self._not_encrypted:
            return not_encrypted(self._not_encrypted)
        return no_answer(ReasonKey.UNREACHABLE, self.party.number)

    @property
    def rings(self) -> bool:
        """Whether anything is being rung."""
        return bool(self._branches)

    @property
    def usages(self) -> tuple[int, ...]:
        """The INVITEs that are under way."""
        return tuple(self._branches)

    def moved_to(self, conversation: Conversation) -> Self:
        """Return the same ringing, for the caller of another conversation; here it is over."""
        moved = copy(self)
        self._branches = {}
        moved._take(conversation)  # noqa: SLF001 - a copy of this one
        return moved

    def _take(self, conversation: Conversation) -> None:
        self._c = conversation
        for usage in self._branches:
            conversation.branches.add(usage)
            conversation.attach(usage)

    def has(self, usage: int) -> bool:
        """Tell whether a usage is one of those that ring here."""
        return usage in self._branches

    def refused(self, event: InviteFailed) -> Unanswered | None:
        """Take the failure of one contact; returns the party's answer where it was the last."""
        branch = self._branches.get(event.usage)
        self._drop(event.usage)
        if branch is not None and branch.device and self._ring_elsewhere(branch.device, event):
            return None
        if branch is not None and event.code in NO_COMMON_MEDIA:
            if self._ask_again(branch, event.code):
                return None
            if branch.way.srtp is Srtp.REQUIRED:
                self._not_encrypted = "SRTP is required"
        self._failures.append(NOT_THERE if event.code == FLOW_FAILED else event.code)
        if self.party.extension is not None and event.response is not None and event.code < 400:
            self._redirect = self._redirect or redirected_to(event.response)
        if self._branches:
            return None
        over = all_failed(self._failures, self.party.number)
        if over.cause == UNSPECIFIED:
            # The network that was asked may know better.
            over.cause = q850_cause(event.response) or UNSPECIFIED
        if over.code in NO_COMMON_MEDIA and self._not_encrypted:
            return not_encrypted(self._not_encrypted, side="callee")
        over.redirect = self._redirect
        return over

    def _ring_elsewhere(self, device: Device, event: InviteFailed) -> bool:
        """Try the next flow of a telephone whose first one is no more (:rfc:`5626#section-7`)."""
        if event.code == FLOW_FAILED:
            self._c.services.flow_failed(device[0])
        elif event.response is not None or event.code != UNREACHABLE:
            return False
        if len(device) == 1:
            return False
        self._ring(device[1:])
        self._c.kick()
        return True

    def _ask_again(self, branch: Branch, code: int) -> bool:
        """Offer something else to a contact that can't take what it was offered.

        First plain RTP, then all codecs that we can transcode. Nobody says which of them was
        wrong.
        """
        if branch.attempt is Attempt.FIRST and branch.way.srtp is Srtp.OPTIONAL:
            attempt = Attempt.PLAIN
        elif branch.attempt is Attempt.WIDER or code not in NO_COMMON_CODEC:
            return False
        elif self._c.media.bridge.wider_offer(Side.B):
            attempt = Attempt.WIDER
        else:
            return False
        self._invite(replace(branch, attempt=attempt))
        self._c.kick()
        return True

    def answered(self, event: InviteAnswered) -> None:
        """Let whoever answered be the callee of the conversation."""
        conversation = self._c
        self.heard_of(event.usage)
        conversation.call(self.party)
        conversation.b = event.usage
        self._drop(event.usage)
        conversation.note_allow(Side.B, event.response.headers.getlist("Allow"))
        conversation.record.join(self.party, side=Side.B, call_id=conversation.sip_call_id(Side.B))
        conversation.record.answered(self.party)

    def heard_of(self, usage: int) -> None:
        """Let media go to the contact that is about to agree on it."""
        self._c.media.bridge.sides[Side.B].meet(self._branches[usage].way)

    def lose_patience(self, why: HeaderList = ()) -> None:
        """Ring no longer; a 200 that crosses is ended by the endpoint.

        `why`: what the CANCEL says (:rfc:`3326`).
        """
        for usage in tuple(self._branches):
            self._c.services.endpoint.calls.cancel(usage, self._c.now, why)
            self._drop(usage)
        self._c.kick()

    def _invite(self, branch: Branch) -> None:
        conversation = self._c
        way = branch.way.plain if branch.attempt is Attempt.PLAIN else branch.way
        last = branch.attempt is Attempt.WIDER
        usage = self._send(branch, conversation.media.bridge.sides[Side.B].offer_by(way, last=last))
        self._branches[usage] = branch
        conversation.branches.add(usage)
        conversation.attach(usage)

    def _send(self, branch: Branch, body: bytes) -> int:
        """Send the INVITE to one contact and return its usage."""
        conversation = self._c
        endpoint = conversation.services.endpoint
        host = endpoint.advertised(branch.flow).uri_host
        return endpoint.calls.invite(
            target=branch.target,
            flow=branch.flow,
            from_=_shown(conversation.parties[Side.A], host),
            to=Address(uri=URI(scheme="sip", user=self.party.number, host=host)),
            body=body,
            now=conversation.now,
            caused_by=conversation.request,
            headers=(
                *diversion_headers(self._diversions, self._names(), host),
                *self._referred_by(host),
            ),
            routes=routes_of(branch.device),
        )

    def _referred_by(self, host: str) -> HeaderList:
        """Return who has transferred the caller (:rfc:`3892`), for telephones of the house."""
        number = self._c.referred_by
        if not number or self.party.trunk is not None:
            return ()
        return (("Referred-By", f"<sip:{number}@{host}>"),)

    def _names(self) -> dict[str, str]:
        """Return what our numbers are called where the party is."""
        trunk = self.party.trunk
        if trunk is None:
            return {}
        return {number: did for did, number in reversed(trunk.settings.dids.items())}

    def _drop(self, usage: int) -> None:
        self._branches.pop(usage, None)
        self._c.branches.discard(usage)


def routes_of(device: Device) -> tuple[str, ...]:
    """Return the Route of calls over the flow that is tried (:rfc:`3327#section-5.3`)."""
    path = device[0].path if device else None
    return header_values([path]) if path is not None else ()


def _shown(caller: Party, host: str) -> Address:
    """Return the From that the wanted extension sees; it can call back what it says."""
    number = caller.number
    if caller.trunk is not None and number != ANONYMOUS:
        number = caller.trunk.settings.numbers.incoming_prefix + number
    return Address(name=caller.name, uri=URI(scheme="sip", user=number, host=host))
