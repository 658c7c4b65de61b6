"""A media worker alone: the process that the server starts, driven over its channel."""

import mmap
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from b2bua.media.channel import Deframer, frame
from b2bua.media.from_worker import FromMediaWorker, PortsOffered
from b2bua.media.to_worker import LendLeg, OfferPorts
from bench import mmsg, procfs
from bench.generator import Destination
from rtp.ring import RingLayout, initialise
from rtp.ring_reader import RingReader

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent
PORTS = "20000-29999"
PATIENCE_S = 10.0

M = TypeVar("M", bound=msgspec.Struct)


class MediaWorker:
    """One worker with one ring, while the context is open."""

    def __init__(self, calls: int) -> None:
        layout = RingLayout.for_calls(calls)
        ring = os.memfd_create("ring")
        os.ftruncate(ring, layout.size)
        memory = memoryview(mmap.mmap(ring, layout.size))
        initialise(memory, layout)
        self.ring = RingReader(memory)
        self._channel, theirs = socket.socketpair()
        self._deframer: Deframer[FromMediaWorker] = Deframer(FromMediaWorker)
        self._inbox: list[FromMediaWorker] = []
        argv = [sys.executable, "-m", "b2bua.media.worker", "--channel", str(theirs.fileno())]
        argv += ["--ring", str(ring), "--ports", PORTS, "--media-timeout", "60"]
        self._child = subprocess.Popen(
            argv,
            cwd=ROOT,
            pass_fds=(theirs.fileno(), ring),
            preexec_fn=mmsg.die_with_parent,  # noqa: PLW1509 - there is one thread here
        )
        theirs.close()
        os.close(ring)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        try:
            self._child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def send(self, *messages: msgspec.Struct) -> None:
        self._channel.sendall(b"".join(frame(message) for message in messages))

    def legs(self, numbers: Sequence[int]) -> list[Destination]:
        """Lend these legs and return where they receive."""
        self.send(OfferPorts(HOST, len(numbers)))
        ports = self.expect(PortsOffered).ports
        self.send(*map(LendLeg, numbers, ports))
        return [Destination(host=HOST, port=port) for port in ports]

    def expect(self, kind: type[M], meanwhile: Callable[[], float] = lambda: 0.1) -> M:
        """Return the next message of the kind; `meanwhile` returns in how many s to call it."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            for place, message in enumerate(self._inbox):
                if isinstance(message, kind):
                    del self._inbox[: place + 1]
                    return message
            self._inbox.clear()
            self._read(meanwhile())
        raise RuntimeError(f"the media worker sent no {kind.__name__}")

    def listen(self, until: float) -> None:
        """Take and forget what it says, as a parent with nothing to do would."""
        while (left := until - time.monotonic()) > 0:
            self._read(left)
            self._inbox.clear()

    def cpu_s(self) -> float:
        """What it has used so far: to the ns where the kernel counts so (it has one thread)."""
        try:
            text = Path(f"/proc/{self._child.pid}/schedstat").read_text(encoding="ascii")
        except OSError:
            return procfs.cpu_s(self._child.pid)
        return int(text.split()[0]) / 1e9

    def _read(self, timeout_s: float) -> None:
        if select.select([self._channel], [], [], max(0.0, timeout_s))[0]:
            data = self._channel.recv(1 << 16)
            if not data:
                raise RuntimeError("the media worker has left")
            self._inbox += self._deframer.feed(data)
