"""How changes of users and sessions become rows, and what the audit log says about each."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from cdr.account_records import (
    AccountChange,
    SessionClosed,
    SessionOpened,
    UserAdded,
    UserChanged,
    UserRemoved,
)
from cdr.errors import AlreadyExistsError, NotFoundError
from cdr.records import AuditEntry, Param
from cdr.rows import UserRow, columns, value
from cdr.schema import sessions, users
from cdr.unchanged import UNCHANGED, Unchanged

SECRETS = frozenset({"password_hash"})
"Columns that the audit log names, but whose values it does not hold."


def apply_account_change(connection: Connection, change: AccountChange) -> AuditEntry:
    """Carry out one change inside the caller's transaction."""
    return _APPLY[type(change)](connection, change)


def _add_user(connection: Connection, change: UserAdded) -> AuditEntry:
    if _user(connection, change.name) is not None:
        raise AlreadyExistsError(f"user {change.name} exists already")
    shown = {"role": change.role, "extensions": ",".join(change.extensions)}
    hidden = {"password_hash": change.password_hash}
    times = {"created_at": change.at, "changed_at": change.at, "created_by": change.actor}
    connection.execute(insert(users).values({"name": change.name, **shown, **hidden, **times}))
    return _entry(change, "user.add", change.name, shown)


def _change_user(connection: Connection, change: UserChanged) -> AuditEntry:
    before = _existing(connection, change.name)
    row: dict[str, Any] = {
        name: getattr(change, name)
        for name in ("password_hash", "role")
        if getattr(change, name) is not UNCHANGED
    }
    if not isinstance(change.extensions, Unchanged):
        row["extensions"] = ",".join(change.extensions)
    if not isinstance(change.disabled, Unchanged):
        row["disabled_at"] = (before.disabled_at or change.at) if change.disabled else None
    connection.execute(
        update(users).where(users.c.name == change.name).values(row | {"changed_at": change.at})
    )
    if "password_hash" in row or change.disabled is True:
        connection.execute(delete(sessions).where(sessions.c.user == change.name))
    shown = {name: "changed" if name in SECRETS else row[name] for name in row}
    was = {f"{name}_was": getattr(before, name) for name in row if name not in SECRETS}
    return _entry(change, "user.change", change.name, shown | was)


def _remove_user(connection: Connection, change: UserRemoved) -> AuditEntry:
    before = _existing(connection, change.name)
    connection.execute(delete(sessions).where(sessions.c.user == change.name))
    connection.execute(delete(users).where(users.c.name == change.name))
    was = {"role_was": before.role, "extensions_was": before.extensions}
    return _entry(change, "user.remove", change.name, was)


def _open_session(connection: Connection, change: SessionOpened) -> AuditEntry:
    # Between the check of the password and this change the user may have been disabled.
    if _existing(connection, change.user).disabled_at is not None:
        raise NotFoundError(f"user {change.user} is disabled")
    connection.execute(
        delete(sessions).where(
            or_(sessions.c.expires_at <= change.at, sessions.c.idle_expires_at <= change.at)
        )
    )
    connection.execute(
        insert(sessions).values(
            id_hash=change.id_hash,
            user=change.user,
            csrf_token=change.csrf_token,
            created_at=change.at,
            idle_expires_at=change.idle_expires_at,
            expires_at=change.expires_at,
        )
    )
    return _entry(change, "session.open", change.user, {"source": change.source})


def _close_session(connection: Connection, change: SessionClosed) -> AuditEntry:
    user = connection.execute(
        select(sessions.c.user).where(sessions.c.id_hash == change.id_hash)
    ).scalar()
    if user is None:
        raise NotFoundError("there is no such session")
    connection.execute(delete(sessions).where(sessions.c.id_hash == change.id_hash))
    return _entry(change, "session.close", user, {})


def _user(connection: Connection, name: str) -> UserRow | None:
    row = connection.execute(select(*columns(UserRow, users)).where(users.c.name == name)).first()
    return None if row is None else value(UserRow, row)


def _existing(connection: Connection, name: str) -> UserRow:
    row = _user(connection, name)
    if row is None:
        raise NotFoundError(f"there is no user {name}")
    return row


def _entry(
    change: AccountChange, action: str, name: str, detail: Mapping[str, Param]
) -> AuditEntry:
    return AuditEntry(at=change.at, actor=change.actor, action=action, object=name, detail=detail)


_APPLY: Mapping[type, Callable[[Connection, Any], AuditEntry]] = {
    UserAdded: _add_user,
    UserChanged: _change_user,
    UserRemoved: _remove_user,
    SessionOpened: _open_session,
    SessionClosed: _close_session,
}
