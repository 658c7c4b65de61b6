"""Changes that people make: extensions, users and tokens, each with its audit row.

The same code commits a change inside the running server (control socket) and, where none runs,
in a command that holds the lock of the data folder.
"""

import asyncio

from b2bua.control.account_requests import account_change, page_change
from b2bua.control.extension_requests import extension_change
from b2bua.control.messages import (
    AddExtension,
    AddToken,
    AddUser,
    AnyRequest,
    CloseSession,
    OpenSession,
    RemoveExtension,
    RemoveUser,
    Request,
    RevokeToken,
    SetExtension,
    SetUser,
    TouchSession,
    WriteAudit,
)
from b2bua.datadir import DataFolder
from b2bua.directory import Directory
from b2bua.errors import MitschnittError, UsageError
from cdr.account_records import SessionTouched
from cdr.errors import CdrError
from cdr.journal import Journal
from cdr.records import Change


class ChangeRefusedError(MitschnittError):
    """The change can't be made; the text says why."""


class Administration:
    """Turns requests into committed changes and keeps the directory in step."""

    def __init__(self, journal: Journal, realm: str, directory: Directory) -> None:
        self._journal = journal
        self._realm = realm
        self._directory = directory

    async def change(self, request: AnyRequest, actor: str) -> None:
        """Commit one change; raises `ChangeRefusedError` or `UsageError`."""
        if isinstance(request, TouchSession):
            # A sign of life needs no answer of its own; the next one may as well get lost.
            self._journal.put(
                SessionTouched(id_hash=request.id_hash, idle_expires_at=request.idle_expires_at)
            )
            return
        try:
            row = await self._journal.execute(self._as_change(request, actor))
        except CdrError as error:
            raise ChangeRefusedError(str(error)) from error
        if row is not None:
            self._directory.put(row)
        elif isinstance(request, RemoveExtension):
            self._directory.remove(request.number)

    def _as_change(self, request: AnyRequest, actor: str) -> Change:
        match request:
            case AddExtension() | SetExtension() | RemoveExtension():
                return extension_change(request, actor, self._realm)
            case AddUser() | SetUser() | RemoveUser() | AddToken() | RevokeToken():
                return account_change(request, actor)
            case OpenSession() | CloseSession() | WriteAudit():
                return page_change(request, actor)
        raise UsageError(f"{type(request).__name__} is no change")


def change_offline(folder: DataFolder, realm: str, request: Request, actor: str) -> None:
    """Commit one change without a server; raises what `Administration.change` raises."""

    async def commit() -> None:
        async with Journal.open(folder.database) as journal:
            await Administration(journal, realm, Directory()).change(request, actor)

    with folder.locked():
        asyncio.run(commit())
