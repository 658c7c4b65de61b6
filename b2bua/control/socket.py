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
from typing import NamedTuple

import msgspec

from b2bua.control.messages import AnyRequest, OnBehalf, Refused, Reply, Request
from b2bua.errors import ControlError, MitschnittError, StartError

logger = logging.getLogger("b2bua.control")

MAX_REQUEST = 1 << 20
"Octets of one line. The largest is a prompt: 30 s of 16-bit samples in Base64 are 640,000."

TIMEOUT_S = 30.0

MAX_REPLY = 16 << 20
"Octets of the answer's line."

WEB_ACTOR = re.compile(r"web|(?:web|token):[^\x00-\x1f\x7f]{1,80}")
"For whom the web process asks: a user, a token, or itself."

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
