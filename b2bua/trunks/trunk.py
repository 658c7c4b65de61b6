"""Trunks: peers that are known by their addresses, where extensions are known by a password.

A trunk's requests count as the trunk's because of where they come from. That is checked before
anybody is taken for an extension, so a trunk is never challenged and never an extension.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Final

from b2bua.settings.trunks import TrunkAddress, TrunkConfig
from b2bua.trunks.trunk_numbers import TrunkNumbers
from sip.address import Flow, HostPort, is_numeric
from sip.credentials import Account, Credentials
from sip.errors import RemoteProtocolError
from sip.locating import DEFAULT_PORTS, Destination, Locator, Target
from sip.message import URI, parse_address
from sip.registering import Registering

ANONYMOUS: Final = "anonymous"
"What stands in place of the number of a caller who shows none (:rfc:`3323#section-4.1`)."


AVOID_S: Final = 60.0
"How long a server that did not answer is tried after the others."


class NoNames:
    """A locator for where nobody can be asked: no name is known."""

    def destinations(self, _target: Target) -> tuple[Destination, ...]:
        return ()

    def hosts(self, _target: Target) -> frozenset[str]:
        return frozenset()

    def note_failure(self, _destination: Destination) -> None:
        """Nothing to remember."""


class Trunk:
    """One peer, and how things stand with it. A `sip.peer.Peer`."""

    def __init__(
        self,
        settings: TrunkConfig,
        locator: Locator | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._locator = locator or NoNames()
        self._clock = clock
        self._avoided: dict[Destination, float] = {}
        "Places that did not answer, until when others are tried before them."
        self.credentials = _credentials(settings)
        self.numbers = TrunkNumbers(settings)
        self.registering: Registering | None = None
        "Our registration there, where it wants one and we have begun."
        self.down = False
        "Whether it is watched, and was not there when it was asked last."
        self.home: Destination | None = None
        "The server that took our registration."

    def __repr__(self) -> str:
        return f"Trunk({self.name!r})"

    @property
    def name(self) -> str:
        return self.settings.name

    # --- where it is

    @cached_property
    def addresses(self) -> tuple[Target, ...]:
        """Where it takes calls: the outbound proxies, or its addresses."""
        return self._targets(self.settings.outbound_proxy or self.settings.address)

    @cached_property
    def registrars(self) -> tuple[Target, ...]:
        """Where our registration goes, best first."""
        account = self.settings.account
        if account is not None and account.registrars and not self.settings.outbound_proxy:
            return self._targets(account.registrars)
        return self.addresses

    @property
    def names(self) -> frozenset[Target]:
        """Everything that somebody has to look up."""
        return frozenset(each for each in self._places if not is_numeric(each.host))

    @cached_property
    def _places(self) -> tuple[Target, ...]:
        """Where it may be: what of its requests come from there are its own."""
        named = (*self._targets(self.settings.address), *self.addresses, *self.registrars)
        return tuple(dict.fromkeys(named))

    def _targets(self, addresses: Iterable[TrunkAddress]) -> tuple[Target, ...]:
        transport = self.settings.sip_transport
        return tuple(
            Target(host=each.host, port=each.port, transport=transport) for each in addresses
        )

    def destinations(self, targets: Iterable[Target]) -> tuple[Destination, ...]:
        """Return where to try, in this order; empty: its name is not known."""
        return self._in_order(each for target in targets for each in self._destinations(target))

    def _in_order(self, places: Iterable[Destination]) -> tuple[Destination, ...]:
        """Return places, each once: who took our registration first, who was silent last."""
        now = self._clock()
        return tuple(
            sorted(
                dict.fromkeys(places),
                key=lambda place: (self._avoided.get(place, now) > now, place != self.home),
            )
        )

    def _destinations(self, target: Target) -> tuple[Destination, ...]:
        if not is_numeric(target.host):
            return self._locator.destinations(target)
        transport = self.settings.sip_transport or "UDP"
        port = DEFAULT_PORTS[transport] if target.port is None else target.port
        name = self.settings.domain if transport == "TLS" else ""
        return (Destination(transport, HostPort(target.host, port), name),)

    def note_failure(self, destination: Destination) -> None:
        """Try its other places first for a while."""
        now = self._clock()
        self._avoided = {each: until for each, until in self._avoided.items() if until > now}
        self._avoided[destination] = now + AVOID_S
        self._locator.note_failure(destination)

    # --- what is its own

    def is_at(self, host: str) -> bool:
        """Tell whether a numeric address is one of its own."""
        if self.home is not None and host == self.home.address.host:
            return True
        return any(self._is_host(host, place) for place in self._places)

    def _is_host(self, host: str, target: Target) -> bool:
        return host == target.host or host in self._locator.hosts(target)

    def is_source(self, flow: Flow) -> bool:
        """Tell whether a request that came over `flow` is the trunk's.

        A connection comes from a port that nobody chose, so over TCP the address has to do; it
        does too where we have an account: providers call from other ports than they listen on.
        """
        transport = self.settings.sip_transport
        if flow.reliable and transport not in {None, flow.transport}:
            return False
        if flow.reliable or self.settings.account is not None:
            return self.is_at(flow.remote.host)
        return any(
            place.port in {None, flow.remote.port} and self._is_host(flow.remote.host, place)
            for place in self._places
        )

    def is_called_by(self, user: str) -> bool:
        """Tell whether the user part of a Request-URI is the contact that we registered there."""
        account, contact = self.settings.account, self.contact_user
        if account is None or not account.by_contact or not contact:
            return False
        return hmac.compare_digest(user.encode("utf-8", "replace"), contact.encode())

    @property
    def has_port(self) -> bool:
        """Whether it is known by a port besides."""
        return any(each.port is not None for each in self.settings.address)

    # --- what goes there

    @property
    def may_take(self) -> bool:
        """Whether calls may go there as far as is known.

        It is not known to be down, and has us registered where it wants that.
        """
        return not self.down and (self.registering is None or self.registering.holds)

    @property
    def servers(self) -> tuple[Destination, ...]:
        """Where its calls go, best first: who took our registration, then the others."""
        places = self.destinations(self.addresses)
        if self.registering is None or not self.registering.holds or self.home is None:
            return places
        return self._in_order((self.home, *places)) if not self.settings.outbound_proxy else places

    def routes(self, place: Destination) -> tuple[str, ...]:
        """Return the Route values of a call to `place`: its proxy, the service route (RFC 3608)."""
        granted = self.registering.granted if self.registering is not None else None
        service = granted.service_route if granted is not None else ()
        first = parse_host(service[0]) if service else ""
        if first in {proxy.host for proxy in self.settings.outbound_proxy}:
            # Mostly the service route begins with the very proxy that we were told to use.
            return service
        return (*self.proxy_routes(place), *service)

    def proxy_routes(self, place: Destination) -> tuple[str, ...]:
        """Return the Route value of the outbound proxy that is at `place`; none without one."""
        proxies = self.settings.outbound_proxy
        at = (each for each in proxies if place in self.destinations(self._targets((each,))))
        proxy = next(at, next(iter(proxies), None))
        if proxy is None:
            return ()
        host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
        port = f":{proxy.port}" if proxy.port is not None else ""
        name = self.settings.transport
        transport = f";transport={name}" if name not in {"auto", "udp"} else ""
        return (f"<sip:{host}{port}{transport};lr>",)

    def uri(self, user: str | None) -> URI:
        """Return an address in the trunk's domain; None: the domain itself."""
        settings = self.settings
        first = settings.address[0]
        port = first.port if not settings.domain else None
        transport = settings.sip_transport
        if port == DEFAULT_PORTS[transport or "UDP"]:
            port = None
        host = settings.sip_domain
        bracketed = f"[{host}]" if ":" in host else host
        return URI(scheme="sip", user=user, host=bracketed, port=port)

    @cached_property
    def contact_user(self) -> str:
        """User part of the Contact that we register.

        Always the same, so that a restart takes the place of the registration before, and known
        to nobody who doesn't know the password or has seen a REGISTER.
        """
        account = self.settings.account
        if account is None or account.gin:
            return ""
        key = hashlib.sha256(account.password.get_secret_value().encode()).digest()
        seed = f"{self.name}\n{account.username}".encode()
        return hashlib.blake2b(seed, key=key, digest_size=8).hexdigest()


def parse_host(route: str) -> str:
    """Return the host of a Route value; empty where it can't be read."""
    try:
        return (parse_address(route).uri.host or "").strip("[]").lower()
    except RemoteProtocolError:
        return ""


class Trunks:
    """All trunks, in the order of the configuration."""

    def __init__(
        self,
        configured: Iterable[TrunkConfig],
        locator: Locator | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trunks = tuple(Trunk(settings, locator, clock) for settings in configured)
        self.certified: Callable[[Flow], frozenset[str]] = lambda _flow: frozenset()
        "Whom the verified certificate of a connection's other end names."

    def __iter__(self) -> Iterator[Trunk]:
        return iter(self._trunks)

    def find(self, flow: Flow, user: str = "") -> Trunk | None:
        """Return the trunk that a request came from.

        `user`: of its Request-URI. A contact that we registered leaves no doubt; then one that is
        named with its port goes first, and of several at one address the one whose number it is.
        """
        called = [trunk for trunk in self._trunks if trunk.is_called_by(user)]
        known = called or [trunk for trunk in self._trunks if trunk.is_source(flow)]
        found = [trunk for trunk in known if self._is_vouched_for(trunk, flow)]

        def order(trunk: Trunk) -> tuple[bool, bool]:
            return not trunk.has_port, not trunk.numbers.has_did(user)

        return min(found, key=order, default=None)

    def _is_vouched_for(self, trunk: Trunk, flow: Flow) -> bool:
        name = trunk.settings.client_certificate
        return not name or name in self.certified(flow)

    def named(self, name: str) -> Trunk | None:
        """Return a trunk by its name."""
        return next((trunk for trunk in self._trunks if trunk.name == name), None)

    def listed(self, names: Iterable[str]) -> tuple[Trunk, ...]:
        """Return trunks by their names, each once."""
        found = dict.fromkeys(self.named(name) for name in names)
        return tuple(trunk for trunk in found if trunk is not None)


def _credentials(settings: TrunkConfig) -> Credentials | None:
    account = settings.account
    if account is None:
        return None
    password = account.password.get_secret_value()
    return Credentials(
        Account(username=account.username, password=password, realms=settings.realms)
    )
