"""Whose calls the bench's telephone makes and takes, and what is remembered of each."""

from dataclasses import dataclass, field

from bench.sip_text import Address, Message


@dataclass(slots=True, kw_only=True)
class Account:
    """An extension of the server."""

    user: str
    password: str


@dataclass(slots=True, kw_only=True)
class Call:
    """One dialog of this phone, as caller or callee; instants are CLOCK_MONOTONIC seconds."""

    call_id: str
    local: str
    "From of our own requests, tag included."
    remote: str
    "To of our own requests; gets its tag with the answer."
    target: str
    "Request-URI of what we send."
    peer: str
    "The other party's number."
    account: Account
    outgoing: bool
    cseq: int = 1
    routes: list[str] = field(default_factory=list)
    body: str = ""
    media: Address | None = None
    "Where the server wants our audio."
    tried: bool = False
    "Already sent with credentials."
    begun_at: float = 0.0
    ringing_at: float = 0.0
    answered_at: float = 0.0
    hung_up_at: float = 0.0
    "When we sent BYE, or took the other side's."
    ended_at: float = 0.0
    "When the dialog was over on our side."
    failure: str = ""
    invite: Message | None = None
    "The INVITE that we answered."
    last: bytes = b""
    "ACK of the caller, 200 of the callee: what a retransmission is answered with."
