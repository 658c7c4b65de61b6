"""How changes of users and sessions become rows, and what the audit log says about each."""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from cdr.account_records import (
    AccountChange,
    SessionClosed,
    SessionOpened,
    UserAdded,
    UserChanged,
    UserRemoved,
)
from cdr.connection import Query, fetch, insert_row, update_row
from cdr.errors import AlreadyExistsError, NotFoundError
from cdr.records import AuditEntry, Param
from cdr.rows import UserRow
from cdr.unchanged import UNCHANGED, Unchanged

SECRETS = frozenset({"password_hash"})
"Columns that the audit log names, but whose values it does not hold."


def apply_account_change(connection: sqlite3.Connection, change: AccountChange) -> AuditEntry:
    """Carry out one change inside the caller's transaction."""
    return _APPLY[type(change)](connection, change)


def _add_user(connection: sqlite3.Connection, change: UserAdded) -> AuditEntry:
    if _user(connection, change.name) is not None:
        raise AlreadyExistsError(f"user {change.name} exists already")
    shown = {"role": change.role, "extensions": ",".join(change.extensions)}
    hidden = {"password_hash": change.password_hash}
    times = {"created_at": change.at, "changed_at": change.at, "created_by": change.actor}
    insert_row(connection, "users", {"name": change.name, **shown, **hidden, **times})
    return _entry(change, "user.add", change.name, shown)


def _change_user(connection: sqlite3.Connection, change: UserChanged) -> AuditEntry:
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
    written = {"name": change.name, **row, "changed_at": change.at}
    update_row(connection, "users", "name", written)
    if "password_hash" in row or change.disabled is True:
        _end_sessions(connection, change.name)
    shown = {name: "changed" if name in SECRETS else row[name] for name in row}
    was = {f"{name}_was": getattr(before, name) for name in row if name not in SECRETS}
    return _entry(change, "user.change", change.name, shown | was)


def _remove_user(connection: sqlite3.Connection, change: UserRemoved) -> AuditEntry:
    before = _existing(connection, change.name)
    _end_sessions(connection, change.name)
    connection.execute("DELETE FROM users WHERE name = ?", (change.name,))
    was = {"role_was": before.role, "extensions_was": before.extensions}
    return _entry(change, "user.remove", change.name, was)


def _open_session(connection: sqlite3.Connection, change: SessionOpened) -> AuditEntry:
    # Between the check of the password and this change the user may have been disabled.
    if _existing(connection, change.user).disabled_at is not None:
        raise NotFoundError(f"user {change.user} is disabled")
    connection.execute(
        "DELETE FROM sessions WHERE expires_at <= :at OR idle_expires_at <= :at", {"at": change.at}
    )
    row = {
        "id_hash": change.id_hash,
        "user": change.user,
        "csrf_token": change.csrf_token,
        "created_at": change.at,
        "idle_expires_at": change.idle_expires_at,
        "expires_at": change.expires_at,
    }
    insert_row(connection, "sessions", row)
    return _entry(change, "session.open", change.user, {"source": change.source})


def _close_session(connection: sqlite3.Connection, change: SessionClosed) -> AuditEntry:
    which = (change.id_hash,)
    found = connection.execute("SELECT user FROM sessions WHERE id_hash = ?", which).fetchone()
    if found is None:
        raise NotFoundError("there is no such session")
    connection.execute("DELETE FROM sessions WHERE id_hash = ?", which)
    return _entry(change, "session.close", found[0], {})


def _end_sessions(connection: sqlite3.Connection, user: str) -> None:
    connection.execute("DELETE FROM sessions WHERE user = ?", (user,))


def _user(connection: sqlite3.Connection, name: str) -> UserRow | None:
    asked = Query(UserRow, "FROM users WHERE name = :name", {"name": name})
    return next(iter(fetch(connection, asked)), None)


def _existing(connection: sqlite3.Connection, name: str) -> UserRow:
    row = _user(connection, name)
    if row is None:
        raise NotFoundError(f"there is no user {name}")
    return row


def _entry(
    change: AccountChange, action: str, name: str, detail: Mapping[str, Param]
) -> AuditEntry:
    return AuditEntry(at=change.at, actor=change.actor, action=action, object=name, detail=detail)


_APPLY: Mapping[type, Callable[[sqlite3.Connection, Any], AuditEntry]] = {
    UserAdded: _add_user,
    UserChanged: _change_user,
    UserRemoved: _remove_user,
    SessionOpened: _open_session,
    SessionClosed: _close_session,
}
