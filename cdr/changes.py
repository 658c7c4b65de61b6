"""How changes that people make become rows, and what the audit log says about each."""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from cdr.account_changes import apply_account_change
from cdr.account_records import AccountChange
from cdr.connection import Query, fetch, insert_row, update_row
from cdr.errors import AlreadyExistsError, NotFoundError
from cdr.extension_records import (
    Credentials,
    ExtensionAdded,
    ExtensionChanged,
    ExtensionRemoved,
    OptIn,
)
from cdr.records import AuditEntry, Change, Param, PromptInstalled, TokenAdded, TokenRevoked
from cdr.rows import ExtensionRow
from cdr.unchanged import UNCHANGED, Unchanged

Applied = tuple[ExtensionRow | None, AuditEntry]
"The extension as it is now, and the entry for the audit log."

FORWARD = (
    "forward_always",
    "forward_busy",
    "forward_no_answer",
    "forward_offline",
    "forward_after_s",
)

SECRETS = frozenset({"ha1_md5", "ha1_sha256"})
"Columns that the audit log names, but whose values it does not hold."


def apply_change(connection: sqlite3.Connection, change: Change) -> Applied:
    """Carry out one change inside the caller's transaction."""
    if isinstance(change, AuditEntry):
        return None, change
    if isinstance(change, AccountChange):
        return None, apply_account_change(connection, change)
    return _APPLY[type(change)](connection, change)


def _add_extension(connection: sqlite3.Connection, change: ExtensionAdded) -> Applied:
    if _extension(connection, change.number) is not None:
        raise AlreadyExistsError(f"extension {change.number} exists already")
    row = {
        "number": change.number,
        "name": change.name,
        "mode": change.mode,
        "directions": ",".join(change.directions),
        "user_may_stop": change.user_may_stop,
        "manual_consent": change.manual_consent,
        "srtp": change.srtp,
        "dtmf": ",".join(change.dtmf),
        **_opt_in(change.opt_in),
        **_credentials(change.credentials),
        "algorithms": ",".join(change.algorithms),
        "created_at": change.at,
        "changed_at": change.at,
    }
    insert_row(connection, "extensions", row)
    return _extension(connection, change.number), _entry(
        change, "extension.add", change.number, _shown(row)
    )


def _change_extension(connection: sqlite3.Connection, change: ExtensionChanged) -> Applied:
    before = _existing(connection, change.number)
    row = _changed_columns(change, before)
    written = {"number": change.number, **row, "changed_at": change.at}
    update_row(connection, "extensions", "number", written)
    was = {f"{name}_was": getattr(before, name) for name in row if name not in SECRETS}
    return _extension(connection, change.number), _entry(
        change, "extension.change", change.number, _shown(row) | was
    )


def _changed_columns(change: ExtensionChanged, before: ExtensionRow) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: getattr(change, name)
        for name in ("name", "mode", "user_may_stop", "manual_consent", "srtp", *FORWARD)
        if getattr(change, name) is not UNCHANGED
    }
    if not isinstance(change.directions, Unchanged):
        row["directions"] = ",".join(change.directions)
    if not isinstance(change.dtmf, Unchanged):
        row["dtmf"] = ",".join(change.dtmf)
    if not isinstance(change.algorithms, Unchanged):
        row["algorithms"] = ",".join(change.algorithms)
    if not isinstance(change.opt_in, Unchanged):
        row |= _opt_in(change.opt_in)
    if not isinstance(change.credentials, Unchanged):
        row |= _credentials(change.credentials)
    if not isinstance(change.disabled, Unchanged):
        row["disabled_at"] = (before.disabled_at or change.at) if change.disabled else None
    return row


def _remove_extension(connection: sqlite3.Connection, change: ExtensionRemoved) -> Applied:
    before = _existing(connection, change.number)
    connection.execute("DELETE FROM extensions WHERE number = ?", (change.number,))
    was = {
        f"{name}_was": getattr(before, name)
        for name in ("name", "mode", "directions", "opt_in_at", "opt_in_by")
    }
    return None, _entry(change, "extension.remove", change.number, was)


def _install_prompt(connection: sqlite3.Connection, change: PromptInstalled) -> Applied:
    row = {
        "id": change.id,
        "name": change.name,
        "language": change.language,
        "version": change.version,
        "sha256": change.sha256,
        "sentence": change.sentence,
        "duration_ms": change.duration_ms,
        "installed_at": change.at,
        "installed_by": change.actor,
    }
    if connection.execute("SELECT 1 FROM prompts WHERE id = ?", (change.id,)).fetchone():
        raise AlreadyExistsError(f"prompt {change.id} exists already")
    insert_row(connection, "prompts", row)
    return None, _entry(change, "prompt.install", change.id, {"sha256": change.sha256})


def _add_token(connection: sqlite3.Connection, change: TokenAdded) -> Applied:
    if connection.execute("SELECT 1 FROM tokens WHERE name = ?", (change.name,)).fetchone():
        raise AlreadyExistsError(f"token {change.name} exists already")
    scopes = ",".join(change.scopes)
    row = {"name": change.name, "hash": change.hash, "scopes": scopes}
    made = {"created_at": change.at, "created_by": change.actor}
    insert_row(connection, "tokens", row | made)
    return None, _entry(change, "token.add", change.name, {"scopes": scopes})


def _revoke_token(connection: sqlite3.Connection, change: TokenRevoked) -> Applied:
    found = connection.execute(
        "UPDATE tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL",
        (change.at, change.name),
    )
    if found.rowcount == 0:
        raise NotFoundError(f"there is no valid token {change.name}")
    return None, _entry(change, "token.revoke", change.name, {})


def _extension(connection: sqlite3.Connection, number: str) -> ExtensionRow | None:
    asked = Query(ExtensionRow, "FROM extensions WHERE number = :number", {"number": number})
    return next(iter(fetch(connection, asked)), None)


def _existing(connection: sqlite3.Connection, number: str) -> ExtensionRow:
    row = _extension(connection, number)
    if row is None:
        raise NotFoundError(f"there is no extension {number}")
    return row


def _opt_in(opt_in: OptIn | None) -> dict[str, Any]:
    if opt_in is None:
        return {"opt_in_at": None, "opt_in_by": None}
    return {"opt_in_at": opt_in.at, "opt_in_by": opt_in.by}


def _credentials(credentials: Credentials) -> dict[str, Any]:
    return {
        "realm": credentials.realm,
        "ha1_md5": credentials.ha1_md5,
        "ha1_sha256": credentials.ha1_sha256,
    }


def _shown(row: Mapping[str, Param]) -> dict[str, Param]:
    return {name: "changed" if name in SECRETS else value for name, value in row.items()}


def _entry(
    change: ExtensionAdded
    | ExtensionChanged
    | ExtensionRemoved
    | PromptInstalled
    | TokenAdded
    | TokenRevoked,
    action: str,
    name: str,
    detail: Mapping[str, Param],
) -> AuditEntry:
    return AuditEntry(at=change.at, actor=change.actor, action=action, object=name, detail=detail)


_APPLY: Mapping[type, Callable[[sqlite3.Connection, Any], Applied]] = {
    ExtensionAdded: _add_extension,
    ExtensionChanged: _change_extension,
    ExtensionRemoved: _remove_extension,
    PromptInstalled: _install_prompt,
    TokenAdded: _add_token,
    TokenRevoked: _revoke_token,
}
