"""What a request says of users, tokens and sessions, checked, as the change that is committed."""

import re

from b2bua.control.extension_requests import NUMBER
from b2bua.control.messages import (
    AddToken,
    AddUser,
    CloseSession,
    OpenSession,
    RemoveUser,
    RevokeToken,
    SetUser,
    WriteAudit,
)
from b2bua.errors import UsageError
from b2bua.wall_clock import wall_us
from cdr.account_records import SessionClosed, SessionOpened, UserAdded, UserChanged, UserRemoved
from cdr.records import AuditEntry, Change, TokenAdded, TokenRevoked
from cdr.unchanged import wanted, wanted_as

ACCOUNT_NAME = re.compile(r"[\w.@-]{1,80}")
"Of users and tokens: they stand in log lines and behind `web:` in the audit log."


def account_change(
    request: AddUser | SetUser | RemoveUser | AddToken | RevokeToken, actor: str
) -> Change:
    """Return what `actor` has asked for; raises `UsageError` where it can't be so."""
    at = wall_us()
    match request:
        case AddUser(name=name):
            return UserAdded(
                actor=actor,
                at=at,
                name=_account_name(name),
                password_hash=request.password_hash,
                role=request.role,
                extensions=_numbers(request.extensions),
            )
        case SetUser(name=name):
            return UserChanged(
                actor=actor,
                at=at,
                name=name,
                password_hash=wanted(request.password_hash),
                role=wanted(request.role),
                extensions=wanted_as(request.extensions, _numbers),
            )
        case RemoveUser(name=name):
            return UserRemoved(actor=actor, at=at, name=name)
        case AddToken(name=name):
            if not request.scopes:
                raise UsageError("name a scope at least: calls, audio or metrics")
            return TokenAdded(
                actor=actor,
                at=at,
                name=_account_name(name),
                hash=request.hash,
                scopes=tuple(request.scopes),
            )
        case RevokeToken(name=name):
            return TokenRevoked(actor=actor, at=at, name=name)


def page_change(request: OpenSession | CloseSession | WriteAudit, actor: str) -> Change:
    """Return what the pages write for whoever is logged in there."""
    at = wall_us()
    match request:
        case OpenSession():
            return SessionOpened(
                actor=actor,
                at=at,
                id_hash=request.id_hash,
                user=request.user,
                csrf_token=request.csrf_token,
                idle_expires_at=request.idle_expires_at,
                expires_at=request.expires_at,
                source=request.source,
            )
        case CloseSession():
            return SessionClosed(actor=actor, at=at, id_hash=request.id_hash)
        case WriteAudit():
            return AuditEntry(
                at=at,
                actor=actor,
                action=request.action,
                object=request.object,
                detail=request.detail,
            )


def _account_name(name: str) -> str:
    if ACCOUNT_NAME.fullmatch(name) is None:
        raise UsageError(f"{name!r} is no name: letters, digits and . _ @ -, at most 80")
    return name


def _numbers(numbers: tuple[str, ...]) -> tuple[str, ...]:
    for number in numbers:
        if NUMBER.fullmatch(number) is None:
            raise UsageError(f"{number!r} is no extension number: 2 to 15 digits")
    return numbers
