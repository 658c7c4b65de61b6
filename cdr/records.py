"""What is written: events of calls, and changes that people make.

An *event* has happened; the journal takes it without waiting (`Journal.put`). A *change* is
asked for and answered after its commit, together with its audit row (`Journal.execute`).

Field names are column names. Wall times are integer microseconds since 1970-01-01 UTC
(fields that end in `_at`, and `calldate`).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cdr.account_records import AccountChange, SessionTouched
from cdr.extension_records import ExtensionChange

Direction: TypeAlias = Literal["internal", "incoming", "outgoing"]
Disposition: TypeAlias = Literal["ANSWERED", "NO ANSWER", "BUSY", "FAILED"]
Param: TypeAlias = str | int | float | bool | None


def new_id(at: int | None = None) -> str:
    """Return an opaque public id, safe in URLs, paths and command lines.

    With the wall time of its making in front, ids are born in order: their indexes grow at one
    end, and a call costs half of the pages written (measured among 20,000 calls). The 64 random
    bits behind it are what can't be guessed.
    """
    if at is None:
        return secrets.token_hex(12)
    return f"{at // 1_000_000:08x}{secrets.token_hex(8)}"


# --- calls


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOpened:
    """A call began. Its ledger number is given at the insert."""

    id: str
    "Opaque, from `new_id`."
    uniqueid: str
    linkedid: str
    "The `uniqueid` of the first call of a chain of transfers."
    calldate: int
    clid: str = ""
    src: str = ""
    dst: str = ""
    did: str = ""
    channel: str = ""
    dstchannel: str = ""
    direction: Direction | Literal[""] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRouted:
    """Where the call goes became known after its row was opened."""

    id: str
    direction: Direction
    dst: str
    did: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIvrAnswered:
    """We answered the caller ourselves, for the menu."""

    id: str
    ivr_answered_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered:
    """The wanted party answered."""

    id: str
    answered_at: int
    dstchannel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The call is over and its outcome decided: the row is closed."""

    id: str
    ended_at: int
    duration: int
    "Whole seconds from the begin, by the monotonic clock."
    billsec: int
    "Whole seconds from the wanted party's answer."
    disposition: Disposition
    outcome: str
    outcome_reason: str
    "Key of the sentence why."
    outcome_params: Mapping[str, Param] = field(default_factory=dict)
    "Its parameters."
    hangup_cause: int | None = None
    "Q.850."
    hangup_side: str = ""
    "caller, callee or server."
    recordingfile: str = ""
    recovered: bool = False
    "Closed at the start after a crash."


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRevised:
    """What became of a closed call's recording changed (withdrawn, vanished, recovered)."""

    id: str
    outcome: str
    outcome_reason: str
    outcome_params: Mapping[str, Param] = field(default_factory=dict)
    recordingfile: str = ""


# --- parties


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyJoined:
    """A leg came into being."""

    party_id: str
    "As in its permit."
    call_id: str
    "`calls.id`."
    leg: str
    "a, b, c, ..."
    side: int
    "0 caller, 1 callee."
    joined_at: int
    extension: str | None = None
    "None for an outside party."
    number: str = ""
    name: str = ""
    channel: str = ""
    sip_call_id: str = ""
    remote: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyAnswered:
    party_id: str
    answered_at: int
    codec: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyLeft:
    """A leg ended; what its media were like."""

    party_id: str
    left_at: int
    packets_received: int | None = None
    packets_sent: int | None = None
    packets_lost: int | None = None
    packets_dropped: int | None = None
    jitter_ms: float | None = None
    round_trip_ms: float | None = None
    mos: float | None = None


# --- recordings


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOpened:
    """A recording began; its file is a `.part` from now on."""

    id: str
    "Public id of the recording, from `new_id`."
    call_id: str
    number: int
    relative_path: str
    started_at: int
    started_by: str = "automatic"
    channels: int = 1
    sample_rate: int = 8000
    "Hz."


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentClosed:
    """A recording ended."""

    id: str
    state: Literal["finished", "failed"]
    ended_at: int
    duration_s: float
    octets: int
    sha256: str
    relative_path: str | None
    "None where there is no playable file."
    channels: int = 1
    failure: str | None = None
    "In words, where audio is missing; also of a file that plays."
    missing_s: float = 0.0
    recovered: bool = False
    "Adopted from a `.part` at the start after a crash."


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentVanished:
    """The file is gone from the disk, and not by us."""

    id: str
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceStored:
    """What a permit rests on, or why there is none. Fields that don't apply stay None."""

    id: str
    call_id: str
    party_id: str
    kind: str
    "opt_in, consent, attested or legal_duty."
    decision: str
    "granted, refused, timed_out, cancelled, withdrawn or informed."
    decided_at: int
    epoch: int = 0
    extension: str | None = None
    opt_in_at: int | None = None
    opt_in_by: str | None = None
    prompt_id: str | None = None
    prompt_language: str | None = None
    prompt_sha256: str | None = None
    prompt_played_ms: int | None = None
    prompt_completed: bool | None = None
    digit: str | None = None
    transport: str | None = None
    "rfc4733, info or in_band."
    rtp_timestamp: int | None = None
    rtp_ssrc: int | None = None
    sip_call_id: str | None = None
    note: str | None = None


# --- registrations


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingStored:
    """A registration was made or refreshed; `aor` and `contact` name it."""

    aor: str
    contact: str
    transport: str
    local_host: str
    local_port: int
    remote_host: str
    remote_port: int
    registered_at: int
    expires_at: int
    call_id: str
    cseq: int
    instance: str | None = None
    reg_id: int | None = None
    path: str | None = None
    user_agent: str = ""
    q: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRemoved:
    aor: str
    contact: str


# --- audit


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what; becomes one link of the hash chain."""

    at: int
    actor: str
    action: str
    object: str
    detail: Mapping[str, Param] = field(default_factory=dict)


# --- changes, each with the actor and the time for its audit row


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptInstalled:
    actor: str
    at: int
    id: str
    name: str
    language: str
    version: int
    sha256: str
    duration_ms: int
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAdded:
    actor: str
    at: int
    name: str
    hash: str = field(repr=False)
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoked:
    actor: str
    at: int
    name: str


Event: TypeAlias = (
    CallOpened
    | CallRouted
    | CallIvrAnswered
    | CallAnswered
    | CallEnded
    | OutcomeRevised
    | PartyJoined
    | PartyAnswered
    | PartyLeft
    | SegmentOpened
    | SegmentClosed
    | SegmentVanished
    | EvidenceStored
    | BindingStored
    | BindingRemoved
    | SessionTouched
    | AuditEntry
)

Change: TypeAlias = (
    ExtensionChange | PromptInstalled | TokenAdded | TokenRevoked | AccountChange | AuditEntry
)
