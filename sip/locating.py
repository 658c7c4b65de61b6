"""Where a SIP domain is: names to addresses, ports and transports (RFC 3263), without the asking.

`locate` walks NAPTR, SRV and address records by whatever `ask` it is given, and returns what it
found with how long that holds. `Located.destinations` puts it into the order in which to try,
anew for each call, because the weights of SRV records are shares (RFC 2782).
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal, Protocol

from sip.address import HostPort, Transport

DEFAULT_PORTS: Final[dict[Transport, int]] = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
"RFC 3261 section 19.1.2."

MAX_SERVICES: Final = 16
"Hosts of one domain that are looked at; a longer list is no help and a way to keep us busy."

MAX_ADDRESSES: Final = 8
"Addresses of one host."

Family = Literal[4, 6]

_SERVICES: Final[dict[str, Transport]] = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS"}
"NAPTR services (section 4.1) and what they are carried over."

_LABELS: Final[dict[Transport, str]] = {
    "UDP": "_sip._udp",
    "TCP": "_sip._tcp",
    "TLS": "_sips._tcp",
}

_RECORD_TYPES: Final[dict[Family, Literal["A", "AAAA"]]] = {4: "A", 6: "AAAA"}

RecordType = Literal["NAPTR", "SRV", "A", "AAAA"]


class LookupFailedError(Exception):
    """The name servers could not be asked, which says nothing about the name."""


@dataclass(frozen=True, slots=True)
class Naptr:
    """A NAPTR record (:rfc:`3403#section-4.1`); its regular expression is of no use to SIP."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """An SRV record (:rfc:`2782`)."""

    priority: int
    weight: int
    port: int
    target: str
    "Empty: the service is decidedly not there."


@dataclass(frozen=True, slots=True)
class Answer:
    """What the name servers say; no records: there are none of this type."""

    records: tuple[Naptr | Srv | str, ...]
    "Addresses are numeric texts."
    ttl_s: float


Ask = Callable[[str, RecordType], Awaitable[Answer]]
"Looks up one name; raises `LookupFailedError`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom to find: what a URI says of its host."""

    host: str
    "A domain, or a numeric address without brackets."
    port: int | None = None
    transport: Transport | None = None
    "None: the domain may choose."
    secure: bool = False
    "A `sips` URI: nothing but TLS will do."


@dataclass(frozen=True, slots=True)
class Destination:
    """One place to try."""

    transport: Transport
    address: HostPort
    server_name: str = ""
    "Over TLS the name that the certificate must bear: the domain that was asked for (RFC 5922)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One host that serves the domain."""

    transport: Transport
    rank: tuple[int, int] = (0, 0)
    "Place of its NAPTR record, priority of its SRV record: lower ones are tried first."
    weight: int = 0
    "Its share among those of the same rank."
    addresses: tuple[HostPort, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where a target is, for `ttl_s` seconds."""

    server_name: str
    services: tuple[Service, ...]
    ttl_s: float

    def destinations(self, random: Callable[[], float]) -> tuple[Destination, ...]:
        """Return the places in the order in which to try; `random` gives numbers below 1."""
        return tuple(
            Destination(
                service.transport,
                address,
                self.server_name if service.transport == "TLS" else "",
            )
            for service in in_order(self.services, random)
            for address in service.addresses
        )


class Locator(Protocol):
    """Who knows where targets are, without waiting for anybody."""

    def destinations(self, target: Target) -> tuple[Destination, ...]:
        """Return where to try, in this order; empty: it is not known, or nowhere."""

    def hosts(self, target: Target) -> frozenset[str]:
        """Return every address of the target."""

    def note_failure(self, destination: Destination) -> None:
        """Try others first for a while."""


def in_order(services: Iterable[Service], random: Callable[[], float]) -> Iterator[Service]:
    """Give the services by rank, those of one rank by chance and weight (:rfc:`2782`)."""
    left = sorted(services, key=lambda each: (each.rank, each.weight))
    while left:
        rivals = [each for each in left if each.rank == left[0].rank]
        # Weight 0 has a small chance to be chosen, and is alone often enough.
        drawn, total = random() * sum(each.weight for each in rivals), 0
        chosen = rivals[-1]
        for each in rivals:
            total += each.weight
            if drawn <= total:
                chosen = each
                break
        left.remove(chosen)
        yield chosen


async def locate(
    target: Target, ask: Ask, *, transports: Sequence[Transport], families: Sequence[Family]
) -> Located:
    """Find a target; `transports` and `families` are ours, best first.

    Raises `LookupFailedError` where nothing could be asked; no services: it is nowhere.
    """
    wanted = [each for each in transports if not target.secure or each == "TLS"]
    if target.transport is not None:
        wanted = [each for each in wanted if each == target.transport]
    search = _Search(target, ask, wanted, families)
    services = await search.run() if wanted else ()
    return Located(server_name=target.host, services=services, ttl_s=search.ttl_s)


class _Search:
    """One walk through the records of a target."""

    def __init__(
        self,
        target: Target,
        ask: Ask,
        transports: Sequence[Transport],
        families: Sequence[Family],
    ) -> None:
        self._target = target
        self._ask_anybody = ask
        self._transports = transports
        self._families = families
        self.ttl_s = math.inf
        "Of the record that is out of date first."

    async def run(self) -> tuple[Service, ...]:
        target = self._target
        if _is_numeric(target.host) or target.port is not None:
            # Sections 4.1 and 4.2: a port or a number leaves nothing for the domain to choose.
            transport = self._transports[0]
            port = DEFAULT_PORTS[transport] if target.port is None else target.port
            return await self._hosts([(transport, (0, 0), Srv(0, 0, port, target.host))])
        named = await self._by_naptr() if target.transport is None else []
        if not named:
            for place, transport in enumerate(self._transports):
                named += await self._srv(f"{_LABELS[transport]}.{target.host}", transport, place)
        if not named:
            transport = self._transports[0]
            srv = Srv(0, 0, DEFAULT_PORTS[transport], target.host)
            named = [(transport, (0, 0), srv)]
        return await self._hosts(named)

    async def _by_naptr(self) -> list[tuple[Transport, tuple[int, int], Srv]]:
        """Return the SRV records that the domain's NAPTR records lead to (section 4.1)."""
        records = await self._ask(self._target.host, "NAPTR")
        usable = [
            each
            for each in records
            if isinstance(each, Naptr)
            and each.flags.lower() == "s"
            and _SERVICES.get(each.service.upper()) in self._transports
        ]
        usable.sort(key=lambda each: (each.order, each.preference))
        named = []
        for place, each in enumerate(usable[:MAX_SERVICES]):
            transport = _SERVICES[each.service.upper()]
            named += await self._srv(each.replacement, transport, place)
        return named

    async def _srv(
        self, name: str, transport: Transport, place: int
    ) -> list[tuple[Transport, tuple[int, int], Srv]]:
        records = [each for each in await self._ask(name, "SRV") if isinstance(each, Srv)]
        return [(transport, (place, each.priority), each) for each in records]

    async def _hosts(
        self, named: list[tuple[Transport, tuple[int, int], Srv]]
    ) -> tuple[Service, ...]:
        """Look up the hosts; one that can't be looked up leaves the others in place."""
        services, failure = [], None
        named.sort(key=lambda each: each[1])
        for transport, rank, srv in named[:MAX_SERVICES]:
            try:
                addresses = await self._addresses(srv.target)
            except LookupFailedError as error:
                failure = error
                continue
            if addresses:
                services.append(
                    Service(
                        transport=transport,
                        rank=rank,
                        weight=srv.weight,
                        addresses=tuple(HostPort(each, srv.port) for each in addresses),
                    )
                )
        if failure is not None and not services:
            raise failure
        return tuple(services)

    async def _addresses(self, host: str) -> list[str]:
        if not host:
            return []
        if _is_numeric(host):
            return [str(ip_address(host))]
        found: list[str] = []
        failure = None
        for family in self._families:
            try:
                records = await self._ask(host, _RECORD_TYPES[family])
            except LookupFailedError as error:
                # There are name servers that refuse to answer for one of the families.
                failure = error
                continue
            found += [each for each in records if isinstance(each, str)]
        if failure is not None and not found:
            raise failure
        return found[:MAX_ADDRESSES]

    async def _ask(self, name: str, kind: RecordType) -> tuple[Naptr | Srv | str, ...]:
        answer = await self._ask_anybody(name, kind)
        self.ttl_s = min(self.ttl_s, answer.ttl_s)
        return answer.records


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
