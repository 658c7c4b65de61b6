"""Names that are kept fresh, on a clock that jumps, and dnspython against a server."""

import asyncio
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from sip.address import HostPort
from sip.errors import LocalProtocolError
from sip.io.dns import Dns
from sip.io.resolver import AVOID_S, MAX_WATCHED, RETRY_S, STALE_S, Resolver
from sip.locating import Answer, Destination, LookupFailedError, Naptr, RecordType, Srv, Target
from tests.unit.b2bua.calls.virtual_time import virtual

PBX = Target(host="pbx.example.com", port=5060)
TTL_S = 30.0


class Names:
    """Every name has the addresses that the test says; None: no server answers."""

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] | None = ("192.0.2.1",)
        self.asked = 0

    async def ask(self, _name: str, _kind: RecordType) -> Answer:
        self.asked += 1
        await asyncio.sleep(0.01)
        if self.addresses is None:
            raise LookupFailedError("no server answers")
        return Answer(self.addresses, TTL_S)


def resolver_of(names: Names) -> Resolver:
    loop = asyncio.get_running_loop()
    return Resolver(names.ask, clock=loop.time, chance=lambda: 0.0)


@virtual
async def test_a_watched_name_is_known_and_looked_up_again_when_its_time_is_over() -> None:
    names = Names()
    resolver = resolver_of(names)
    resolver.watch(PBX)
    async with resolver.open():
        assert resolver.destinations(PBX) == ()
        await asyncio.sleep(1)
        assert [str(each.address) for each in resolver.destinations(PBX)] == ["192.0.2.1:5060"]
        assert resolver.hosts(PBX) == {"192.0.2.1"}
        names.addresses = ("192.0.2.2", "192.0.2.3")
        await asyncio.sleep(TTL_S - 2)
        assert names.asked == 1
        await asyncio.sleep(2)
        assert resolver.hosts(PBX) == {"192.0.2.2", "192.0.2.3"}
        assert names.asked == 2


@virtual
async def test_while_no_server_answers_the_last_places_stay_for_a_day() -> None:
    names = Names()
    resolver = resolver_of(names)
    resolver.watch(PBX)
    async with resolver.open():
        await asyncio.sleep(1)
        names.addresses = None
        await asyncio.sleep(STALE_S)
        assert resolver.hosts(PBX) == {"192.0.2.1"}
        await asyncio.sleep(TTL_S + RETRY_S)
        assert resolver.destinations(PBX) == ()
        names.addresses = ("192.0.2.9",)
        await asyncio.sleep(RETRY_S + 1)
        assert resolver.hosts(PBX) == {"192.0.2.9"}


@virtual
async def test_a_name_that_is_gone_is_gone_at_once() -> None:
    names = Names()
    resolver = resolver_of(names)
    resolver.watch(PBX)
    async with resolver.open():
        await asyncio.sleep(1)
        names.addresses = ()
        await asyncio.sleep(TTL_S)
        assert resolver.destinations(PBX) == ()


@virtual
async def test_a_place_that_failed_comes_last_for_a_while() -> None:
    names = Names()
    names.addresses = ("192.0.2.1", "192.0.2.2")
    resolver = resolver_of(names)
    resolver.watch(PBX)
    async with resolver.open():
        await asyncio.sleep(1)
        first, second = resolver.destinations(PBX)
        resolver.note_failure(first)
        assert resolver.destinations(PBX) == (second, first)
        await asyncio.sleep(AVOID_S)
        assert resolver.destinations(PBX) == (first, second)


@virtual
async def test_names_are_looked_up_beside_each_other_and_one_may_hang() -> None:
    async def ask(name: str, _kind: RecordType) -> Answer:
        if name == "slow.example.com":
            await asyncio.Event().wait()
        return Answer(("192.0.2.1",), TTL_S)

    slow = Target(host="slow.example.com", port=5060)
    resolver = Resolver(ask, clock=asyncio.get_running_loop().time)
    resolver.watch(slow)
    async with resolver.open():
        resolver.watch(PBX)
        await resolver.settle(1)
        assert resolver.hosts(PBX) == {"192.0.2.1"}
        assert resolver.hosts(slow) == frozenset()


@virtual
async def test_what_is_watched_is_bounded() -> None:
    resolver = resolver_of(Names())
    for number in range(MAX_WATCHED):
        resolver.watch(Target(host=f"n{number}.example.com"))
    resolver.watch(Target(host="n0.example.com"))
    with pytest.raises(LocalProtocolError):
        resolver.watch(PBX)


def test_what_nobody_watches_is_not_known() -> None:
    resolver = Resolver(Names().ask)
    assert resolver.destinations(PBX) == ()
    assert resolver.hosts(PBX) == frozenset()


# --- dnspython

RECORDS = {
    "example.com. NAPTR": '10 20 "s" "SIP+D2T" "" _sip._tcp.example.com.',
    "_sip._tcp.example.com. SRV": "10 60 5070 a.example.com.",
    "a.example.com. A": "192.0.2.1",
    "a.example.com. AAAA": "2001:db8::1",
    "alias.example.com. A": "192.0.2.4",
}


class NameServer(asyncio.DatagramProtocol):
    """Answers from `RECORDS`; `dead.example.com` gets SERVFAIL."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        kind = dns.rdatatype.to_text(question.rdtype)
        text = RECORDS.get(f"{question.name} {kind}")
        if str(question.name) == "dead.example.com.":
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif text is not None:
            reply.answer.append(dns.rrset.from_text(question.name, 77, "IN", kind, text))
        elif str(question.name).startswith("gone"):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(reply.to_wire(), addr)


async def test_dnspython_brings_every_type_of_record() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    try:
        names = Dns([HostPort(*transport.get_extra_info("sockname")[:2])])
        assert await names.ask("example.com", "NAPTR") == Answer(
            (Naptr(10, 20, "s", "SIP+D2T", "_sip._tcp.example.com"),), 77.0
        )
        srv = Srv(10, 60, 5070, "a.example.com")
        assert await names.ask("_sip._tcp.example.com", "SRV") == Answer((srv,), 77.0)
        assert (await names.ask("a.example.com", "A")).records == ("192.0.2.1",)
        assert (await names.ask("a.example.com", "AAAA")).records == ("2001:db8::1",)
        assert (await names.ask("gone.example.com", "A")).records == ()
        assert (await names.ask("a.example.com", "SRV")).records == ()
        with pytest.raises(LookupFailedError):
            await names.ask("dead.example.com", "A")
        with pytest.raises(LookupFailedError):
            await names.ask("a..example.com", "A")
        assert (await names.ask("a.example.com", "A")).records == ("192.0.2.1",), "still asked"
        resolver = Resolver(names.ask, transports=("UDP", "TCP"), families=(6, 4))
        target = Target(host="example.com")
        resolver.watch(target)
        async with resolver.open():
            await resolver.settle(5)
            assert resolver.destinations(target) == (
                Destination("TCP", HostPort("2001:db8::1", 5070)),
                Destination("TCP", HostPort("192.0.2.1", 5070)),
            )
    finally:
        transport.close()
