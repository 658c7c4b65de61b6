"""Rows for the command line's lists, read from the database as it stands."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from b2bua.datadir import DataFolder
from b2bua.errors import DataFolderError, UsageError
from cdr.errors import CdrError
from cdr.export import TextSink, write_master_csv
from cdr.proofs import Proofs
from cdr.rows import CallRow, ExtensionRow, SegmentRow, TokenRow, UserRow, iso
from recording.reasons import UnknownReasonError, decode, render

T = TypeVar("T")


def read(folder: DataFolder, query: Callable[[Proofs], Awaitable[T]]) -> T:
    """Return what a query finds; raises `DataFolderError`."""
    if not folder.database.exists():
        raise DataFolderError(f"{folder.path}: no database here; run `mitschnitt init` first")

    async def read() -> T:
        async with Proofs(folder.database) as database:
            return await query(database)

    try:
        return asyncio.run(read())
    except CdrError as error:
        raise DataFolderError(str(error)) from error


def extension_rows(folder: DataFolder) -> list[dict[str, Any]]:
    """Return the extensions, without anything secret."""
    return [_extension(row) for row in read(folder, Proofs.extensions)]


def extension_row(folder: DataFolder, number: str) -> dict[str, Any]:
    """Return one extension; raises `UsageError` where there is none."""
    for row in extension_rows(folder):
        if row["number"] == number:
            return row
    raise UsageError(f"there is no extension {number}")


def call_rows(folder: DataFolder, limit: int) -> list[dict[str, Any]]:
    """Return the newest calls, newest first."""
    page = read(folder, lambda database: database.calls(limit=limit))
    return [_call(row) for row in page.calls]


def write_calls(folder: DataFolder, limit: int, sink: TextSink) -> None:
    """Write the newest calls as Asterisk's `Master.csv` has them, oldest first."""
    page = read(folder, lambda database: database.calls(limit=limit))
    write_master_csv(reversed(page.calls), sink)


def recording_rows(folder: DataFolder, limit: int) -> list[dict[str, Any]]:
    """Return the newest recordings, newest first."""
    return [_segment(row) for row in read(folder, lambda database: database.recordings(limit))]


def user_rows(folder: DataFolder) -> list[dict[str, Any]]:
    """Return the users of the pages, without anything secret."""
    return [_user(row) for row in read(folder, Proofs.users)]


def token_rows(folder: DataFolder) -> list[dict[str, Any]]:
    """Return the tokens, without anything secret."""
    return [_token(row) for row in read(folder, Proofs.tokens)]


def _extension(row: ExtensionRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "name": row.name,
        "mode": row.mode,
        "manual_consent": row.manual_consent,
        "directions": row.directions,
        "user_may_stop": row.user_may_stop,
        "opt_in_at": iso(row.opt_in_at),
        "opt_in_by": row.opt_in_by,
        "forward": _forwards(row),
        "srtp": row.srtp or "default",
        "dtmf": row.dtmf or "default",
    }


def _forwards(row: ExtensionRow) -> str:
    """Return where an extension's calls go, as it is set: `always 102`."""
    cases = (
        ("always", row.forward_always),
        ("busy", row.forward_busy),
        (f"no answer in {row.forward_after_s} s", row.forward_no_answer),
        ("offline", row.forward_offline),
    )
    return ", ".join(f"{case} {number}" for case, number in cases if number)


def _user(row: UserRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "role": row.role,
        "extensions": row.extensions,
        "created_at": iso(row.created_at),
        "created_by": row.created_by,
        "disabled_at": iso(row.disabled_at),
    }


def _token(row: TokenRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "scopes": row.scopes,
        "created_at": iso(row.created_at),
        "created_by": row.created_by,
        "revoked_at": iso(row.revoked_at),
    }


def _call(row: CallRow) -> dict[str, Any]:
    return {
        "calldate": iso(row.calldate),
        "src": row.src,
        "dst": row.dst,
        "channel": row.channel,
        "dstchannel": row.dstchannel,
        "duration": row.duration,
        "billsec": row.billsec,
        "disposition": row.disposition,
        "outcome": row.outcome,
        "outcome_reason": row.outcome_reason,
        "why": _why(row),
        "recordingfile": row.recordingfile,
        "state": row.state,
        "recovered": row.recovered,
        "hangup_side": row.hangup_side,
        "ledger": row.ledger,
        "id": row.id,
        "uniqueid": row.uniqueid,
        "linkedid": row.linkedid,
    }


def _segment(row: SegmentRow) -> dict[str, Any]:
    return {
        "started_at": iso(row.started_at),
        "duration_s": row.duration_s,
        "octets": row.octets,
        "state": row.state,
        "failure": row.failure,
        "missing_s": row.missing_s,
        "channels": row.channels,
        "relative_path": row.relative_path,
        "sha256": row.sha256,
        "recovered": row.recovered,
        "id": row.id,
        "call_id": row.call_id,
    }


def _why(row: CallRow) -> str:
    if not row.outcome_reason:
        return ""
    try:
        return render(decode(row.outcome_reason, row.outcome_params), "en")
    except UnknownReasonError:
        # A newer version has written it.
        return row.outcome_reason
