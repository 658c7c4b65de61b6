"""What the endpoint tells the application.

`usage` is the number of an INVITE usage (RFC 5057) for its whole life, in both directions;
`transaction` the number of a request that the application answers with `Endpoint.respond`;
`request_id` the number of a request of ours inside a dialog.
"""

from dataclasses import dataclass
from typing import Literal

from sip.address import Flow
from sip.message import Request, Response
from sip.peer import Peer


@dataclass(frozen=True, slots=True)
class Authorized:
    """The request may go on; `identity` comes back in the event."""

    identity: object | None = None
    peer: Peer | None = None
    "Of a call: whose other addresses are its own as well, and with whom we have an account."


@dataclass(frozen=True, slots=True)
class Refused:
    """The request gets this one stateless reply and is forgotten."""

    code: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class InviteOffered:
    """An INVITE outside of any dialog; 100 Trying is sent already."""

    usage: int
    request: Request
    flow: Flow
    identity: object | None = None
    replaces: int | None = None
    """The usage that the INVITE wants to take over (RFC 3891). It is there, and in a state in
    which it can be replaced; whether this caller may is for the application to say."""


@dataclass(frozen=True, slots=True)
class RequestOffered:
    """Any other request outside of a dialog: REGISTER, OPTIONS, unknown methods."""

    transaction: int
    request: Request
    flow: Flow
    identity: object | None = None


@dataclass(frozen=True, slots=True)
class InviteCancelled:
    """The caller gave up before our answer went out; the INVITE has got its 487."""

    usage: int
    reason: str = ""
    """The Reason header of the CANCEL (RFC 3326), `bye` where the caller sent BYE instead, `prack`
    where it left a reliable provisional response without one (it got 504)."""


@dataclass(frozen=True, slots=True)
class AckReceived:
    """The ACK of our 2xx, once; its body may hold the answer to an offer of ours."""

    usage: int
    request: Request


@dataclass(frozen=True, slots=True)
class AckMissing:
    """Nobody acknowledged our 2xx for 64*T1; the application should `bye`."""

    usage: int


@dataclass(frozen=True, slots=True)
class InviteProgressed:
    """A response between 101 and 199 to our INVITE."""

    usage: int
    response: Response


@dataclass(frozen=True, slots=True)
class InviteAnswered:
    """The first 2xx to our INVITE, acknowledged unless the INVITE had no body: then `ack`."""

    usage: int
    response: Response


@dataclass(frozen=True, slots=True)
class InviteFailed:
    """Our INVITE came to nothing; the usage is forgotten."""

    usage: int
    code: int
    "408 without any answer, 503 without a way there, 487 whenever we cancelled."
    reason: str
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class ReinviteReceived:
    """A re-INVITE inside a usage, to be answered with `respond`."""

    usage: int
    transaction: int
    request: Request


@dataclass(frozen=True, slots=True)
class InDialogReceived:
    """Another request inside a usage, to be answered with `respond`."""

    usage: int
    transaction: int
    request: Request


@dataclass(frozen=True, slots=True)
class RequestCompleted:
    """The end of a `request`, `reinvite` or `bye` of ours."""

    usage: int | None
    request_id: int
    response: Response | None
    code: int
    "408 without any answer, 503 without a way there, 481 for a usage that had ended."
    retry_after_s: float | None = None
    """When the same may be asked again: after a 491 by the rules of glare (RFC 3261 section
    14.1), else what the peer said."""


@dataclass(frozen=True, slots=True)
class RefreshDue:
    """The session wants a re-INVITE with what was agreed (RFC 4028): the peer knows no UPDATE."""

    usage: int


@dataclass(frozen=True, slots=True)
class UsageEnded:
    """The peer ended the call, or the dialog is lost; the usage is forgotten."""

    usage: int
    cause: Literal["bye", "timeout", "gone"]
    request: Request | None = None
    "The BYE."


Event = (
    InviteOffered
    | RequestOffered
    | InviteCancelled
    | AckReceived
    | AckMissing
    | InviteProgressed
    | InviteAnswered
    | InviteFailed
    | ReinviteReceived
    | InDialogReceived
    | RequestCompleted
    | RefreshDue
    | UsageEnded
)
