"""One connection against a loop that the test plays: what loopback shows too seldom."""

import asyncio

import pytest

from sip.address import Flow
from sip.errors import StreamError
from sip.io.connection import Connection
from tests.support.sip_raw import PHONE, SERVER, request

FLOW = Flow("TCP", SERVER, PHONE)


class Hub:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def now(self) -> float:
        return 0.0

    def kick(self) -> None:
        pass

    def receive(self, data: bytes, _flow: Flow, _now: float) -> None:
        self.received.append(data)

    def refuse(self, error: StreamError, flow: Flow) -> None:
        raise AssertionError(error, flow)

    def failed(self, flow: Flow) -> None:
        raise AssertionError(flow)

    def connection_lost(self, flow: Flow) -> None:
        raise AssertionError(flow)

    def flows_in_use(self) -> set[Flow]:
        return set()


class Owner:
    """The transport: knows the flow, or does not, and may break."""

    max_queue = 1_000

    def __init__(self, flow: Flow | None = FLOW, *, broken: bool = False) -> None:
        self.flow = flow
        self.broken = broken
        self.events: list[str] = []

    def flow_of(self, _transport: asyncio.BaseTransport) -> Flow | None:
        if self.broken:
            raise RuntimeError("broken")
        return self.flow

    def opened(self, _connection: Connection, _transport: asyncio.BaseTransport) -> bool:
        self.events.append("opened")
        return True

    def closing(self, _connection: Connection) -> None:
        self.events.append("closing")

    def closed(self, _connection: Connection) -> None:
        self.events.append("closed")


class Line(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def abort(self) -> None:
        self.aborted += 1


def test_what_waits_is_sent_when_the_connection_opens() -> None:
    owner, line = Owner(), Line()
    connection = Connection(owner, Hub(), FLOW)
    connection.send(b"one")
    connection.send(b"two")
    connection.connection_made(line)
    assert line.written == b"onetwo"
    assert owner.events == ["opened"]


def test_a_connection_that_is_gone_when_we_look() -> None:
    owner, line = Owner(None), Line()
    connection = Connection(owner, Hub())
    connection.connection_made(line)
    assert line.aborted == 1
    connection.connection_lost(None)
    assert owner.events == ["closed"]


def test_taking_it_in_may_break_before_its_flow_is_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner, line = Owner(broken=True), Line()
    connection = Connection(owner, Hub())
    connection.connection_made(line)
    assert line.aborted == 1
    assert connection.ended
    assert "connection failed" in caplog.text


def test_taking_it_in_may_break_after_its_flow_is_known(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise RuntimeError("broken")

    owner, line = Owner(), Line()
    monkeypatch.setattr(owner, "opened", broken)
    connection = Connection(owner, Hub())
    connection.connection_made(line)
    assert line.aborted == 1
    assert owner.events == ["closing"]
    assert "connection failed" in caplog.text


def test_after_its_end_nothing_goes_in_or_out() -> None:
    owner, line, hub = Owner(), Line(), Hub()
    connection = Connection(owner, hub)
    connection.connection_made(line)
    connection.end("test", abort=True)
    connection.send(b"late")
    data = request("OPTIONS")
    connection.get_buffer(-1)[: len(data)] = data
    connection.buffer_updated(len(data))
    assert (line.written, hub.received) == (b"", [])
    connection.end("again")
    connection.abort()
    assert owner.events == ["opened", "closing"]
    assert line.aborted == 2


def test_a_connection_that_never_opened_has_nothing_to_abort() -> None:
    connection = Connection(Owner(), Hub(), FLOW)
    connection.abort()
    connection.end("test", abort=True)
    assert connection.ended


def test_a_transport_that_is_closed_before_its_connection_opens() -> None:
    owner, line = Owner(), Line()
    connection = Connection(owner, Hub(), FLOW)
    connection.end("too much")
    connection.connection_made(line)
    assert line.aborted == 1
    assert owner.events == ["closing"]
