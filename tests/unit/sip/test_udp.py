"""UDP in its shell, on loopback."""

import asyncio
import socket

import pytest

from sip.address import HostPort
from sip.events import (
    AckReceived,
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    RequestCompleted,
    RequestOffered,
    UsageEnded,
)
from sip.io import udp
from sip.io.udp import UdpTransport
from sip.timers import Timers
from tests.support.shell_phone import ShellPhone, shell_phone
from tests.support.sip_raw import request


def udp_of(phone: ShellPhone) -> UdpTransport:
    transport = phone.shell._senders["UDP", phone.local]
    assert isinstance(transport, UdpTransport)
    return transport


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_call_over_loopback(host: str) -> None:
    bind = HostPort(host, 0)
    async with shell_phone(bind) as alice, shell_phone(bind) as bob:
        usage = alice.call(bob.local)
        assert isinstance(await bob.told(), InviteOffered)
        assert isinstance(await alice.told(), InviteAnswered)
        assert isinstance(await bob.told(), AckReceived)
        alice.bye(usage)
        assert isinstance(await bob.told(), UsageEnded)
        done = await alice.told()
        assert isinstance(done, RequestCompleted)
        assert done.code == 200


async def test_timers_fire_by_themselves() -> None:
    async with shell_phone(timers=Timers(t1=0.001)) as phone:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
            deaf.bind(("127.0.0.1", 0))
            phone.call(HostPort("127.0.0.1", deaf.getsockname()[1]))
            failed = await phone.told()
        assert isinstance(failed, InviteFailed)
        assert failed.code == 408
        assert phone.endpoint.counters["retransmissions_sent"] >= 1


async def test_a_destination_that_the_kernel_refuses() -> None:
    async with shell_phone() as phone:
        phone.call(HostPort("255.255.255.255", 9))
        failed = await phone.told()
        assert isinstance(failed, InviteFailed)
        assert failed.code == 503


async def test_flows_are_kept_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "MAX_FLOWS", 2)
    async with shell_phone() as phone:
        transport = udp_of(phone)
        first = transport._flow(("127.0.0.1", 1))
        assert transport._flow(("127.0.0.1", 1)) is first
        transport._flow(("127.0.0.1", 2))
        transport._flow(("127.0.0.1", 3))
        assert transport._flow(("127.0.0.1", 1)) is not first


async def test_a_full_socket_drops_and_an_icmp_error_is_passed_over() -> None:
    class Socket:
        """Says what a real socket says seldom."""

        def __init__(self) -> None:
            self.answers: list[OSError] = [ConnectionRefusedError(), BlockingIOError()]

        def sendto(self, _data: bytes, _address: tuple[str, int]) -> int:
            raise BlockingIOError

        def recvfrom(self, _size: int) -> tuple[bytes, tuple[str, int]]:
            raise self.answers.pop(0)

    async with shell_phone() as phone:
        transport = udp_of(phone)
        real = transport._socket
        transport._socket = Socket()  # type: ignore[assignment]  # a double
        transport._readable()
        phone.call(HostPort("127.0.0.1", 9))
        assert phone.shell.counters["udp_dropped"] == 1
        transport._socket = real


async def test_a_batch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "BATCH", 2)
    async with shell_phone() as phone:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            for number in range(5):
                peer.sendto(request("OPTIONS", cseq=number), (phone.local.host, phone.local.port))
        for _ in range(5):
            assert isinstance(await phone.told(), RequestOffered)


async def tell(phone: ShellPhone, *numbers: int) -> None:
    """Send requests of these numbers and give the loop a few turns."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for number in numbers:
            peer.sendto(request("OPTIONS", cseq=number), (phone.local.host, phone.local.port))
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_busy_socket_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "PAUSE_S", 3600.0)
    monkeypatch.setattr(udp, "BUSY", 2)
    async with shell_phone() as phone:
        transport = udp_of(phone)
        for number in (1, 2, 3):
            await tell(phone, number)
            assert isinstance(await phone.told(), RequestOffered)
        for pair in ((4, 5), (6, 7)):
            await tell(phone, *pair)
            assert phone.events.empty()
            transport._look()
            for _ in range(2):
                assert isinstance(await phone.told(), RequestOffered)
        await tell(phone, 8)
        assert phone.events.empty()
        transport._look()
        assert isinstance(await phone.told(), RequestOffered)
        await tell(phone, 9)  # one was not worth while: the loop watches again
        assert isinstance(await phone.told(), RequestOffered)


async def test_a_socket_is_not_busy_that_rests_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(udp, "PAUSE_S", 0.0)
    monkeypatch.setattr(udp, "BUSY", 1)
    async with shell_phone() as phone:
        for number in range(5):
            await tell(phone, number)
            assert isinstance(await phone.told(), RequestOffered)
        assert udp_of(phone)._pause is None


async def test_a_full_batch_is_followed_by_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "PAUSE_S", 3600.0)
    monkeypatch.setattr(udp, "BUSY", 1)
    async with shell_phone() as phone:
        for number in (1, 2):
            await tell(phone, number)
            assert isinstance(await phone.told(), RequestOffered)
        monkeypatch.setattr(udp, "BATCH", 2)
        await tell(phone, 3, 4, 5)
        udp_of(phone)._look()
        for _ in range(3):
            assert isinstance(await phone.told(), RequestOffered)
