"""The demo's own server: in a folder of its own, on loopback ports of its own."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import msgspec

from b2bua.control.messages import GetStatus, Status
from b2bua.control.socket import ask
from b2bua.datadir import DataFolder
from b2bua.demo.programs import Program, die_with_parent, run_command
from b2bua.errors import DemoError
from b2bua.reports import call_rows, recording_rows

MODULE: Final = "b2bua.cli"
HOST: Final = "127.0.0.1"
RTP_PORTS: Final = 200
RTP_LOW: Final = (20000, 29000)
"Where the range begins is drawn: another server on this machine may have the usual one."
START_TIMEOUT_S: Final = 20.0
COMMAND_TIMEOUT_S: Final = 20.0
POLL_S: Final = 0.05

Row = dict[str, Any]


def settings(*, trunk: str, did: str, extension: str) -> str:
    """Return the configuration: one trunk, one number of it, one extension behind that."""
    low = RTP_LOW[0] + 2 * secrets.randbelow((RTP_LOW[1] - RTP_LOW[0]) // 2)
    return f"""\
[sip]
listen = "{HOST}:0"

[media]
ports = "{low}-{low + RTP_PORTS - 1}"
max_calls = 4

[consent]
language = "de"

[web]
listen = "{HOST}:0"

[[trunk]]
name = "outside"
address = "{trunk}"
dids = {{ "{did}" = "{extension}" }}
"""


class PrivateServer:
    """A running server and the commands that work on its data folder."""

    def __init__(self, folder: Path, program: Program, sip: str) -> None:
        self.data = DataFolder(folder)
        self.program = program
        self.sip = sip
        "`host:port`."

    @property
    def recordings(self) -> Path:
        return self.data.recordings(None)

    async def command(self, *words: str, stdin: str = "") -> str:
        """Run a command of the command line on the data folder."""
        return await run_command(
            MODULE,
            [*words, "--data", str(self.data.path)],
            stdin=stdin,
            timeout_s=COMMAND_TIMEOUT_S,
        )

    async def calls(self) -> list[Row]:
        """Return what `mitschnitt calls --json` prints; from the database, as the command does."""
        return await asyncio.to_thread(call_rows, self.data, 10)

    async def segments(self) -> list[Row]:
        """Return what `mitschnitt rec list --json` prints, oldest first."""
        return (await asyncio.to_thread(recording_rows, self.data, 10))[::-1]

    async def status(self) -> Row:
        """Return what `mitschnitt status --json` prints, without starting a process for it."""
        reply = await asyncio.to_thread(ask, self.data.control_socket, GetStatus())
        if not isinstance(reply, Status):
            raise DemoError(f"the server tells no status\n{self.program.tail()}")
        values: Row = msgspec.to_builtins(reply)
        return values

    async def recordings_open(self, count: int, *, timeout_s: float) -> None:
        """Wait until so many recordings are being made."""
        try:
            async with asyncio.timeout(timeout_s):
                while (await self.status())["recordings"] != count:  # noqa: ASYNC110 - no event
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise DemoError(
                f"not {count} recordings after {timeout_s:.0f} s\n{self.program.tail()}"
            ) from None

    async def closed_call(self, *, timeout_s: float) -> Row:
        """Wait until the one call has its last word, and return its row."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    calls = await self.calls()
                    if calls and calls[0]["outcome"]:
                        return calls[0]
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise DemoError(f"the call's row is not closed after {timeout_s:.0f} s") from None


class _Manager:
    """The service manager's end: the server tells it when it is ready, and where."""

    def __init__(self, path: Path) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_UNIX, kind)
        self._socket.bind(str(path))

    async def ready(self) -> str:
        """Wait for READY=1 and return the SIP address that came with it."""
        loop, seen = asyncio.get_running_loop(), dict[str, str]()
        while "READY" not in seen:
            text = (await loop.sock_recv(self._socket, 8192)).decode()
            seen.update((n, v) for n, _, v in (line.partition("=") for line in text.splitlines()))
        return seen["STATUS"].removeprefix("sip ").split()[0]

    def close(self) -> None:
        self._socket.close()


@contextlib.asynccontextmanager
async def private_server(folder: Path, configuration: str) -> AsyncIterator[PrivateServer]:
    """Start a server on a new data folder and wait until it is ready."""
    data, config, notify = folder / "data", folder / "mitschnitt.toml", folder / "notify"
    config.write_text(configuration, encoding="utf-8")
    with contextlib.closing(_Manager(notify)) as manager:
        words = ["serve", "--config", str(config), "--data", str(data)]
        environment = {"NOTIFY_SOCKET": str(notify)}
        # A telephone leaves when its standard input ends; a server reads none.
        async with Program(
            "the server", MODULE, words, environment=environment, prepare=die_with_parent
        ) as program:
            yield PrivateServer(data, program, await _ready(program, manager))


async def _ready(program: Program, manager: _Manager) -> str:
    ready = asyncio.ensure_future(manager.ready())
    ended = asyncio.ensure_future(program.ended.wait())
    try:
        await asyncio.wait(
            {ready, ended}, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if ready.done():
            return ready.result()
        raise DemoError(f"the server did not start\n{program.tail()}")
    finally:
        ready.cancel()
        ended.cancel()
