"""What the pages are given (`web/ports.py`): the folder, the reasons, the running server.

Every change, and everything that only the running server knows, goes over its control socket;
none of it blocks.
"""

import os
from collections.abc import Collection
from pathlib import Path

from b2bua.control.messages import (
    CloseSession,
    Done,
    GetStatus,
    OnBehalf,
    OpenSession,
    PageRequest,
    Refused,
    Reply,
    Request,
    SetExtension,
    Status,
    TouchSession,
    WriteAudit,
)
from b2bua.control.socket import ask_async
from b2bua.errors import ControlError
from b2bua.web.metrics import render as render_metrics
from cdr.account_records import SessionClosed, SessionOpened, SessionTouched
from recording.folder import Folder, Part, UnsafePathError
from recording.reasons import UnknownReasonError, decode, render
from recording.storage import check, free_space
from web.errors import ChangeRefusedError, UnavailableError
from web.ports import AccountWrite, ExtensionSetting, Language, LiveStatus, StorageFigures

ANSWER_S = 5.0
"A page does not wait longer for the running server; a commit takes some 50 ms."


class Server:
    """The running server, asked over its control socket."""

    def __init__(self, control_socket: Path) -> None:
        self._control_socket = control_socket

    async def ask(self, request: Request | OnBehalf) -> Reply:
        """Return the answer; raises `UnavailableError`, or `ChangeRefusedError` for a refusal."""
        try:
            reply = await ask_async(self._control_socket, request, ANSWER_S)
        except ControlError as error:
            raise UnavailableError(str(error)) from error
        if reply is None:
            raise UnavailableError("the server does not run")
        if isinstance(reply, Refused):
            raise ChangeRefusedError(reply.reason)
        return reply


class ServerChanges:
    """Changes, each on behalf of the one who is logged in."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def set_extension(self, setting: ExtensionSetting) -> None:
        """Change an extension's settings."""
        request = SetExtension(
            number=setting.number,
            mode=setting.mode,
            opt_in=setting.opt_in,
            manual_consent=setting.manual_consent,
            directions=setting.directions,
            user_may_stop=setting.user_may_stop,
            forward_always=setting.forward_always,
            forward_busy=setting.forward_busy,
            forward_no_answer=setting.forward_no_answer,
            forward_offline=setting.forward_offline,
            forward_after_s=setting.forward_after_s,
            srtp=setting.srtp,
            dtmf=setting.dtmf,
        )
        await self._change(setting.actor, request)

    async def write(self, record: AccountWrite) -> None:
        """Commit what happened at the pages."""
        await self._change(*_on_the_wire(record))

    async def _change(self, actor: str, request: SetExtension | PageRequest) -> None:
        reply = await self._server.ask(OnBehalf(actor=actor, request=request))
        if not isinstance(reply, Done):
            raise UnavailableError("the server gave another answer than a commit")


def _on_the_wire(record: AccountWrite) -> tuple[str, PageRequest]:
    """Return the actor and the request that has the server write this record."""
    match record:
        case SessionOpened():
            return record.actor, OpenSession(
                user=record.user,
                id_hash=record.id_hash,
                csrf_token=record.csrf_token,
                idle_expires_at=record.idle_expires_at,
                expires_at=record.expires_at,
                source=record.source,
            )
        case SessionTouched():
            return "web", TouchSession(
                id_hash=record.id_hash, idle_expires_at=record.idle_expires_at
            )
        case SessionClosed():
            return record.actor, CloseSession(id_hash=record.id_hash)
    return record.actor, WriteAudit(
        action=record.action, object=record.object, detail=dict(record.detail)
    )


class ServerLive:
    """What the server is doing now."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def status(self) -> LiveStatus:
        """Return the figures of the moment, and what is wrong."""
        status = await self._status()
        return LiveStatus(
            calls=status.calls,
            recordings=status.recordings,
            registrations=status.registrations,
            trouble=_trouble(status),
        )

    async def metrics(self) -> str:
        """Return all counters in Prometheus' text format."""
        return render_metrics(await self._status())

    async def _status(self) -> Status:
        reply = await self._server.ask(GetStatus())
        if not isinstance(reply, Status):
            raise UnavailableError("the server gave another answer than its status")
        return reply


def _trouble(status: Status) -> str | None:
    if not status.accepting:
        return "the server takes no calls: it is starting or stopping"
    if not status.journal_healthy:
        return "the journal can't be written: calls go on, nothing new is recorded"
    return None


class FolderRecordings:
    """Recordings, opened below the root without following a link."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def open(self, relative_path: str) -> int:
        """Return a descriptor; raises `OSError`, or `ValueError` for a path that leads out."""
        return self._folder.open_final(relative_path).fd

    def open_growing(self, relative_path: str) -> int:
        """Return a descriptor of one that is being written; raises as `open` does."""
        return self._folder.open_growing(relative_path).fd

    def is_growing(self, relative_path: str, descriptor: int) -> bool:
        """Tell whether the open file is still being written."""
        return self._folder.is_growing(Part(descriptor, relative_path))

    def present(self, relative_paths: Collection[str]) -> frozenset[str]:
        """Return those that can be opened and are not empty; raises where the root is away."""
        self._folder.root.stat()
        return frozenset(path for path in relative_paths if self._is_present(path))

    def _is_present(self, relative_path: str) -> bool:
        try:
            descriptor = self.open(relative_path)
        except (OSError, UnsafePathError):
            return False
        try:
            return os.fstat(descriptor).st_size > 0
        finally:
            os.close(descriptor)


class ReasonSentences:
    """The sentences of `recording/reasons.py`."""

    def sentence(self, key: str, params: str, language: Language) -> str:
        """Return the sentence; empty for a key of another version."""
        try:
            return render(decode(key, params), language)
        except UnknownReasonError:
            return ""


class FolderStorage:
    """The file system of the recordings."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def figures(self) -> StorageFigures:
        """Return its size and what is free; raises `OSError`."""
        state = free_space(self._folder.root)
        return StorageFigures(
            folder=str(self._folder.root),
            total_octets=state.total_octets,
            free_octets=state.free_octets,
            level=state.level.value,
        )

    def test(self) -> str | None:
        """Write, sync and remove a small file."""
        return check(self._folder).trouble
