"""Length-prefixed MessagePack over a socket pair: four octets of length, then the message.

Framing is apart from I/O, so the signalling process (asyncio) and its children (plain
loops) use the same lines. A child that can't get rid of its messages because the parent
is stuck keeps a bounded number and drops the oldest that may be lost (counters, logs).
"""

import socket
import struct
from collections import deque
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

from b2bua.media.messages import Counters, LogLine

MAX_FRAME = 1 << 20
"Octets. The largest message is a log line; a frame beyond this means a lost boundary."

MAX_BACKLOG = 4096
"Messages that a child keeps for a parent that does not read."

MOST_AT_ONCE = 1 << 16
"Octets read at a time."

MOST_TOGETHER = 64
"Messages written in one piece."

M = TypeVar("M")
_LENGTH = struct.Struct("!I")
_encode = msgspec.msgpack.Encoder().encode


class ChannelError(Exception):
    """The other end sent something that is no message: the channel can't go on."""


def frame(message: msgspec.Struct) -> bytes:
    """Return `message` as one frame."""
    payload = _encode(message)
    return _LENGTH.pack(len(payload)) + payload


class Deframer(Generic[M]):
    """Collects octets and gives out whole messages of the union `kind`."""

    def __init__(self, kind: Any) -> None:  # noqa: ANN401 - a union of types has no type
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(kind)
        self._rest = b""
        "The begin of a message."

    def feed(self, data: bytes) -> Iterator[M]:
        """Yield each message that `data` completes; raises `ChannelError`."""
        data = self._rest + data
        octets, at = memoryview(data), 0
        try:
            while len(data) - at >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(data, at)
                if length > MAX_FRAME:
                    raise ChannelError(f"a frame of {length} octets")
                begin = at + _LENGTH.size
                if len(data) - begin < length:
                    return
                at = begin + length
                try:
                    yield self._decoder.decode(octets[begin:at])
                except msgspec.MsgspecError as error:
                    raise ChannelError(str(error)) from error
        finally:
            self._rest = data[at:]


class ChildChannel(Generic[M]):
    """A child's end: never blocks; `fileno` goes into the child's own poll loop."""

    def __init__(self, sock: socket.socket, kind: Any) -> None:  # noqa: ANN401 - a union
        sock.setblocking(False)
        self._sock = sock
        self._deframer: Deframer[M] = Deframer(kind)
        self._outbox: deque[msgspec.Struct] = deque()
        self._pending = b""
        self.dropped = 0
        "Counters and log lines given up because the parent did not read."
        self.closed = False
        "The parent is gone: the child leaves."

    def fileno(self) -> int:
        return self._sock.fileno()

    def receive(self) -> Iterator[M]:
        """Yield what has arrived; sets `closed` at the end of the stream."""
        while True:
            try:
                data = self._sock.recv(MOST_AT_ONCE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.closed = True
                return
            yield from self._deframer.feed(data)
            if len(data) < MOST_AT_ONCE:
                return  # nothing is left; what comes now wakes the loop again

    def send(self, message: msgspec.Struct) -> None:
        """Send now what the socket takes, keep the rest for `flush`."""
        self.post(message)
        self.flush()

    def post(self, message: msgspec.Struct) -> None:
        """Send with the next `flush`, so that several answers wake the parent once."""
        if len(self._outbox) >= MAX_BACKLOG and isinstance(message, Counters | LogLine):
            self.dropped += 1
            return
        self._outbox.append(message)

    def flush(self) -> None:
        """Write as much of the backlog as the socket takes."""
        while self._pending or self._outbox:
            if not self._pending:
                together = min(len(self._outbox), MOST_TOGETHER)
                self._pending = b"".join(frame(self._outbox.popleft()) for _ in range(together))
            try:
                sent = self._sock.send(self._pending)
            except BlockingIOError:
                return
            except OSError:
                self.closed = True
                self._outbox.clear()
                self._pending = b""
                return
            self._pending = self._pending[sent:]

    @property
    def backlog(self) -> bool:
        """Whether `flush` has something left to do."""
        return bool(self._pending or self._outbox)
