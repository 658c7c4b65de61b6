"""Changes that people make: extensions, users and tokens, each with its audit row.

The same code commits a change inside the running server (control socket) and, where none runs,
in a command that holds the lock of the data folder.
"""

import asyncio
import re
from collections.abc import Collection
from typing import TypeVar

from b2bua.choices import EVERY_DIRECTION, EVERY_WAY, SrtpWish
from b2bua.control_messages import (
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
from b2bua.settings.values import installed
from b2bua.wall_clock import wall_us
from cdr.account_records import (
    SessionClosed,
    SessionOpened,
    SessionTouched,
    UserAdded,
    UserChanged,
    UserRemoved,
)
from cdr.errors import CdrError
from cdr.extension_records import (
    Credentials,
    ExtensionAdded,
    ExtensionChanged,
    ExtensionRemoved,
    OptIn,
)
from cdr.journal import Journal
from cdr.records import AuditEntry, Change, TokenAdded, TokenRevoked
from cdr.unchanged import UNCHANGED, Unchanged
from sip.digest import ha1
from sip.secure_media import Srtp

NUMBER = re.compile(r"[0-9]{2,15}")

FORWARD_TARGET = re.compile(r"\+?[0-9]{2,32}")

FORWARD_AFTER_S = range(5, 301)

RESERVED = frozenset({"110", "112"})
"Emergency numbers: they reach those who help, never a telephone of ours."

MAX_NAME = 80

ACCOUNT_NAME = re.compile(r"[\w.@-]{1,80}")
"Of users and tokens: they stand in log lines and behind `web:` in the audit log."

T = TypeVar("T")


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
            case AddExtension():
                return self._add(request, actor)
            case SetExtension():
                return self._set(request, actor)
            case RemoveExtension():
                return ExtensionRemoved(actor=actor, at=wall_us(), number=request.number)
            case AddUser() | SetUser() | RemoveUser() | AddToken() | RevokeToken():
                return _account_change(request, actor)
            case OpenSession() | CloseSession() | WriteAudit():
                return _page_change(request, actor)
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
            directions=_directions(request.directions),
            user_may_stop=request.user_may_stop,
            manual_consent=request.manual_consent,
            srtp=_srtp(request.srtp),
            dtmf=_dtmf(request.dtmf),
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
            mode=_wanted(request.mode),
            directions=(
                _directions(request.directions) if request.directions is not None else UNCHANGED
            ),
            user_may_stop=_wanted(request.user_may_stop),
            manual_consent=_wanted(request.manual_consent),
            opt_in=opt_in if request.opt_in is not None else UNCHANGED,
            forward_always=_forward(request.number, request.forward_always),
            forward_busy=_forward(request.number, request.forward_busy),
            forward_no_answer=_forward(request.number, request.forward_no_answer),
            forward_offline=_forward(request.number, request.forward_offline),
            forward_after_s=_patience(request.forward_after_s),
            srtp=_srtp(request.srtp) if request.srtp is not None else UNCHANGED,
            dtmf=_dtmf(request.dtmf) if request.dtmf is not None else UNCHANGED,
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


def _directions(wanted: Collection[str]) -> tuple[str, ...]:
    """Return them in the order of the table; none at all is what mode `off` is for."""
    if not wanted:
        raise UsageError("name a direction at least; to record nothing, set the mode to off")
    return tuple(each for each in EVERY_DIRECTION if each in wanted)


def _forward(number: str, target: str | None) -> str | Unchanged:
    """Return where an extension's calls go; whether it may call there is asked at each call."""
    if target is None:
        return UNCHANGED
    if target and FORWARD_TARGET.fullmatch(target) is None:
        raise UsageError(f"{target!r} is no number that calls can be forwarded to")
    if target in RESERVED:
        raise UsageError(f"{target} is an emergency number")
    if target == number:
        raise UsageError(f"{number} can't be forwarded to itself")
    return target


def _srtp(wish: SrtpWish) -> str:
    """Return what is stored; nothing is promised that can't be done."""
    if wish == "default":
        return ""
    try:
        return installed(Srtp(wish))
    except ValueError as error:
        raise UsageError(str(error)) from error


def _dtmf(wanted: Collection[str]) -> tuple[str, ...]:
    """Return the ways in the order of the table."""
    return tuple(each for each in EVERY_WAY if each in wanted)


def _patience(seconds: int | None) -> int | Unchanged:
    if seconds is None:
        return UNCHANGED
    if seconds not in FORWARD_AFTER_S:
        shortest, longest = FORWARD_AFTER_S[0], FORWARD_AFTER_S[-1]
        raise UsageError(f"a telephone rings for {shortest} to {longest} s before that")
    return seconds


def _wanted(value: T | None) -> T | Unchanged:
    return UNCHANGED if value is None else value


def _account_change(
    request: AddUser | SetUser | RemoveUser | AddToken | RevokeToken, actor: str
) -> Change:
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
                password_hash=_wanted(request.password_hash),
                role=_wanted(request.role),
                extensions=(
                    _numbers(request.extensions) if request.extensions is not None else UNCHANGED
                ),
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


def _page_change(request: OpenSession | CloseSession | WriteAudit, actor: str) -> Change:
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


def change_offline(folder: DataFolder, realm: str, request: Request, actor: str) -> None:
    """Commit one change without a server; raises what `Administration.change` raises."""

    async def commit() -> None:
        async with Journal.open(folder.database) as journal:
            await Administration(journal, realm, Directory()).change(request, actor)

    with folder.locked():
        asyncio.run(commit())
