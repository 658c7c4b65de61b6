"""What is written about the people who use the web pages: users and their sessions.

A user's password is there as an Argon2 hash only, a session's id as SHA-256 of the random value
in the browser's cookie: who reads the database can take nobody's place.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cdr.unchanged import UNCHANGED, Unchanged

Role: TypeAlias = Literal["admin", "listener", "auditor"]
"""An admin sees and changes everything; a listener sees the calls of some extensions; an auditor
sees what all recordings rest on and who did what, and hears nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAdded:
    actor: str
    at: int
    name: str
    password_hash: str = field(repr=False)
    role: Role
    extensions: tuple[str, ...] = ()
    "Whose calls a listener sees."


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanged:
    """A new password, and being disabled, end the user's sessions."""

    actor: str
    at: int
    name: str
    password_hash: str | Unchanged = field(default=UNCHANGED, repr=False)
    role: Role | Unchanged = UNCHANGED
    extensions: tuple[str, ...] | Unchanged = UNCHANGED
    disabled: bool | Unchanged = UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRemoved:
    actor: str
    at: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    """A user logged in. Sessions that have expired are cleared away with it."""

    actor: str
    at: int
    id_hash: str = field(repr=False)
    user: str
    csrf_token: str = field(repr=False)
    idle_expires_at: int
    "Without a sign of life; each one moves it (`SessionTouched`)."
    expires_at: int
    "In any case."
    source: str = ""
    "The address of the browser, for the audit log."


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTouched:
    """An event: the session is in use."""

    id_hash: str = field(repr=False)
    idle_expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosed:
    """A user logged out."""

    actor: str
    at: int
    id_hash: str = field(repr=False)


AccountChange: TypeAlias = UserAdded | UserChanged | UserRemoved | SessionOpened | SessionClosed
