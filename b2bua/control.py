"""The control socket: how the command line and the web process change a running server.

One request a connection: JSON on a line, answered on a line, after the commit. The socket is
a file in the data folder that only its owner may open; who asks is taken from the kernel
(SO_PEERCRED), not from the request. With one exception: the web process asks for the people
who are logged in there, and says for whom (`OnBehalf`). That is believed only of the server's
own child, which the kernel knows by its process id.
"""

import asyncio
import contextlib
import logging
import os
import pwd
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from b2bua.errors import ControlError, MitschnittError, StartError

logger = logging.getLogger("b2bua.control")

MAX_REQUEST = 1 << 20
"Octets of one line. The largest is a prompt: 30 s of 16-bit samples in Base64 are 640,000."

TIMEOUT_S = 30.0

MAX_REPLY = 16 << 20
"Octets of the answer's line."

WEB_ACTOR = re.compile(r"web|(?:web|token):[^\x00-\x1f\x7f]{1,80}")
"For whom the web process asks: a user, a token, or itself."

Mode = Literal["off", "manual", "automatic", "never"]
ManualConsent = Literal["ask", "attested"]
Direction = Literal["incoming", "outgoing", "internal"]
Role = Literal["admin", "listener"]
Scope = Literal["calls", "audio", "metrics"]

SrtpWish = Literal["default", "off", "optional", "required"]
"Of an extension's telephones; `default`: as the configuration says for everybody."
DtmfWay = Literal["rfc4733", "info", "in_band"]
EVERY_WAY: tuple[DtmfWay, ...] = ("rfc4733", "info", "in_band")
EVERY_DIRECTION: tuple[Direction, ...] = ("incoming", "outgoing", "internal")


# --- extensions


class AddExtension(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    number: str
    name: str
    password: str
    mode: Mode = "off"
    opt_in: bool = False
    manual_consent: ManualConsent = "ask"
    directions: tuple[Direction, ...] = EVERY_DIRECTION
    user_may_stop: bool = False
    srtp: SrtpWish = "default"
    dtmf: tuple[DtmfWay, ...] = ()
    "In which ways it presses keys; none: as the configuration says."


class SetExtension(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Change what is not None."""

    number: str
    name: str | None = None
    mode: Mode | None = None
    opt_in: bool | None = None
    manual_consent: ManualConsent | None = None
    directions: tuple[Direction, ...] | None = None
    user_may_stop: bool | None = None
    password: str | None = None
    forward_always: str | None = None
    "A number as the extension would dial it; empty: nowhere."
    forward_busy: str | None = None
    forward_no_answer: str | None = None
    forward_offline: str | None = None
    forward_after_s: int | None = None
    srtp: SrtpWish | None = None
    dtmf: tuple[DtmfWay, ...] | None = None


class RemoveExtension(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    number: str


# --- accounts: hashes only, because hashing takes longer than a call may wait


class AddUser(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    name: str
    password_hash: str
    role: Role = "listener"
    extensions: tuple[str, ...] = ()


class SetUser(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Change what is not None."""

    name: str
    password_hash: str | None = None
    role: Role | None = None
    extensions: tuple[str, ...] | None = None


class RemoveUser(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    name: str


class AddToken(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    name: str
    hash: str
    "SHA-256 of the token, hexadecimal."
    scopes: tuple[Scope, ...]


class RevokeToken(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    name: str


# --- what happens at the pages


class OpenSession(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A login; the times are Unix microseconds."""

    user: str
    id_hash: str
    csrf_token: str
    idle_expires_at: int
    expires_at: int
    source: str = ""


class TouchSession(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    id_hash: str
    idle_expires_at: int


class CloseSession(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    id_hash: str


class WriteAudit(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Someone listened, or tried a password, or pressed a button that changes no row."""

    action: str
    object: str
    detail: dict[str, str | int | float | bool | None] = {}


class InstallPrompt(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Play another recording from the next call on."""

    prompt_id: str
    language: str
    wav: bytes
    "8 kHz, mono, 16 bits."
    sentence: str
    counts_from_ms: int


class GetStatus(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    pass


ExtensionRequest = AddExtension | SetExtension | RemoveExtension
AccountRequest = AddUser | SetUser | RemoveUser | AddToken | RevokeToken
PageRequest = OpenSession | TouchSession | CloseSession | WriteAudit

Request = ExtensionRequest | AccountRequest | InstallPrompt | GetStatus
"What anyone may ask who can open the socket."


class OnBehalf(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What the web process asks for one who is logged in there."""

    actor: str
    "`web:ada`, `token:reports`: it stands in the audit log."
    request: SetExtension | PageRequest


AnyRequest = Request | PageRequest


class Done(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Committed."""


class Refused(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    reason: str


class PromptReplaced(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Committed, and played from now on."""

    version: int
    "Of this prompt's recordings, counted from 1."
    path: str
    replaced: str | None
    "Description of the recording before; None where that was the shipped one."


class TrunkStatus(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How things stand with one trunk."""

    name: str
    registration: Literal["", "registered", "not registered"]
    "Empty: it wants none."
    server: str = ""
    "The registrar that took us."
    expires_in_s: int = 0
    trouble: str = ""
    "Why the last try to register failed."
    watched: Literal["", "there", "not there"] = ""
    "What OPTIONS say; empty: it is not asked."
    calls: int = 0
    "In both directions."
    max_calls: int = 0
    "0: as many as there are."


class Status(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What the server is doing now."""

    version: str
    sip: str
    listening: tuple[str, ...] = ()
    "Where SIP is taken, and over what."
    certificate: str = ""
    "Of TLS: how long it lasts, or what is wrong with it."
    web: str
    "Where the pages are; empty without any."
    pids: dict[str, list[int | None]]
    calls: int
    recordings: int
    registrations: int
    accepting: bool
    "Whether new calls are taken: not while starting and stopping."
    journal_healthy: bool
    counters: dict[str, float]
    trunks: tuple[TrunkStatus, ...] = ()
    lamps: int = 0
    "Subscriptions of telephones to what their lamps show."


Reply = Done | Refused | PromptReplaced | Status

_REPLY: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)

Handler = Callable[[AnyRequest, str], Awaitable[Reply]]
"From a request and its actor to the reply; `MitschnittError` becomes `Refused`."


def _nobody() -> None:
    return None


@contextlib.asynccontextmanager
async def control_server(
    path: Path, handler: Handler, *, web_pid: Callable[[], int | None] = _nobody
) -> AsyncIterator[None]:
    """Serve requests at `path` while the context is open.

    `web_pid` tells the one process that may ask on behalf of others.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await _serve_one(reader, writer, handler, web_pid)
        except (TimeoutError, ConnectionError, ValueError):
            logger.info("control request broken off")
        except Exception:
            logger.exception("control request failed")
        finally:
            writer.close()

    _remove(path)
    mask = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(serve, path, limit=MAX_REQUEST)
    except OSError as error:
        raise StartError(f"control socket {path}: {error.strerror or error}") from error
    finally:
        os.umask(mask)
    try:
        yield
    finally:
        server.close()
        _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _serve_one(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    handler: Handler,
    web_pid: Callable[[], int | None],
) -> None:
    line = await reader.readline()
    reply: Reply
    try:
        asked = msgspec.json.decode(line, type=Request | OnBehalf)
        reply = await handler(*_for_whom(asked, _peer(writer), web_pid()))
    except msgspec.MsgspecError as error:
        reply = Refused(reason=str(error))
    except MitschnittError as error:
        reply = Refused(reason=str(error))
    writer.write(msgspec.json.encode(reply) + b"\n")
    await writer.drain()


class _Peer(NamedTuple):
    """Who is at the other end, as the kernel knows it."""

    pid: int
    uid: int


def _peer(writer: asyncio.StreamWriter) -> _Peer:
    sock = writer.get_extra_info("socket")
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _gid = struct.unpack("3i", credentials)
    return _Peer(pid, uid)


def _for_whom(
    asked: Request | OnBehalf, peer: _Peer, web_pid: int | None
) -> tuple[AnyRequest, str]:
    """Return the request itself and its actor."""
    if not isinstance(asked, OnBehalf):
        return asked, f"cli:{user_name(peer.uid)}"
    if peer.pid != web_pid:
        raise ControlError("only the server's own web process asks on behalf of others")
    if WEB_ACTOR.fullmatch(asked.actor) is None:
        raise ControlError(f"{asked.actor!r} is nobody that the web process could ask for")
    return asked.request, asked.actor


def user_name(uid: int) -> str:
    """Return the system's name of a user, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def ask(path: Path, request: Request) -> Reply | None:
    """Ask a running server (blocking); None where none is running; raises `ControlError`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(TIMEOUT_S)
        try:
            sock.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        try:
            sock.sendall(msgspec.json.encode(request) + b"\n")
            with sock.makefile("rb") as lines:
                line = lines.readline(MAX_REPLY)
        except OSError as error:
            raise ControlError(f"the server at {path} gave no answer: {error}") from error
    if not line:
        raise ControlError(f"the server at {path} closed without an answer")
    return _REPLY.decode(line)


async def ask_async(path: Path, request: Request | OnBehalf, timeout_s: float) -> Reply | None:
    """Ask a running server; None where none is running; raises `ControlError`."""
    try:
        async with asyncio.timeout(timeout_s):
            line = await _exchange(path, msgspec.json.encode(request) + b"\n")
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except TimeoutError:
        raise ControlError("the server gave no answer in time") from None
    except (OSError, ValueError) as error:
        raise ControlError(f"the server gave no answer: {error}") from error
    if not line:
        raise ControlError("the server closed without an answer")
    return _REPLY.decode(line)


async def _exchange(path: Path, line: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path, limit=MAX_REPLY)
    try:
        writer.write(line)
        await writer.drain()
        return await reader.readline()
    finally:
        writer.close()
