"""Changes that people make: extensions and their settings, each with its audit row.

The same code commits a change inside the running server (control socket) and, where none runs,
in a command that holds the lock of the data folder.
"""

import asyncio
import re

from b2bua.call_record import wall_us
from b2bua.control import AddExtension, RemoveExtension, Request, SetExtension
from b2bua.datadir import DataFolder
from b2bua.directory import Directory
from b2bua.errors import MitschnittError, UsageError
from cdr.errors import CdrError
from cdr.journal import Journal
from cdr.records import (
    Change,
    Credentials,
    ExtensionAdded,
    ExtensionChanged,
    ExtensionRemoved,
    OptIn,
)
from cdr.unchanged import UNCHANGED
from sip.digest import ha1

NUMBER = re.compile(r"[0-9]{2,15}")

RESERVED = frozenset({"110", "112"})
"Emergency numbers: they reach those who help, never a telephone of ours."

MAX_NAME = 80


class ChangeRefusedError(MitschnittError):
    """The change can't be made; the text says why."""


class Administration:
    """Turns requests into committed changes and keeps the directory in step."""

    def __init__(self, journal: Journal, realm: str, directory: Directory) -> None:
        self._journal = journal
        self._realm = realm
        self._directory = directory

    async def change(self, request: Request, actor: str) -> None:
        """Commit one change; raises `ChangeRefusedError` or `UsageError`."""
        try:
            row = await self._journal.execute(self._as_change(request, actor))
        except CdrError as error:
            raise ChangeRefusedError(str(error)) from error
        if row is not None:
            self._directory.put(row)
        elif isinstance(request, RemoveExtension):
            self._directory.remove(request.number)

    def _as_change(self, request: Request, actor: str) -> Change:
        match request:
            case AddExtension():
                return self._add(request, actor)
            case SetExtension():
                return self._set(request, actor)
            case RemoveExtension():
                return ExtensionRemoved(actor=actor, at=wall_us(), number=request.number)
        raise UsageError(f"{type(request).__name__} is no change")

    def _add(self, request: AddExtension, actor: str) -> ExtensionAdded:
        if NUMBER.fullmatch(request.number) is None:
            raise UsageError(f"{request.number!r} is no extension number: 2 to 15 digits")
        if request.number in RESERVED:
            raise UsageError(f"{request.number} is an emergency number")
        return ExtensionAdded(
            actor=actor,
            at=wall_us(),
            number=request.number,
            credentials=self._credentials(request.number, request.password),
            name=_name(request.name),
            mode=request.mode,
            opt_in=OptIn(at=wall_us(), by=actor) if request.opt_in else None,
        )

    def _set(self, request: SetExtension, actor: str) -> ExtensionChanged:
        opt_in = None if request.opt_in is False else OptIn(at=wall_us(), by=actor)
        return ExtensionChanged(
            actor=actor,
            at=wall_us(),
            number=request.number,
            credentials=(
                self._credentials(request.number, request.password)
                if request.password is not None
                else UNCHANGED
            ),
            name=_name(request.name) if request.name is not None else UNCHANGED,
            mode=request.mode if request.mode is not None else UNCHANGED,
            opt_in=opt_in if request.opt_in is not None else UNCHANGED,
        )

    def _credentials(self, number: str, password: str) -> Credentials:
        if len(password) < 8:
            raise UsageError("a password of a telephone has at least 8 characters")
        secret = ha1(number, self._realm, password)
        return Credentials(realm=self._realm, ha1_md5=secret.md5, ha1_sha256=secret.sha256)


def _name(name: str) -> str:
    if len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"a name has at most {MAX_NAME} printable characters")
    return name


def change_offline(folder: DataFolder, realm: str, request: Request, actor: str) -> None:
    """Commit one change without a server; raises what `Administration.change` raises."""

    async def commit() -> None:
        async with Journal.open(folder.database) as journal:
            await Administration(journal, realm, Directory()).change(request, actor)

    with folder.locked():
        asyncio.run(commit())
