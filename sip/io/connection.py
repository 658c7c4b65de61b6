"""One connection: octets to messages, messages to octets, and its own clock.

A connection is a bulkhead. Whatever goes wrong in it is logged and ends it, and nothing else.
"""

import asyncio
import logging
from typing import Protocol, cast

from sip.address import Flow
from sip.errors import StreamError
from sip.framing import PING, Framer
from sip.io.hub import Hub

logger = logging.getLogger("sip.io")

READ_SIZE = 8_192
"Octets per turn of the loop, so that a peer with much to say does not starve the others."


class Owner(Protocol):
    """The transport, seen by its connections."""

    max_queue: int

    def opened(self, connection: "Connection", transport: asyncio.BaseTransport) -> bool: ...
    def closing(self, connection: "Connection") -> None: ...
    def closed(self, connection: "Connection") -> None: ...
    def flow_of(self, transport: asyncio.BaseTransport) -> Flow | None: ...


class Connection(asyncio.BufferedProtocol):
    """A connection that we accepted, or one that we open: then with its flow from the start."""

    def __init__(self, owner: Owner, hub: Hub, flow: Flow | None = None) -> None:
        self._owner = owner
        self._hub = hub
        self._flow = flow
        self.dialled = flow is not None
        self._framer = Framer()
        # A view: asyncio's TLS writes into slices of it, and those of a `bytearray` are copies.
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        "What to send once the connection is open."
        self.ended = False
        "Nothing is sent or received any more."
        self.active_at = hub.now()
        "When the last whole message came; pings do not count."
        self.owed_since: float | None = self.active_at if flow is None else None
        """Since when the peer owes the rest of a message. One that connects owes its first, so
        that connections which say nothing don't take the room of others."""

    @property
    def flow(self) -> Flow:
        """The flow; it is known once the connection is open."""
        assert self._flow is not None
        return self._flow

    def send(self, data: bytes) -> None:
        """Send a message; a peer that does not read is cut off."""
        if self.ended:
            return
        if self._transport is None:
            self._waiting.append(data)
            queued = sum(map(len, self._waiting))
        else:
            self._transport.write(data)
            queued = self._transport.get_write_buffer_size()
        if queued > self._owner.max_queue:
            self.end("does not read", abort=True)

    def end(self, reason: str, *, abort: bool = False) -> None:
        """Close the connection, with `abort` without sending what is queued."""
        if self.ended:
            return
        self.ended = True
        logger.info("connection ended", extra={"remote": str(self.flow.remote), "reason": reason})
        self._owner.closing(self)
        if self._transport is None:
            return
        if abort:
            self._transport.abort()
        else:
            self._transport.close()

    def abort(self) -> None:
        """Drop what is still queued."""
        if self._transport is not None:
            self._transport.abort()

    def break_off(self, error: StreamError) -> None:
        """End a stream that can't be read any further, with an answer where one is possible."""
        self._hub.refuse(error, self.flow)
        self._hub.kick()
        self.end(str(error))

    def time_out(self) -> None:
        """End a connection whose peer owes us the rest of a message for too long."""
        self.break_off(self._framer.give_up())

    # --- asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the open connection."""
        self._transport = cast("asyncio.Transport", transport)
        try:
            if self._flow is None:
                self._flow = self._owner.flow_of(transport)
            gone = self.ended or self._flow is None
            if gone or not self._owner.opened(self, transport):
                self.ended = True
                self._transport.abort()
                return
            waiting, self._waiting = self._waiting, []
            for data in waiting:
                self.send(data)
        except Exception:
            logger.exception("connection failed")
            self._give_up()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the loop's signature
        """Return where the loop may write."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take in what has come."""
        if self.ended:
            return
        try:
            self._received(self._buffer[:nbytes])
        except Exception:
            logger.exception("connection failed")
            self._give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is no more."""
        self.end("closed by the peer" if exc is None else str(exc), abort=True)
        self._owner.closed(self)
        # Or the two, and all that TLS keeps for them, would wait for the garbage collector.
        self._transport = None

    # --- what comes

    def _received(self, data: memoryview) -> None:
        hub, flow, now = self._hub, self.flow, self._hub.now()
        spoken = pinged = False
        for message in self._framer.feed(data):
            if message != PING:
                spoken = True
            elif pinged:
                continue  # one pong for what came at once: a flood of pings costs nothing
            else:
                pinged = True
            hub.receive(message, flow, now)
        if spoken:
            self.active_at, self.owed_since = now, None
        if self._framer.pending and self.owed_since is None:
            self.owed_since = now
        hub.kick()
        if self._framer.error is not None:
            self.break_off(self._framer.error)

    def _give_up(self) -> None:
        if self._flow is not None:
            self.end("failed", abort=True)
        else:
            self.ended = True
            self.abort()
