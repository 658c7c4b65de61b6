"""TCP in its shell, on loopback: connections by flow, their calls and their ends."""

import asyncio
import contextlib
import socket

import pytest

from sip.address import Flow, HostPort
from sip.events import (
    AckReceived,
    InDialogReceived,
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    RequestCompleted,
    RequestOffered,
    UsageEnded,
)
from sip.io import tcp
from sip.io.connection import Connection
from sip.io.tcp import TcpLimits, neighbourhood
from sip.message import Request
from tests.support.raw_connection import VIA, options, peer, tcp_of
from tests.support.shell_phone import shell_phone
from tests.support.sip_raw import answer_to, request

SOON = 0.05


# --- calls


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_call_opens_one_connection_and_keeps_to_it(host: str) -> None:
    bind = HostPort(host, 0)
    async with shell_phone(bind) as alice, shell_phone(bind) as bob:
        usage = alice.call(bob.local, "TCP")
        offered = await bob.told()
        assert isinstance(offered, InviteOffered)
        assert offered.flow.transport == "TCP"
        assert offered.request.headers["Via"].startswith("SIP/2.0/TCP ")
        assert ";transport=tcp" in offered.request.headers["Contact"]
        assert isinstance(await alice.told(), InviteAnswered)
        assert isinstance(await bob.told(), AckReceived)
        bob.bye(offered.usage)
        ended = await alice.told()
        assert isinstance(ended, UsageEnded)
        assert ended.usage == usage
        done = await bob.told()
        assert isinstance(done, RequestCompleted)
        assert done.code == 200
        assert len(tcp_of(alice)) == len(tcp_of(bob)) == 1
        assert alice.endpoint.counters["retransmissions_sent"] == 0


async def test_udp_and_tcp_reach_the_same_endpoint() -> None:
    async with shell_phone() as alice, shell_phone() as bob:
        alice.call(bob.local, "UDP")
        alice.call(bob.local, "TCP")
        kinds = set[str]()
        while len(kinds) < 2:
            event = await bob.told()
            if isinstance(event, InviteOffered):
                kinds.add(event.flow.transport)
        assert kinds == {"UDP", "TCP"}


async def test_a_registered_peer_is_called_over_its_own_connection() -> None:
    async with shell_phone() as phone, peer(phone) as raw:
        raw.send(options())
        assert await raw.code() == 200
        offered = await phone.told()
        assert isinstance(offered, RequestOffered)
        phone.call_over(offered.flow)
        invite = await raw.message()
        assert isinstance(invite, Request)
        assert invite.method == "INVITE"
        raw.send(answer_to(invite, 486))
        failed = await phone.told()
        assert isinstance(failed, InviteFailed)
        assert failed.code == 486
        assert len(tcp_of(phone)) == 1


async def test_nobody_listens_there() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        async with shell_phone() as phone:
            phone.call(HostPort("127.0.0.1", unheard.getsockname()[1]), "TCP")
            failed = await phone.told()
            assert isinstance(failed, InviteFailed)
            assert failed.code == 503
            assert phone.shell.counters["tcp_dial_failed"] == 1
            assert not tcp_of(phone)._by_flow


async def test_a_peer_that_takes_no_connection_costs_only_the_time_of_the_attempt() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.socket() as first:
            first.connect(full.getsockname())  # the queue is full: SYNs are dropped now
            async with shell_phone(limits=TcpLimits(connect_s=SOON)) as phone:
                phone.call(HostPort(*full.getsockname()), "TCP")
                failed = await phone.told()
                assert isinstance(failed, InviteFailed)
                assert failed.code == 503


async def test_connecting_that_breaks_fails_the_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    async with shell_phone() as phone:
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", broken)
        phone.call(HostPort("127.0.0.1", 9), "TCP")
        assert isinstance(await phone.told(), InviteFailed)
        assert "connecting failed" in caplog.text


async def test_closing_while_a_connection_is_being_opened() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.socket() as first:
            first.connect(full.getsockname())
            async with shell_phone() as phone:
                phone.call(HostPort(*full.getsockname()), "TCP")
                tasks = set(tcp_of(phone)._tasks)
                assert len(tasks) == 1
            assert all(task.done() for task in tasks)


async def test_too_much_for_a_connection_that_is_not_open_yet() -> None:
    async with shell_phone() as bob, shell_phone(limits=TcpLimits(max_queue=100)) as alice:
        alice.call(bob.local, "TCP")
        failed = await alice.told()
        assert isinstance(failed, InviteFailed)
        assert failed.code == 503


# --- bulkheads and ends


async def test_a_peer_that_leaves_while_its_call_rings() -> None:
    async with shell_phone() as phone:
        async with peer(phone) as raw:
            raw.send(options())
            assert await raw.code() == 200
            offered = await phone.told()
            assert isinstance(offered, RequestOffered)
            phone.call_over(offered.flow)
            invite = await raw.message()
            assert isinstance(invite, Request)
            raw.send(answer_to(invite, 180))
            await phone.told()
        failed = await phone.told()
        assert isinstance(failed, InviteFailed)
        assert failed.code == 408
        phone.call_over(offered.flow)
        again = await phone.told()
        assert isinstance(again, InviteFailed)
        assert again.code == 503


async def test_an_answer_for_a_connection_that_is_gone_opens_none() -> None:
    async with shell_phone() as phone:
        phone.answers = False
        async with peer(phone) as raw:
            raw.send(request("INVITE", via=VIA.format(1), body="v=0\r\n"))
            assert await raw.code() == 100
            offered = await phone.told()
        assert isinstance(offered, InviteOffered)
        await phone.lost_flow()
        phone.endpoint.calls.reject(offered.usage, 486, phone.now)
        phone.shell.kick()
        assert not tcp_of(phone)._tasks
        assert phone.endpoint.counters["transport_errors"] == 1


async def test_a_call_moves_to_the_new_connection_of_its_peer() -> None:
    async with shell_phone() as phone:
        async with peer(phone) as old:
            old.send(request("INVITE", via=VIA.format(1), body="v=0\r\n"))
            assert [await old.code(), await old.code()] == [100, 200]
            offered = await phone.told()
            assert isinstance(offered, InviteOffered)
            tag = phone.endpoint.calls.dialog(offered.usage).local_tag
            old.send(request("ACK", via=VIA.format(2), to_tag=tag))
            assert isinstance(await phone.told(), AckReceived)
        await phone.lost_flow()
        async with peer(phone) as new:
            new.send(request("INFO", via=VIA.format(3), cseq=2, to_tag=tag))
            info = await phone.told()
            assert isinstance(info, InDialogReceived)
            phone.endpoint.respond(info.transaction, 200, phone.now)
            phone.bye(offered.usage)
            assert await new.code() == 200
            bye = await new.message()
            assert isinstance(bye, Request)
            assert bye.method == "BYE"


async def test_what_breaks_one_connection_ends_only_that_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with shell_phone() as phone, peer(phone) as fated, peer(phone) as other:
        for each in (fated, other):
            each.send(options())
            assert await each.code() == 200
        received = Connection._received

        def broken(self: Connection, data: memoryview) -> None:
            if self.flow.remote == fated.address:
                raise RuntimeError("broken")
            received(self, data)

        monkeypatch.setattr(Connection, "_received", broken)
        fated.send(options(2))
        assert await fated.rest() == b""
        assert "connection failed" in caplog.text
        other.send(options(2))
        assert await other.code() == 200


async def test_a_listener_of_lost_connections_that_breaks_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(flow: Flow) -> None:
        phone.lost.put_nowait(flow)
        raise RuntimeError("broken")

    async with shell_phone() as phone:
        phone.shell.on_connection_lost = broken
        async with peer(phone) as raw:
            raw.send(options())
            assert await raw.code() == 200
        await phone.lost_flow()
        assert "lost connection not noted" in caplog.text


async def test_closing_the_shell_closes_its_connections() -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with shell_phone() as phone:
            raw = await stack.enter_async_context(peer(phone))
            raw.send(options())
            assert await raw.code() == 200
        assert await raw.rest() == b""
        assert len(tcp_of(phone)) == 0


async def test_a_peer_that_does_not_take_its_last_words_does_not_hold_up_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tcp, "CLOSE_PATIENCE_S", SOON)
    async with contextlib.AsyncExitStack() as stack:
        async with shell_phone(limits=TcpLimits(max_queue=1 << 30)) as phone:
            deaf = await stack.enter_async_context(peer(phone, window=4096))
            deaf.send(options())
            assert await deaf.code() == 200
            deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]  # to be deaf
            (connection,) = tcp_of(phone)._open
            connection.send(b"x" * (64 << 20))
        assert len(tcp_of(phone)) == 0


async def test_a_peer_whose_address_is_gone_has_no_flow() -> None:
    class Gone(asyncio.BaseTransport):
        def get_extra_info(self, name: str, default: object = None) -> object:  # noqa: ARG002
            return None

    async with shell_phone() as phone:
        assert tcp_of(phone).flow_of(Gone()) is None


async def test_a_connection_from_where_we_just_called_takes_the_place_of_ours() -> None:
    async with shell_phone() as alice, shell_phone() as bob:
        alice.call(bob.local, "TCP")
        assert isinstance(await alice.told(), InviteAnswered)
        (connection,) = tcp_of(alice)._open
        newer = Connection(tcp_of(alice), alice.shell, connection.flow)
        tcp_of(alice)._by_flow[connection.flow] = newer
        connection.end("test")
        async with asyncio.timeout(5):
            while tcp_of(alice)._open:  # noqa: ASYNC110 - it may tell nobody
                await asyncio.sleep(0)
        assert alice.lost.empty(), "the flow is still reached"


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_one_customer_is_one_source(host: str, source: str) -> None:
    assert neighbourhood(host) == source
