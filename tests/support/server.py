"""The server under test: a child process on loopback ports of its own, driven as users drive it."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from b2bua.control.messages import AddExtension, Done, GetStatus, Reply, Request, Status
from b2bua.control.socket import ask
from tests.support import ports
from tests.support.audio import Pcm
from tests.support.phones.phone import Account, PhoneSetup
from tests.support.process import Child, ChildError
from tests.support.prompts import short_prompts

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "b2bua.cli")

MAX_CALLS = 20
SPARE_PORTS = 400
"RTP ports beyond those of MAX_CALLS: for pairs that cool off, and for what neighbours have."

WITH_PAGES = "[web]\nenabled = true\n"
"""Settings for tests of the pages; the others do without, for a web process takes two seconds of
a processor to begin."""


class CommandError(Exception):
    """A command of the command line ended with another exit status than wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    number: str
    password: str = field(repr=False)


class NotifySocket:
    """The service manager's end of sd_notify: tells when the server is ready, and where."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(path))

    async def ready(self) -> dict[str, str]:
        """Wait for READY=1 and return all variables that came with it or before."""
        seen: dict[str, str] = {}
        while "READY" not in seen:
            message = await asyncio.get_running_loop().sock_recv(self._socket, 8192)
            pairs = (line.partition("=") for line in message.decode().splitlines())
            seen.update((name, value) for name, _, value in pairs)
        return seen

    def close(self) -> None:
        self._socket.close()


class Server:
    """One data folder and, between `start` and `stop`, the server that works on it."""

    def __init__(self, folder: Path, settings: str = "", wrapper: Sequence[str] = ()) -> None:
        """`wrapper`: words before the command that serves."""
        self.folder = folder
        self.data = folder / "data"
        self.sip = ""
        "`127.0.0.1:PORT`, once started."
        self.children: list[Child] = []
        self._config = folder / "mitschnitt.toml"
        self._settings = settings
        self._wrapper = wrapper
        self._extensions: dict[str, Extension] = {}
        self._stack = contextlib.AsyncExitStack()

    @property
    def recordings(self) -> Path:
        return self.data / "recordings"

    @property
    def child(self) -> Child:
        return self.children[-1]

    @property
    def host_port(self) -> tuple[str, int]:
        host, _, port = self.sip.rpartition(":")
        return host, int(port)

    def write_config(self) -> None:
        """Write a configuration with a free SIP port and enough RTP ports of this worker."""
        count = MAX_CALLS * 4 + SPARE_PORTS
        low = ports.window(count)
        text = (
            f'[sip]\nlisten = "{ports.LOOPBACK}:{ports.take(2)}"\n'
            f'[media]\nports = "{low}-{low + count - 1}"\nmax_calls = {MAX_CALLS}\n'
            f'[web]\nlisten = "{ports.LOOPBACK}:0"\nenabled = false\n'
        )
        self._config.write_text(_merge(text, self._settings))

    async def start(self) -> None:
        """Start the server on its data folder and wait until it says that it is ready."""
        if not self._config.exists():
            self.write_config()
            self.recordings.mkdir(parents=True)
        path = self.folder / f"notify{len(self.children)}"
        manager = NotifySocket(path)
        self._stack.callback(manager.close)
        argv = [
            *self._wrapper,
            *PROGRAM,
            "serve",
            "--config",
            str(self._config),
            "--data",
            str(self.data),
        ]
        child = Child("mitschnitt", argv, cwd=ROOT, env={"NOTIFY_SOCKET": str(path)})
        await self._stack.enter_async_context(child)
        self.children.append(child)
        self.sip = await self._ready(child, manager)

    @staticmethod
    async def _ready(child: Child, manager: NotifySocket) -> str:
        ready = asyncio.create_task(manager.ready())
        ended = asyncio.create_task(child.process.wait())
        done, _ = await asyncio.wait(
            {ready, ended}, timeout=60.0, return_when=asyncio.FIRST_COMPLETED
        )
        ended.cancel()
        if ready in done:
            return ready.result()["STATUS"].removeprefix("sip ")
        ready.cancel()
        raise ChildError(f"the server is not ready\n{child.report()}")

    async def stop(self) -> None:
        """Stop the server as systemd would and assert that it ends well."""
        status = await self.child.stop(timeout_s=30.0)
        assert status == 0, self.child.report()

    async def cli(self, *words: str, stdin: str = "", expect: int = 0) -> str:
        """Run a command on the data folder and return what it printed."""
        argv = [*PROGRAM, *words, "--data", str(self.data)]
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60.0):
                output, errors = await process.communicate(stdin.encode())
        finally:
            # A cancelled wait would leave the command, and its pipes, to the next test.
            if process.returncode is None:
                process.kill()
                await process.communicate()
        if process.returncode != expect:
            raise CommandError(
                f"mitschnitt {' '.join(words)}: exit {process.returncode}\n"
                f"{output.decode()}{errors.decode()}"
            )
        return output.decode()

    async def rows(self, *words: str) -> list[dict[str, Any]]:
        """Run a command that lists and return its rows."""
        rows: list[dict[str, Any]] = json.loads(await self.cli(*words, "--json"))
        return rows

    async def ask(self, request: Request) -> Reply:
        """Ask over the control socket, as the command line does, without starting one."""
        path = self.data / "control.sock"
        reply = await asyncio.to_thread(ask, path, request)
        assert reply is not None, "no server listens on the control socket"
        return reply

    async def status(self) -> dict[str, Any]:
        """Return what `mitschnitt status --json` prints."""
        reply = await self.ask(GetStatus())
        assert isinstance(reply, Status), reply
        status: dict[str, Any] = msgspec.to_builtins(reply)
        return status

    async def add_extension(
        self,
        number: str,
        *,
        mode: str = "off",
        opt_in: bool = False,
        manual_consent: str = "ask",
        user_may_stop: bool = False,
    ) -> Extension:
        password = f"secret-of-{number}"
        wanted: dict[str, object] = {
            "type": "AddExtension",
            "number": number,
            "name": f"Test {number}",
        }
        wanted |= {"password": password, "mode": mode, "opt_in": opt_in}
        wanted |= {"manual_consent": manual_consent, "user_may_stop": user_may_stop}
        reply = await self.ask(msgspec.convert(wanted, AddExtension))
        assert isinstance(reply, Done), reply
        self._extensions[number] = Extension(number=number, password=password)
        return self._extensions[number]

    def extension(self, number: str) -> Extension:
        """Return an extension that the test has added."""
        return self._extensions[number]

    def setup(
        self, whose: str | Extension, says: Pcm, *, folder: str | None = None, at: str = ""
    ) -> PhoneSetup:
        """Return what a phone of an extension is started with; its second needs a folder.

        `whose`: its number, where the test has added it; `at`: where the phone reaches the
        server, if that is not the first address.
        """
        extension = self.extension(whose) if isinstance(whose, str) else whose
        account = Account(user=extension.number, password=extension.password, server=at or self.sip)
        place = self.folder / (folder or extension.number)
        return PhoneSetup(account=account, folder=place, says=says)

    async def calls_closed(self, count: int, *, timeout_s: float = 30.0) -> list[dict[str, Any]]:
        """Return the rows of this many calls, newest first, once each has its last word.

        A call is closed shortly after the hang-up, which is no event for us: the database is
        looked at (cheaply, read-only), and then the command line is asked once.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while self._count_closed() < count:  # noqa: ASYNC110 - as said above
                    await asyncio.sleep(0.05)
        except TimeoutError:
            rows = await self.rows("calls", "--limit", "1000")
            raise AssertionError(f"not {count} closed calls in {timeout_s} s: {rows}") from None
        return await self.rows("calls", "--limit", str(count))

    def _count_closed(self) -> int:
        address = f"file:{self.data / 'mitschnitt.db'}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=5.0)) as database:
                wanted = "SELECT count(*) FROM calls WHERE outcome <> ''"
                (count,) = database.execute(wanted).fetchone()
        except sqlite3.OperationalError:
            return 0  # the writer was just making its log anew: to be asked again
        return int(count)

    async def the_call(self, *, timeout_s: float = 30.0) -> dict[str, Any]:
        """Return the row of the one call that there was."""
        (row,) = await self.calls_closed(1, timeout_s=timeout_s)
        return row

    def recording(self, row: dict[str, Any]) -> Path:
        """Return the file that a row names, and assert that it is there."""
        path = self.recordings / str(row["recordingfile"])
        assert path.is_file(), f"{row} has no file"
        return path

    def files(self) -> list[Path]:
        """Return all recordings, open ones as well."""
        return sorted(path for path in self.recordings.rglob("*.mp3*") if path.is_file())

    async def close(self) -> None:
        await self._stack.aclose()


def _merge(base: str, settings: str) -> str:
    """Put further settings under the section headings that the base has already.

    A later value wins. Each `[[table]]` of an array stays whole, behind all sections.
    """
    sections: dict[str, list[str]] = {"": []}
    tables: list[str] = []
    for text in (base, settings):
        heading = ""
        for line in text.splitlines():
            if line.startswith("["):
                heading = line
                sections.setdefault(heading, [])
            if heading.startswith("[["):
                tables.append(line)
            elif line and line != heading:
                _put(sections[heading], line)
    return "".join(
        f"{line}\n"
        for heading, lines in sections.items()
        if not heading.startswith("[[")
        for line in ([heading, *lines] if heading else lines)
    ) + "".join(f"{line}\n" for line in tables)


def _put(lines: list[str], line: str) -> None:
    """Add a `name = value` line in place of an older one of the name."""
    name = line.partition("=")[0].strip()
    lines[:] = [kept for kept in lines if kept.partition("=")[0].strip() != name]
    lines.append(line)


@contextlib.asynccontextmanager
async def server(
    settings: str = "",
    extensions: Sequence[tuple[str, str, bool]] = (),
    wrapper: Sequence[str] = (),
    *,
    short: bool = False,
) -> AsyncIterator[Server]:
    """Start a server in a new folder with these extensions: (number, mode, opt-in).

    `short`: it speaks in short tones (`tests.support.prompts`) instead of sentences.

    The folder's path is short, because a unix socket's must be; it is kept when a test fails.
    """
    folder = Path(tempfile.mkdtemp(prefix="ms-"))
    under_test = Server(folder, settings, wrapper)
    try:
        if short:
            under_test.data.mkdir()
            short_prompts(under_test.data)
        await under_test.start()
        for number, mode, opt_in in extensions:
            await under_test.add_extension(number, mode=mode, opt_in=opt_in)
        yield under_test
    except BaseException:
        print(f"kept: {folder}")
        for child in under_test.children:
            print(child.report())
        raise
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        await under_test.close()
        await _nothing_left(under_test)


async def _nothing_left(under_test: Server) -> None:
    """Assert that no process of the server outlives it: children leave when their channel ends."""
    try:
        async with asyncio.timeout(10.0):
            while _left_behind(under_test):  # noqa: ASYNC110 - /proc sends no events
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"outlived the server: {_left_behind(under_test)}") from None


def _left_behind(under_test: Server) -> list[str]:
    """Return the processes that still run in the sessions of the server's processes."""
    sessions = {child.pid for child in under_test.children}
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            state, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            if state != "Z" and os.getsid(int(entry.name)) in sessions:
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found
