"""The demo's child processes: started, listened to, and ended whatever happens."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Self

from b2bua.errors import DemoError

PR_SET_PDEATHSIG: Final = 1
STOP_TIMEOUT_S: Final = 4.0
KEPT_LINES: Final = 40

_libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Have the child end when the demo is gone, even killed; not every system can."""
    with contextlib.suppress(AttributeError):
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Program:
    """A Python module in a process of its own; use as an asynchronous context manager."""

    def __init__(
        self,
        name: str,
        module: str,
        words: Sequence[str],
        *,
        on_line: Callable[[str], None] = lambda _: None,
        environment: Mapping[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """`prepare` is called in the child before it begins; there may be no threads then."""
        self.name = name
        self.ended = asyncio.Event()
        "Its output has ended, and with it the process or its use."
        self._argv = (sys.executable, "-W", "ignore", "-m", module, *words)
        self._on_line = on_line
        self._environment = {**os.environ, **(environment or {})}
        self._prepare = prepare
        self._lines: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise DemoError(f"{self.name} was not started")
        return self._process

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._argv,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Ctrl-C is for the demo: it ends its children in their order.
            start_new_session=True,
            preexec_fn=self._prepare,
        )
        self._reading = asyncio.create_task(self._read(), name=f"output of {self.name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self.process
        try:
            if process.stdin is not None:
                process.stdin.close()
            await self._end(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            if self._reading is not None:
                self._reading.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._reading

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Ask the program to end and wait for it, for a while."""
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()

    async def write(self, line: str) -> None:
        """Write a line to the program's standard input."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{line}\n".encode())
            await self.process.stdin.drain()
        except ConnectionError:
            raise DemoError(f"{self.name} has ended\n{self.tail()}") from None

    def tail(self) -> str:
        """Return the last of what it printed."""
        return "\n".join(self._lines)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            async for raw in self.process.stdout:
                line = raw.decode("utf-8", "replace").rstrip("\n")
                self._lines = [*self._lines[-KEPT_LINES:], line]
                self._on_line(line)
        finally:
            self.ended.set()


async def run_command(module: str, words: Sequence[str], *, stdin: str, timeout_s: float) -> str:
    """Run a module to its end and return what it printed; its failure is a `DemoError`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    said = f"mitschnitt {' '.join(words[:2])}"
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate(stdin.encode())
    except TimeoutError:
        raise DemoError(f"{said} took longer than {timeout_s:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise DemoError(f"{said}: {output.decode('utf-8', 'replace').strip()}")
    return output.decode()
