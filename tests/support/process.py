"""Child processes of a test: their output is kept, waited for, and shown when a test fails."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

LONGEST_LINE = 1 << 20


class ChildError(Exception):
    """A child did not do what the test waits for."""


class Child:
    """One child process; use as an asynchronous context manager.

    Standard output and error are one stream of lines, kept in `lines`.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        encoding: str = "utf-8",
    ) -> None:
        self.name = name
        self.lines: list[str] = []
        self._argv = [str(word) for word in argv]
        self._cwd = cwd
        self._env = {**os.environ, **(env or {})}
        self._encoding = encoding
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._ended = False

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._argv,
            cwd=self._cwd,
            env=self._env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LONGEST_LINE,
            # A group of its own: an interrupted test run tears down by itself, not by ^C.
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._read(), name=f"read {self.name}")
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        await self.kill()
        if kind is not None:
            print(self.report())

    @property
    def process(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ChildError(f"{self.name} was not started")
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.returncode

    def report(self) -> str:
        """Return what the child printed, under a heading."""
        return f"--- {self.name} (exit {self.returncode})\n" + "\n".join(self.lines)

    async def write(self, line: str) -> None:
        """Write a line to the child's standard input."""
        if self.process.stdin is None:
            raise ChildError(f"{self.name} has no standard input")
        self.process.stdin.write(f"{line}\n".encode(self._encoding))
        await self.process.stdin.drain()

    async def wait_for(
        self, pattern: str, *, after: int = 0, timeout_s: float = 30.0
    ) -> re.Match[str]:
        """Return the first match in the lines from `after` on, as soon as there is one."""
        wanted = re.compile(pattern)
        place = after
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                while True:
                    for line in self.lines[place:]:
                        if match := wanted.search(line):
                            return match
                    place = len(self.lines)
                    if self._ended:
                        raise ChildError(f"{self.name} ended without {pattern!r}\n{self.report()}")
                    await self._changed.wait()
        except TimeoutError:
            raise ChildError(
                f"{self.name}: no {pattern!r} in {timeout_s} s\n{self.report()}"
            ) from None

    async def wait(self, *, timeout_s: float = 30.0) -> int:
        """Wait for the child's own end and return its exit status."""
        try:
            async with asyncio.timeout(timeout_s):
                status = await self.process.wait()
        except TimeoutError:
            raise ChildError(
                f"{self.name} still runs after {timeout_s} s\n{self.report()}"
            ) from None
        if self._reader is not None:
            with contextlib.suppress(TimeoutError):
                # Grandchildren may hold the pipe open.
                async with asyncio.timeout(1.0):
                    await self._reader
        return status

    async def stop(self, *, with_signal: int = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """Ask the child to end and return its exit status."""
        if self.returncode is None:
            self.process.send_signal(with_signal)
        return await self.wait(timeout_s=timeout_s)

    async def kill(self) -> None:
        """End the child and what it started, whatever it is doing."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None
        if self._process.stdin is not None:
            self._process.stdin.close()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                await self._process.stdin.wait_closed()
        _close_transport(self._process)

    async def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        try:
            async for raw in stream:
                async with self._changed:
                    self.lines.append(raw.decode(self._encoding, "replace").rstrip("\r\n"))
                    self._changed.notify_all()
        finally:
            self._ended = True
            async with self._changed:
                self._changed.notify_all()


def _close_transport(process: asyncio.subprocess.Process) -> None:
    """Close the pipes now: a grandchild that holds one open would leave it to the collector."""
    transport: asyncio.SubprocessTransport | None = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()
