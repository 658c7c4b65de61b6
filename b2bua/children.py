"""A child process of the signalling process: started, spoken to, watched, started again.

Children are started by `subprocess` (never a fork of a running loop) and talk over a socket
pair; the end of the stream is the news of a death, whoever dies. A child that stays silent
longer than `SILENCE_S` (it sends counters once a second) hangs and is killed.
"""

import asyncio
import contextlib
import logging
import math
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from b2bua.media.channel import ChannelError, Deframer, frame

logger = logging.getLogger("b2bua.children")

SILENCE_S = 15.0
"A child reports once a second; this long without a word means that it hangs."

BACKOFF_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
"Pauses before the n-th restart in a row; a child that ran for a minute starts over."

STABLE_S = 60.0

PACE_S = 0.01
"""Between two wakings of a child, each of which costs what ten messages do. Half of the time from
packet to packet: nothing in the sound shows it."""

LINGER_S = 0.02
"So long a message that nobody is in need of may wait for others to go with it."

MAX_UNSENT = 8 << 20
"Octets waiting for a child that does not read: it hangs, and is killed."

M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec(Generic[M]):
    """How a child is started and what it may say."""

    name: str
    module: str
    arguments: Callable[[int], Sequence[str]]
    "From the descriptor of the child's channel to its command line."
    inherited: tuple[int, ...]
    "Descriptors beside the channel that the child gets."
    kind: Any
    "Union of the messages that come back."


class Child(Generic[M]):
    """One child over all its lives; `send` reaches the present one."""

    def __init__(
        self,
        spec: ChildSpec[M],
        *,
        on_message: Callable[[M], None],
        on_start: Callable[[], None],
        on_death: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.starts = 0
        self.awake = asyncio.Event()
        "Set while a present life of the child has said something."
        self._on_message = on_message
        self._on_start = on_start
        self._on_death = on_death
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._unsent = bytearray()
        self._sent_at = 0.0
        self._due_at = math.inf
        "When what is unsent goes out, if the child reads."
        self._due: asyncio.Handle | None = None
        self._ended = asyncio.Event()
        self._heard = 0.0
        self._closing = False

    @property
    def pid(self) -> int | None:
        """Process id while the child lives."""
        return self._process.pid if self._process is not None else None

    @property
    def silent_s(self) -> float:
        """Seconds since the child said something, or was started."""
        return asyncio.get_running_loop().time() - self._heard

    async def run(self) -> None:
        """Keep the child alive until `close`; the caller's task group owns this."""
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            self._start()
            try:
                await self._watch()
            finally:
                await self._reap()
            if self._closing:
                return
            failures = 0 if loop.time() - started > STABLE_S else failures + 1
            pause = BACKOFF_S[min(failures, len(BACKOFF_S)) - 1] if failures else 0.0
            logger.error("child ended, starting it again", extra={"child": self.spec.name})
            self._guarded(self._on_death)
            await asyncio.sleep(pause)

    async def close(self, patience_s: float) -> None:
        """End the channel (the child leaves on its own), wait, kill what stays."""
        self._closing = True
        process = self._process
        self._flush()
        self._hang_up()
        if process is None:
            return
        try:
            await asyncio.to_thread(process.wait, patience_s)
        except subprocess.TimeoutExpired:
            logger.error("child did not leave, killed", extra={"child": self.spec.name})
            process.kill()

    def send(self, message: msgspec.Struct, *, at_once: bool = True) -> None:
        """Send at the end of this turn of the loop, or as soon as the child reads.

        What one turn has to say goes in one piece, so the child wakes up once for it, and not
        again within `PACE_S`. What need not be said `at_once` goes with whatever is said next,
        within `LINGER_S`. Without a child the message is void.
        """
        if self._sock is None:
            return
        self._unsent += frame(message)
        now = asyncio.get_running_loop().time()
        due_at = max(now, self._sent_at + PACE_S) if at_once else now + LINGER_S
        if due_at < self._due_at:
            self._schedule(due_at, now)
        if len(self._unsent) > MAX_UNSENT:
            logger.error("child does not read, killed", extra={"child": self.spec.name})
            self._kill()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        arguments = self.spec.arguments(theirs.fileno())
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", self.spec.module, *arguments],
                pass_fds=(theirs.fileno(), *self.spec.inherited),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._sock = ours
        self._ended.clear()
        self.awake.clear()
        self._heard = asyncio.get_running_loop().time()
        deframer: Deframer[M] = Deframer(self.spec.kind)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._read, ours, deframer)
        self.starts += 1
        self._guarded(self._on_start)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._ended.wait()
            if loop.time() - self._heard > SILENCE_S:
                logger.error("child hangs, killed", extra={"child": self.spec.name})
                self._kill()
                return

    async def _reap(self) -> None:
        process = self._process
        self._hang_up()
        if process is None:
            return
        if not self._closing:
            process.kill()
            await asyncio.to_thread(process.wait)
        self._process = None

    def _read(self, sock: socket.socket, deframer: Deframer[M]) -> None:
        try:
            data = sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        self._heard = asyncio.get_running_loop().time()
        self.awake.set()
        try:
            for message in deframer.feed(data):
                self._guarded(self._on_message, message)
        except ChannelError:
            logger.exception("channel lost", extra={"child": self.spec.name})
            self._kill()

    def _guarded(self, callback: Callable[..., None], *arguments: object) -> None:
        """Call back; what one message breaks must not end the channel."""
        try:
            callback(*arguments)
        except Exception:
            logger.exception("message from child failed", extra={"child": self.spec.name})

    def _schedule(self, due_at: float, now: float) -> None:
        """Send at that time, and no more at the one that was meant before."""
        loop = asyncio.get_running_loop()
        if self._due is not None:
            self._due.cancel()
        self._due_at = due_at
        if due_at > now:
            self._due = loop.call_at(due_at, self._flush_first)
        else:
            self._due = loop.call_soon(self._flush_first)

    def _flush_first(self) -> None:
        """Send what has gathered; what the socket does not take waits for the child to read."""
        self._due, self._due_at = None, math.inf
        self._sent_at = asyncio.get_running_loop().time()
        self._flush()
        if self._sock is not None and self._unsent:
            asyncio.get_running_loop().add_writer(self._sock.fileno(), self._flush_rest)

    def _flush_rest(self) -> None:
        self._flush()
        if self._sock is not None and not self._unsent:
            asyncio.get_running_loop().remove_writer(self._sock.fileno())

    def _flush(self) -> None:
        if self._sock is None or not self._unsent:
            return
        try:
            sent = self._sock.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            sent = len(self._unsent)
        del self._unsent[:sent]

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _hang_up(self) -> None:
        sock, self._sock = self._sock, None
        self._unsent.clear()
        self._ended.set()
        if sock is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(sock.fileno())
            loop.remove_writer(sock.fileno())
            sock.close()
