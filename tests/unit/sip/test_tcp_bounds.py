"""How long a connection may be silent or slow, and how many there may be."""

import asyncio
import contextlib

import pytest

from sip.address import Flow
from sip.events import InviteAnswered, RequestCompleted
from sip.io.connection import Connection
from sip.io.tcp import TcpLimits
from sip.timers import Timers
from tests.support.raw_connection import OFTEN, VIA, options, peer, tcp_of
from tests.support.shell_phone import shell_phone
from tests.support.sip_raw import request

# --- what takes too long


async def test_half_a_message_is_refused_in_time() -> None:
    async with shell_phone(limits=OFTEN) as phone, peer(phone) as raw:
        raw.send(options(1) + options(2).replace(b"Length: 0", b"Length: 9999") + b"v=0")
        assert await raw.code() == 200
        phone.ahead += OFTEN.message_s
        assert await raw.code() == 400
        assert await raw.rest() == b""


async def test_a_drip_does_not_buy_time() -> None:
    async with shell_phone(limits=OFTEN) as phone, peer(phone) as raw:
        raw.send(options(1) + options(2)[:10])
        assert await raw.code() == 200
        (connection,) = tcp_of(phone)._open
        owed_since = connection.owed_since
        phone.ahead += OFTEN.message_s / 2
        raw.send(options(2)[10:20])
        await processed(connection, 20)
        assert connection.owed_since == owed_since is not None
        phone.ahead += OFTEN.message_s / 2
        assert await raw.rest() == b""


async def processed(connection: Connection, octets: int) -> None:
    async with asyncio.timeout(5):
        while len(connection._framer._buffer) < octets:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)


async def test_a_connection_that_says_nothing_makes_room() -> None:
    async with shell_phone(limits=OFTEN) as phone, peer(phone) as raw:
        raw.send(b"\r\n\r\n")
        assert await raw.reader.readexactly(2) == b"\r\n"
        phone.ahead += OFTEN.message_s
        assert await raw.rest() == b""


async def test_an_idle_connection_is_closed_unless_its_flow_is_needed() -> None:
    async with shell_phone(limits=OFTEN) as phone, peer(phone) as kept, peer(phone) as idle:
        flow = Flow("TCP", phone.local, kept.address)
        phone.shell.registered_flows = lambda: {flow}
        for each in (kept, idle):
            each.send(options())
            assert await each.code() == 200
        phone.ahead += OFTEN.idle_s
        assert (await phone.lost_flow()).remote == idle.address
        assert await idle.rest() == b""
        kept.send(options(2))
        assert await kept.code() == 200
        phone.shell.registered_flows = set
        phone.ahead += OFTEN.idle_s
        assert (await phone.lost_flow()).remote == kept.address


async def test_pings_do_not_keep_a_connection() -> None:
    async with shell_phone(limits=OFTEN) as phone, peer(phone) as raw:
        raw.send(options())
        assert await raw.code() == 200
        phone.ahead += OFTEN.idle_s / 2
        raw.send(b"\r\n\r\n")
        assert await raw.reader.readexactly(2) == b"\r\n"
        phone.ahead += OFTEN.idle_s / 2
        assert await raw.rest() == b""


async def test_a_call_keeps_its_connection() -> None:
    quick = Timers(t1=0.005)
    async with shell_phone(limits=OFTEN, timers=quick) as alice, shell_phone() as bob:
        usage = alice.call(bob.local, "TCP")
        assert isinstance(await alice.told(), InviteAnswered)
        (connection,) = tcp_of(alice)._open
        before = connection.active_at
        alice.ahead += OFTEN.idle_s
        async with asyncio.timeout(5):
            while connection.active_at == before:  # noqa: ASYNC110 - the sweep tells nobody
                await asyncio.sleep(0.01)
        assert not connection.ended
        alice.bye(usage)
        assert isinstance(await alice.told(), RequestCompleted)
        async with asyncio.timeout(5):
            while alice.endpoint.flows():  # noqa: ASYNC110 - old transactions end silently
                await asyncio.sleep(0.01)
        alice.ahead += OFTEN.idle_s
        assert (await alice.lost_flow()).remote == bob.local


async def test_a_sweep_that_breaks_is_logged_and_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> set[Flow]:
        raise RuntimeError("broken")

    async with shell_phone(limits=OFTEN) as phone, peer(phone) as raw:
        phone.shell.registered_flows = broken
        raw.send(options())
        assert await raw.code() == 200
        phone.ahead += OFTEN.idle_s
        async with asyncio.timeout(5):
            while "sweep failed" not in caplog.text:  # noqa: ASYNC110 - a log tells nobody
                await asyncio.sleep(0.01)
        phone.shell.registered_flows = set
        assert await raw.rest() == b""


# --- bounds


async def test_a_flood_of_connections_leaves_those_that_stand() -> None:
    limits = TcpLimits(max_per_source=3)
    async with shell_phone(limits=limits) as phone, contextlib.AsyncExitStack() as stack:
        first = [await stack.enter_async_context(peer(phone)) for _ in range(3)]
        for raw in first:
            raw.send(options())
            assert await raw.code() == 200
        more = [await stack.enter_async_context(peer(phone)) for _ in range(20)]
        for raw in more:
            assert await raw.rest() == b""
        for raw in first:
            raw.send(options(2))
            assert await raw.code() == 200
        assert phone.shell.counters["tcp_refused"] == 20
        assert phone.shell.counters["tcp_accepted"] == 3
        first[0].writer.close()
        await phone.lost_flow()
        again = await stack.enter_async_context(peer(phone))
        again.send(options(3))
        assert await again.code() == 200


async def test_all_connections_together_are_bounded() -> None:
    limits = TcpLimits(max_connections=1)
    async with shell_phone(limits=limits) as phone, peer(phone) as first:
        first.send(options())
        assert await first.code() == 200
        async with peer(phone) as second:
            assert await second.rest() == b""


async def test_a_peer_that_never_reads_is_cut_off() -> None:
    limits = TcpLimits(max_queue=10_000)
    async with (
        shell_phone(limits=limits) as phone,
        peer(phone, window=4096) as deaf,
        peer(phone) as other,
    ):
        deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]  # to be deaf
        # Long Vias, which the answers repeat: the kernels' buffers are full sooner.
        headers = (f"Via: SIP/2.0/TCP x;branch={'x' * 8_000}",) * 5
        number = 0
        with contextlib.suppress(ConnectionError):
            while phone.lost.empty():
                number += 1
                via = VIA.format(number)
                deaf.send(request("OPTIONS", cseq=number, via=via, headers=headers))
                await deaf.writer.drain()
                await asyncio.sleep(0)
        assert (await phone.lost_flow()).remote == deaf.address
        other.send(options())
        assert await other.code() == 200
