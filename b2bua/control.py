"""The control socket: how the command line (later keeper and web) changes a running server.

One request a connection: JSON on a line, answered on a line, after the commit. The socket is
a file in the data folder that only its owner may open; who asks is taken from the kernel
(SO_PEERCRED), not from the request.
"""

import asyncio
import contextlib
import logging
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Literal

import msgspec

from b2bua.errors import ControlError, MitschnittError, StartError

logger = logging.getLogger("b2bua.control")

MAX_REQUEST = 1 << 20
"Octets of one line. The largest is a prompt: 30 s of 16-bit samples in Base64 are 640,000."

TIMEOUT_S = 30.0

Mode = Literal["off", "manual", "automatic", "never"]


class AddExtension(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    number: str
    name: str
    password: str
    mode: Mode = "off"
    opt_in: bool = False


class SetExtension(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Change what is not None."""

    number: str
    name: str | None = None
    mode: Mode | None = None
    opt_in: bool | None = None
    password: str | None = None


class RemoveExtension(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    number: str


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


Request = AddExtension | SetExtension | RemoveExtension | InstallPrompt | GetStatus


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


class Status(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What the server is doing now."""

    version: str
    sip: str
    pids: dict[str, list[int | None]]
    calls: int
    recordings: int
    registrations: int
    journal_healthy: bool
    counters: dict[str, float]


Reply = Done | Refused | PromptReplaced | Status

_REPLY: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)

Handler = Callable[[Request, str], Awaitable[Reply]]
"From a request and its actor to the reply; `MitschnittError` becomes `Refused`."


@contextlib.asynccontextmanager
async def control_server(path: Path, handler: Handler) -> AsyncIterator[None]:
    """Serve requests at `path` while the context is open."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await _serve_one(reader, writer, handler)
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
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
) -> None:
    line = await reader.readline()
    reply: Reply
    try:
        request = msgspec.json.decode(line, type=Request)
        reply = await handler(request, _actor(writer))
    except msgspec.MsgspecError as error:
        reply = Refused(reason=str(error))
    except MitschnittError as error:
        reply = Refused(reason=str(error))
    writer.write(msgspec.json.encode(reply) + b"\n")
    await writer.drain()


def _actor(writer: asyncio.StreamWriter) -> str:
    sock = writer.get_extra_info("socket")
    peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid = struct.unpack("3i", peer)[1]
    return f"cli:{user_name(uid)}"


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
                line = lines.readline(16 << 20)
        except OSError as error:
            raise ControlError(f"the server at {path} gave no answer: {error}") from error
    if not line:
        raise ControlError(f"the server at {path} closed without an answer")
    return _REPLY.decode(line)
