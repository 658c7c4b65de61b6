"""The UDP shell on loopback."""

import asyncio
import socket

import pytest

from sip.address import Flow, HostPort
from sip.endpoint import Authorized, Endpoint, Refused
from sip.events import (
    AckReceived,
    Event,
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    RequestCompleted,
    RequestOffered,
    UsageEnded,
)
from sip.io import udp
from sip.io.udp import UdpTransport
from sip.message import URI, Address, Request
from sip.timers import Timers
from tests.support.sip_raw import request

LOOPBACK = HostPort("127.0.0.1", 0)


class Phone:
    """An endpoint on a socket that answers what comes."""

    def __init__(self, bind: HostPort = LOOPBACK, timers: Timers | None = None) -> None:
        self.endpoint = Endpoint(contact=bind, authorize=self.authorize, timers=timers)
        self.transport = UdpTransport(self.endpoint, bind, self.on_event)
        self.events: asyncio.Queue[Event] = asyncio.Queue()

    def authorize(self, _request: Request, _flow: Flow, _now: float) -> Authorized | Refused:
        return Authorized()

    def on_event(self, event: Event) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(event, InviteOffered):
            self.endpoint.answer(event.usage, b"v=0\r\n", now)
            self.transport.kick()  # inside of the drain: nothing to do, no harm
        if isinstance(event, RequestOffered):
            self.endpoint.respond(event.transaction, 200, now)
        self.events.put_nowait(event)

    async def open(self) -> "Phone":
        await self.transport.__aenter__()
        self.endpoint.contact = self.transport.local
        return self

    async def close(self) -> None:
        await self.transport.__aexit__(None, None, None)

    async def told(self) -> Event:
        async with asyncio.timeout(5):
            return await self.events.get()

    def call(self, remote: HostPort) -> int:
        usage = self.endpoint.invite(
            target=URI.parse(f"sip:b@{remote}"),
            flow=Flow("UDP", self.transport.local, remote),
            from_=Address.parse("<sip:a@x>"),
            to=Address.parse("<sip:b@x>"),
            body=b"v=0\r\n",
            now=asyncio.get_running_loop().time(),
        )
        self.transport.kick()
        return usage


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_call_over_loopback(host: str) -> None:
    alice = await Phone(HostPort(host, 0)).open()
    bob = await Phone(HostPort(host, 0)).open()
    try:
        usage = alice.call(bob.transport.local)
        assert isinstance(await bob.told(), InviteOffered)
        assert isinstance(await alice.told(), InviteAnswered)
        assert isinstance(await bob.told(), AckReceived)
        alice.endpoint.bye(usage, asyncio.get_running_loop().time())
        alice.transport.kick()
        assert isinstance(await bob.told(), UsageEnded)
        done = await alice.told()
        assert isinstance(done, RequestCompleted)
        assert done.code == 200
    finally:
        await alice.close()
        await bob.close()


async def test_timers_fire_by_themselves() -> None:
    phone = await Phone(timers=Timers(t1=0.001)).open()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        phone.call(HostPort("127.0.0.1", deaf.getsockname()[1]))
        failed = await phone.told()
    assert isinstance(failed, InviteFailed)
    assert failed.code == 408
    assert phone.endpoint.counters["retransmissions_sent"] >= 1
    await phone.close()


async def test_a_destination_that_the_kernel_refuses() -> None:
    phone = await Phone().open()
    phone.call(HostPort("255.255.255.255", 9))
    failed = await phone.told()
    assert isinstance(failed, InviteFailed)
    assert failed.code == 503
    await phone.close()


async def test_an_event_handler_that_breaks_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = []

    def on_event(event: Event) -> None:
        told.append(event)
        raise RuntimeError("broken")

    phone = await Phone().open()
    await phone.close()
    transport = UdpTransport(phone.endpoint, LOOPBACK, on_event)
    async with transport:
        flow = Flow("UDP", transport.local, HostPort("127.0.0.1", 9))
        for number in (1, 2):
            phone.endpoint.receive(request("OPTIONS", cseq=number), flow, 0.0)
        transport.kick()
    assert len(told) == 2
    assert "event failed" in caplog.text


async def test_flows_are_kept_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "MAX_FLOWS", 2)
    phone = await Phone().open()
    transport = phone.transport
    first = transport._flow(("127.0.0.1", 1))
    assert transport._flow(("127.0.0.1", 1)) is first
    transport._flow(("127.0.0.1", 2))
    transport._flow(("127.0.0.1", 3))
    assert transport._flow(("127.0.0.1", 1)) is not first
    await phone.close()


async def test_a_full_socket_drops_and_an_icmp_error_is_passed_over() -> None:
    class Socket:
        """Says what a real socket says seldom."""

        def __init__(self) -> None:
            self.answers: list[OSError] = [ConnectionRefusedError(), BlockingIOError()]

        def sendto(self, _data: bytes, _address: tuple[str, int]) -> int:
            raise BlockingIOError

        def recvfrom(self, _size: int) -> tuple[bytes, tuple[str, int]]:
            raise self.answers.pop(0)

    phone = await Phone().open()
    real = phone.transport._socket
    phone.transport._socket = Socket()  # type: ignore[assignment]  # a double
    phone.transport._readable()
    phone.call(HostPort("127.0.0.1", 9))
    assert phone.transport.dropped == 1
    phone.transport._socket = real
    await phone.close()


async def test_an_address_in_use_is_the_callers_to_handle() -> None:
    phone = await Phone().open()
    taken = UdpTransport(phone.endpoint, phone.transport.local, phone.on_event)
    with pytest.raises(OSError, match="in use"):
        await taken.__aenter__()
    await phone.close()


async def test_a_batch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "BATCH", 2)
    phone = await Phone().open()
    address = (phone.transport.local.host, phone.transport.local.port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for number in range(5):
            peer.sendto(request("OPTIONS", cseq=number), address)
    for _ in range(5):
        assert isinstance(await phone.told(), RequestOffered)
    await phone.close()
