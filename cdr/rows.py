"""What is read: frozen values with the names of the columns (see `cdr/schema.py`).

Wall times are integer microseconds since 1970-01-01 UTC.
"""

import json
from collections.abc import Iterable
from dataclasses import Field, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, TypeVar, get_origin

Value = TypeVar("Value")

GRANTED = "granted"
"The decision that a permit rests on."


def utc(at: int) -> datetime:
    """Return a stored time as an aware datetime."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).replace(microsecond=at % 1_000_000)


def iso(at: int | None) -> str | None:
    """Return a stored time as ISO 8601 in UTC, to the second."""
    if at is None:
        return None
    return utc(at).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def column_names(kind: type) -> tuple[str, ...]:
    """Return the columns that a value of `kind` is made of, in the order of its fields."""
    return tuple(each.name for each in _columns(kind))


def value(kind: type[Value], row: Iterable[Any]) -> Value:
    """Return a row, with the columns of `kind`, as a value of it.

    A boolean may still be as SQLite has it, 0 or 1.
    """
    named = zip(_columns(kind), row, strict=True)
    return kind(
        **{
            column.name: bool(found) if column.type in _FLAGS and found is not None else found
            for column, found in named
        }
    )


_FLAGS = (bool, bool | None)


def _columns(kind: Any) -> list[Field[Any]]:  # noqa: ANN401 - one of the dataclasses below
    """Return the fields that are columns: a tuple holds rows of another table."""
    return [each for each in fields(kind) if get_origin(each.type) is not tuple]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    """One recording."""

    id: str
    call_id: str
    number: int
    relative_path: str | None
    started_by: str
    started_at: int
    ended_at: int | None
    duration_s: float
    octets: int
    sha256: str
    channels: int
    sample_rate: int
    state: str
    failure: str | None
    missing_s: float
    recovered: bool

    @property
    def playable(self) -> bool:
        """Whether there is a finished file to play."""
        return self.state in {"finished", "failed"} and self.relative_path is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyRow:
    """One leg of a call."""

    party_id: str
    call_id: str
    leg: str
    side: int
    extension: str | None
    number: str
    name: str
    channel: str
    sip_call_id: str
    remote: str
    user_agent: str
    joined_at: int
    answered_at: int | None
    left_at: int | None
    codec: str
    packets_received: int | None
    packets_sent: int | None
    packets_lost: int | None
    packets_dropped: int | None
    jitter_ms: float | None
    round_trip_ms: float | None
    mos: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One call with its recordings and parties."""

    ledger: int
    id: str
    uniqueid: str
    linkedid: str
    calldate: int
    clid: str
    src: str
    dst: str
    did: str
    channel: str
    dstchannel: str
    direction: str
    ivr_answered_at: int | None
    answered_at: int | None
    ended_at: int | None
    duration: int
    billsec: int
    disposition: str
    hangup_cause: int | None
    hangup_side: str
    outcome: str
    outcome_reason: str
    outcome_params: str
    recordingfile: str
    state: str
    recovered: bool
    segments: tuple[SegmentRow, ...] = ()
    parties: tuple[PartyRow, ...] = ()

    @property
    def params(self) -> dict[str, Any]:
        """Return the parameters of the sentence why."""
        decoded: dict[str, Any] = json.loads(self.outcome_params)
        return decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """What a permit rests on."""

    id: str
    call_id: str
    party_id: str
    kind: str
    decision: str
    decided_at: int
    epoch: int
    extension: str | None
    opt_in_at: int | None
    opt_in_by: str | None
    prompt_id: str | None
    prompt_language: str | None
    prompt_sha256: str | None
    prompt_played_ms: int | None
    prompt_completed: bool | None
    digit: str | None
    transport: str | None
    rtp_timestamp: int | None
    rtp_ssrc: int | None
    sip_call_id: str | None
    note: str | None

    def covers(self, recording: SegmentRow) -> bool:
        """Tell whether somebody had agreed before the recording began."""
        return self.decision == GRANTED and self.decided_at <= recording.started_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRow:
    """One own extension. `repr` hides the HA1 values: they are as good as the password."""

    number: str
    name: str
    mode: str
    directions: str
    user_may_stop: bool
    manual_consent: str
    opt_in_at: int | None
    opt_in_by: str | None
    forward_always: str = ""
    forward_busy: str = ""
    forward_no_answer: str = ""
    forward_offline: str = ""
    forward_after_s: int = 20
    srtp: str = ""
    dtmf: str = ""
    realm: str
    ha1_md5: str
    ha1_sha256: str
    algorithms: str
    created_at: int
    changed_at: int
    disabled_at: int | None

    def __repr__(self) -> str:
        return f"ExtensionRow(number={self.number!r}, mode={self.mode!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRow:
    """One registration."""

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
    instance: str | None
    reg_id: int | None
    path: str | None
    user_agent: str
    q: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One link of the audit chain."""

    seq: int
    at: int
    actor: str
    action: str
    object: str
    detail: str
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRow:
    """One version of an announcement."""

    id: str
    name: str
    language: str
    version: int
    sha256: str
    sentence: str
    duration_ms: int
    installed_at: int
    installed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One API token; only its hash is stored."""

    name: str
    hash: str
    scopes: str
    created_at: int
    created_by: str
    revoked_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """One user of the web pages. `repr` hides the hash of the password."""

    name: str
    password_hash: str = field(repr=False)
    role: str
    extensions: str
    created_at: int
    created_by: str
    changed_at: int
    disabled_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One login that may still be valid."""

    id_hash: str = field(repr=False)
    user: str
    csrf_token: str = field(repr=False)
    created_at: int
    idle_expires_at: int
    expires_at: int

    def valid_at(self, now: int) -> bool:
        """Tell whether neither of the two limits has passed."""
        return now < self.expires_at and now < self.idle_expires_at
