"""RFC 3263 over a zone of our own."""

import asyncio
import math
from collections import Counter
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.address import HostPort, Transport
from sip.locating import (
    Answer,
    Destination,
    Family,
    Located,
    LookupFailedError,
    Naptr,
    RecordType,
    Service,
    Srv,
    Target,
    in_order,
    locate,
)

Zone = dict[tuple[str, RecordType], tuple[Naptr | Srv | str, ...]]

ALL: tuple[Transport, ...] = ("UDP", "TCP", "TLS")

PROVIDER: Zone = {
    ("example.com", "NAPTR"): (
        Naptr(20, 10, "s", "SIP+D2U", "_sip._udp.example.com"),
        Naptr(10, 20, "S", "SIP+D2T", "_sip._tcp.example.com"),
        Naptr(10, 10, "s", "SIPS+D2T", "_sips._tcp.example.com"),
        Naptr(1, 1, "s", "SIP+D2W", "_sip._ws.example.com"),
        Naptr(1, 1, "u", "E2U+sip", ""),
    ),
    ("_sips._tcp.example.com", "SRV"): (Srv(0, 1, 5061, "a.example.com"),),
    ("_sip._tcp.example.com", "SRV"): (
        Srv(20, 1, 5070, "a.example.com"),
        Srv(10, 1, 5060, "b.example.com"),
    ),
    ("_sip._udp.example.com", "SRV"): (Srv(0, 1, 5060, "b.example.com"),),
    ("a.example.com", "A"): ("192.0.2.1",),
    ("b.example.com", "A"): ("192.0.2.2", "192.0.2.3"),
    ("b.example.com", "AAAA"): ("2001:db8::2",),
}


class Names:
    """Answers from a zone, and remembers what it was asked."""

    def __init__(
        self, zone: Zone, failing: frozenset[str | tuple[str, RecordType]] = frozenset()
    ) -> None:
        self.zone = zone
        self.failing = failing
        self.asked: list[tuple[str, RecordType]] = []

    async def ask(self, name: str, kind: RecordType) -> Answer:
        self.asked.append((name, kind))
        if not self.failing.isdisjoint({name, (name, kind)}):
            raise LookupFailedError(name)
        return Answer(self.zone.get((name, kind), ()), 100.0 + len(self.asked))


def find(
    names: Names,
    target: Target,
    transports: tuple[Transport, ...] = ALL,
    families: tuple[Family, ...] = (4,),
) -> Located:
    return asyncio.run(locate(target, names.ask, transports=transports, families=families))


def places(located: Located) -> list[str]:
    return [f"{each.transport} {each.address}" for each in located.destinations(lambda: 0.0)]


def test_naptr_says_over_what_and_in_which_order() -> None:
    located = find(Names(PROVIDER), Target(host="example.com"))
    assert places(located) == [
        "TLS 192.0.2.1:5061",
        "TCP 192.0.2.2:5060",
        "TCP 192.0.2.3:5060",
        "TCP 192.0.2.1:5070",
        "UDP 192.0.2.2:5060",
        "UDP 192.0.2.3:5060",
    ]
    assert located.ttl_s == 101.0


def test_only_over_tls_a_certificate_is_asked_for() -> None:
    destinations = find(Names(PROVIDER), Target(host="example.com")).destinations(lambda: 0.0)
    assert [each.server_name for each in destinations[:2]] == ["example.com", ""]


def test_what_we_do_not_speak_is_passed_over() -> None:
    located = find(Names(PROVIDER), Target(host="example.com"), transports=("UDP",))
    assert places(located) == ["UDP 192.0.2.2:5060", "UDP 192.0.2.3:5060"]


def test_both_families_best_first() -> None:
    located = find(
        Names(PROVIDER), Target(host="example.com"), transports=("UDP",), families=(6, 4)
    )
    assert places(located)[:2] == ["UDP [2001:db8::2]:5060", "UDP 192.0.2.2:5060"]


def test_sips_is_tls_or_nothing() -> None:
    target = Target(host="example.com", secure=True)
    assert places(find(Names(PROVIDER), target)) == ["TLS 192.0.2.1:5061"]
    assert places(find(Names(PROVIDER), target, transports=("UDP", "TCP"))) == []


def test_a_named_transport_asks_for_its_srv_records_only() -> None:
    names = Names(PROVIDER)
    located = find(names, Target(host="example.com", transport="UDP"))
    assert places(located) == ["UDP 192.0.2.2:5060", "UDP 192.0.2.3:5060"]
    assert names.asked[0] == ("_sip._udp.example.com", "SRV")


def test_without_naptr_srv_of_all_that_we_speak() -> None:
    zone = {key: value for key, value in PROVIDER.items() if key[1] != "NAPTR"}
    assert places(find(Names(zone), Target(host="example.com")))[::2] == [
        "UDP 192.0.2.2:5060",
        "TCP 192.0.2.2:5060",
        "TCP 192.0.2.1:5070",
    ]


def test_without_srv_the_host_itself() -> None:
    zone: Zone = {("pbx.example.com", "A"): ("192.0.2.9",)}
    assert places(find(Names(zone), Target(host="pbx.example.com"))) == ["UDP 192.0.2.9:5060"]
    assert places(find(Names(zone), Target(host="pbx.example.com", transport="TLS"))) == [
        "TLS 192.0.2.9:5061"
    ]


def test_a_port_leaves_nothing_to_choose() -> None:
    names = Names(PROVIDER)
    located = find(names, Target(host="a.example.com", port=5080))
    assert places(located) == ["UDP 192.0.2.1:5080"]
    assert names.asked == [("a.example.com", "A")]


@pytest.mark.parametrize(
    ("target", "place"),
    [
        (Target(host="192.0.2.7"), "UDP 192.0.2.7:5060"),
        (Target(host="192.0.2.7", secure=True), "TLS 192.0.2.7:5061"),
        (Target(host="192.0.2.7", port=99, transport="TCP"), "TCP 192.0.2.7:99"),
        (Target(host="2001:DB8::7"), "UDP [2001:db8::7]:5060"),
    ],
)
def test_a_number_asks_nobody(target: Target, place: str) -> None:
    names = Names({})
    located = find(names, target)
    assert places(located) == [place]
    assert not names.asked
    assert located.ttl_s == math.inf


def test_a_service_that_is_decidedly_not_there() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): (Srv(0, 0, 0, ""),),
        ("example.com", "A"): ("192.0.2.9",),
    }
    assert places(find(Names(zone), Target(host="example.com", transport="UDP"))) == []


def test_one_host_that_can_not_be_looked_up_leaves_the_others() -> None:
    names = Names(PROVIDER, frozenset({"b.example.com"}))
    assert places(find(names, Target(host="example.com"))) == [
        "TLS 192.0.2.1:5061",
        "TCP 192.0.2.1:5070",
    ]
    with pytest.raises(LookupFailedError):
        find(names, Target(host="example.com", transport="UDP"))


def test_a_server_that_refuses_one_family_leaves_the_other() -> None:
    names = Names(PROVIDER, frozenset({("b.example.com", "AAAA")}))
    located = find(names, Target(host="b.example.com", port=5060), families=(6, 4))
    assert places(located) == ["UDP 192.0.2.2:5060", "UDP 192.0.2.3:5060"]


def test_long_lists_are_cut() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): tuple(Srv(n, 0, 5060, f"h{n}") for n in range(60)),
    }
    for n in range(60):
        zone[f"h{n}", "A"] = tuple(f"192.0.2.{i}" for i in range(60))
    names = Names(zone)
    located = find(names, Target(host="example.com", transport="UDP"))
    assert len(located.services) == 16
    assert len(located.services[0].addresses) == 8
    assert len(names.asked) == 17


def service(name: int, rank: tuple[int, int] = (0, 0), weight: int = 0) -> Service:
    return Service(
        transport="UDP", rank=rank, weight=weight, addresses=(HostPort("192.0.2.1", name),)
    )


def test_weights_are_shares() -> None:
    services = [service(1, weight=0), service(2, weight=1), service(3, weight=3)]
    draws = cycle([n / 1000 for n in range(1000)])
    first = Counter(next(in_order(services, lambda: next(draws))) for _ in range(1000))
    shares = [first[each] for each in services]
    assert shares[0] <= 5
    assert 240 <= shares[1] <= 260
    assert 740 <= shares[2] <= 760


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_every_service_once_and_ranks_in_order(
    wanted: list[tuple[int, int]], random: object
) -> None:
    services = [service(n, (0, rank), weight) for n, (rank, weight) in enumerate(wanted)]
    ordered = list(in_order(services, random.random))  # type: ignore[attr-defined]  # a Random
    assert sorted(ordered, key=services.index) == services
    assert [each.rank for each in ordered] == sorted(each.rank for each in services)


def test_destinations_are_values() -> None:
    assert Destination("UDP", HostPort("192.0.2.1", 5060)) == Destination(
        "UDP", HostPort("192.0.2.1", 5060), ""
    )
