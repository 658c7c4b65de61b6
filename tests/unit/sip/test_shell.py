"""The shell: one endpoint over several transports, on one port."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from sip.address import Flow, HostPort, Transport
from sip.endpoint import Endpoint
from sip.events import Event, InviteFailed
from sip.io import listen as listening
from sip.io.listen import Bind, ListenError, listen
from sip.io.shell import Shell
from tests.support.shell_phone import LOOPBACK, shell_phone
from tests.support.sip_pair import authorize_all
from tests.support.sip_raw import request

BOTH: tuple[Transport, ...] = ("UDP", "TCP")


def close(sockets: dict[Transport, socket.socket]) -> None:
    for sock in sockets.values():
        sock.close()


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_transports_listen_on_one_free_port(host: str) -> None:
    sockets = listen(HostPort(host, 0), BOTH)
    assert [sock.type for sock in sockets.values()] == [socket.SOCK_DGRAM, socket.SOCK_STREAM]
    assert len({port_of(sock) for sock in sockets.values()}) == 1
    close(sockets)


@pytest.mark.parametrize("transport", BOTH)
def test_a_taken_port_is_an_error_that_names_the_transport(transport: Transport) -> None:
    taken = listen(LOOPBACK, (transport,))
    with pytest.raises(ListenError, match="in use") as caught:
        listen(HostPort("127.0.0.1", port_of(taken[transport])), BOTH)
    assert caught.value.transport == transport
    close(taken)


def test_port_0_tries_another_where_only_one_transport_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = listen(LOOPBACK, ("TCP",))
    bind: Callable[[str, int, Transport], socket.socket] = listening._bind
    ports = [port_of(taken["TCP"])]

    def unlucky(host: str, port: int, transport: Transport) -> socket.socket:
        if transport == "UDP" and ports:
            port = ports.pop()
        return bind(host, port, transport)

    monkeypatch.setattr(listening, "_bind", unlucky)
    sockets = listen(LOOPBACK, BOTH)
    assert not ports
    assert len({port_of(sock) for sock in sockets.values()}) == 1
    close(sockets)
    close(taken)


def test_a_machine_without_a_free_port_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = listen(LOOPBACK, ("TCP",))
    tried = []
    bind = listening._bind

    def always(host: str, _port: int, transport: Transport) -> socket.socket:
        tried.append(transport)
        return bind(host, port_of(taken["TCP"]), transport)

    monkeypatch.setattr(listening, "_bind", always)
    with pytest.raises(ListenError):
        listen(LOOPBACK, BOTH)
    assert len(tried) == 2 * listening.ATTEMPTS
    close(taken)


async def test_an_event_handler_that_breaks_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = []

    def on_event(event: Event) -> None:
        told.append(event)
        raise RuntimeError("broken")

    endpoint = Endpoint(contact=LOOPBACK, authorize=authorize_all)
    async with Shell(endpoint, [Bind(LOOPBACK, ("UDP",))], on_event) as shell:
        flow = Flow("UDP", shell.local, HostPort("127.0.0.1", 9))
        for number in (1, 2):
            endpoint.receive(request("OPTIONS", cseq=number), flow, 0.0)
        shell.kick()
    assert len(told) == 2
    assert "event failed" in caplog.text


async def test_a_flow_of_a_transport_that_is_off_fails_at_once() -> None:
    async with shell_phone(transports=("UDP",)) as phone:
        phone.call(HostPort("127.0.0.1", 9), "TCP")
        failed = await phone.told()
        assert isinstance(failed, InviteFailed)
        assert failed.code == 503


async def test_a_transport_that_breaks_fails_the_request_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        counters: dict[str, int] = {}  # noqa: RUF012 - a double

        def send(self, _data: bytes, _flow: Flow) -> None:
            raise RuntimeError("broken")

    async with shell_phone(transports=("UDP",)) as phone:
        phone.shell._senders["TCP", phone.local] = Broken()  # type: ignore[assignment]  # a double
        phone.call(HostPort("127.0.0.1", 9), "TCP")
        assert isinstance(await phone.told(), InviteFailed)
        assert "sending failed" in caplog.text
        del phone.shell._senders["TCP", phone.local]


async def test_a_taken_address_leaves_nothing_open() -> None:
    async with shell_phone() as phone:
        second = Shell(phone.endpoint, [Bind(phone.local)], phone.on_event)
        with pytest.raises(ListenError, match="in use"):
            await second.__aenter__()


async def test_a_later_deadline_waits_for_the_timer_that_runs() -> None:
    async with shell_phone(transports=("UDP",)) as phone:
        heap, met = phone.endpoint._core.heap, asyncio.Event()
        first = heap.start(phone.now + 0.01, lambda _now: None)
        phone.shell.kick()
        running = phone.shell._timer
        assert running is not None
        first.cancel()
        heap.start(phone.now + 0.05, lambda _now: met.set())
        phone.shell.kick()
        assert phone.shell._timer is running
        async with asyncio.timeout(5):
            await met.wait()


async def test_what_is_due_is_done_with_what_was_received() -> None:
    async with shell_phone(transports=("UDP",)) as phone:
        met = list[float]()
        phone.endpoint._core.heap.start(phone.now, met.append)
        phone.shell.kick()
        assert len(met) == 1
        assert phone.shell._timer is None
