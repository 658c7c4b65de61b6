"""What a running server can be asked over its control socket, and what it answers.

Each is JSON with its class's name as `type`: see `b2bua/control/socket.py`.
"""

from typing import Literal

import msgspec

from b2bua.choices import (
    EVERY_DIRECTION,
    Direction,
    DtmfWay,
    ManualConsent,
    Mode,
    Role,
    Scope,
    SrtpWish,
)

# --- extensions


class AddExtension(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    number: str
    name: str
    password: str
    mode: Mode = "off"
    opt_in: bool = False
    manual_consent: ManualConsent = "ask"
    directions: tuple[Direction, ...] = EVERY_DIRECTION
    user_may_stop: bool = False
    srtp: SrtpWish = "default"
    dtmf: tuple[DtmfWay, ...] = ()
    "In which ways it presses keys; none: as the configuration says."


class SetExtension(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Change what is not None."""

    number: str
    name: str | None = None
    mode: Mode | None = None
    opt_in: bool | None = None
    manual_consent: ManualConsent | None = None
    directions: tuple[Direction, ...] | None = None
    user_may_stop: bool | None = None
    password: str | None = None
    forward_always: str | None = None
    "A number as the extension would dial it; empty: nowhere."
    forward_busy: str | None = None
    forward_no_answer: str | None = None
    forward_offline: str | None = None
    forward_after_s: int | None = None
    srtp: SrtpWish | None = None
    dtmf: tuple[DtmfWay, ...] | None = None


class RemoveExtension(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    number: str


# --- accounts: hashes only, because hashing takes longer than a call may wait


class AddUser(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    name: str
    password_hash: str
    role: Role = "listener"
    extensions: tuple[str, ...] = ()


class SetUser(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Change what is not None."""

    name: str
    password_hash: str | None = None
    role: Role | None = None
    extensions: tuple[str, ...] | None = None


class RemoveUser(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    name: str


class AddToken(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    name: str
    hash: str
    "SHA-256 of the token, hexadecimal."
    scopes: tuple[Scope, ...]


class RevokeToken(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    name: str


# --- what happens at the pages


class OpenSession(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A login; the times are Unix microseconds."""

    user: str
    id_hash: str
    csrf_token: str
    idle_expires_at: int
    expires_at: int
    source: str = ""


class TouchSession(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    id_hash: str
    idle_expires_at: int


class CloseSession(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    id_hash: str


class WriteAudit(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Someone listened, or tried a password, or pressed a button that changes no row."""

    action: str
    object: str
    detail: dict[str, str | int | float | bool | None] = {}


# --- anything else


class InstallPrompt(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Play another recording from the next call on."""

    prompt_id: str
    language: str
    wav: bytes
    "8 kHz, mono, 16 bits."
    sentence: str
    counts_from_ms: int


class GetStatus(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    pass


# --- who may ask what


ExtensionRequest = AddExtension | SetExtension | RemoveExtension
AccountRequest = AddUser | SetUser | RemoveUser | AddToken | RevokeToken
PageRequest = OpenSession | TouchSession | CloseSession | WriteAudit

Request = ExtensionRequest | AccountRequest | InstallPrompt | GetStatus
"What anyone may ask who can open the socket."


class OnBehalf(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What the web process asks for one who is logged in there."""

    actor: str
    "`web:ada`, `token:reports`: it stands in the audit log."
    request: SetExtension | PageRequest


AnyRequest = Request | PageRequest
"What is left when it is known who asks."


# --- answers


class Done(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Committed."""


class Refused(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    reason: str


class PromptReplaced(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Committed, and played from now on."""

    version: int
    "Of this prompt's recordings, counted from 1."
    path: str
    replaced: str | None
    "Description of the recording before; None where that was the shipped one."


class TrunkStatus(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How things stand with one trunk."""

    name: str
    registration: Literal["", "registered", "not registered"]
    "Empty: it wants none."
    server: str = ""
    "The registrar that took us."
    expires_in_s: int = 0
    trouble: str = ""
    "Why the last try to register failed."
    watched: Literal["", "there", "not there"] = ""
    "What OPTIONS say; empty: it is not asked."
    calls: int = 0
    "In both directions."
    max_calls: int = 0
    "0: as many as there are."


class Status(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What the server is doing now."""

    version: str
    sip: str
    listening: tuple[str, ...] = ()
    "Where SIP is taken, and over what."
    certificate: str = ""
    "Of TLS: how long it lasts, or what is wrong with it."
    web: str
    "Where the pages are; empty without any."
    pids: dict[str, list[int | None]]
    calls: int
    recordings: int
    registrations: int
    accepting: bool
    "Whether new calls are taken: not while starting and stopping."
    journal_healthy: bool
    counters: dict[str, float]
    trunks: tuple[TrunkStatus, ...] = ()
    lamps: int = 0
    "Subscriptions of telephones to what their lamps show."


Reply = Done | Refused | PromptReplaced | Status
