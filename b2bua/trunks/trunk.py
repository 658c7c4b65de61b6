"""Trunks: peers that are known by their addresses, where extensions are known by a password.

A trunk's requests count as the trunk's because of where they come from. That is checked before
anybody is taken for an extension, so a trunk is never challenged and never an extension.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from b2bua.settings.trunks import TrunkAddress, TrunkConfig
from sip.address import Flow, HostPort, is_numeric
from sip.credentials import Account, Credentials
from sip.locating import DEFAULT_PORTS, Destination, Locator, Target
from sip.message import URI, Address, Request
from sip.registering import Registering

MAX_NAME: Final = 80
"Characters of a caller's display name that are kept."

ANONYMOUS: Final = "anonymous"
"What stands in place of the number of a caller who shows none (:rfc:`3323#section-4.1`)."

_NUMBER: Final = frozenset("+0123456789*#")


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

    def __init__(self, settings: TrunkConfig, locator: Locator | None = None) -> None:
        self.settings = settings
        self._locator = locator or NoNames()
        self.credentials = _credentials(settings)
        self.registering: Registering | None = None
        "Our registration there, where it wants one and we have begun."
        self.home: Destination | None = None
        "The server that took our registration."

    def __repr__(self) -> str:
        return f"Trunk({self.name!r})"

    @property
    def name(self) -> str:
        return self.settings.name

    # --- where it is

    @property
    def addresses(self) -> tuple[Target, ...]:
        """Where it takes calls: the outbound proxy, or its addresses."""
        proxy = self.settings.outbound_proxy
        return self._targets((proxy,) if proxy is not None else self.settings.address)

    @property
    def registrars(self) -> tuple[Target, ...]:
        """Where our registration goes, best first."""
        account, proxy = self.settings.account, self.settings.outbound_proxy
        if account is not None and account.registrars and proxy is None:
            return self._targets(account.registrars)
        return self.addresses

    @property
    def names(self) -> frozenset[Target]:
        """Everything that somebody has to look up."""
        return frozenset(each for each in self._places if not is_numeric(each.host))

    @property
    def _places(self) -> tuple[Target, ...]:
        """Where it may be: what of its requests come from there are its own."""
        return (*self._targets(self.settings.address), *self.addresses, *self.registrars)

    def _targets(self, addresses: Iterable[TrunkAddress]) -> tuple[Target, ...]:
        transport = self.settings.sip_transport
        return tuple(
            Target(host=each.host, port=each.port, transport=transport) for each in addresses
        )

    def destinations(self, targets: Iterable[Target]) -> tuple[Destination, ...]:
        """Return where to try, in this order; empty: its name is not known."""
        found = (each for target in targets for each in self._destinations(target))
        return tuple(dict.fromkeys(found))

    def _destinations(self, target: Target) -> tuple[Destination, ...]:
        if not is_numeric(target.host):
            return self._locator.destinations(target)
        transport = self.settings.sip_transport
        port = DEFAULT_PORTS[transport] if target.port is None else target.port
        return (Destination(transport, HostPort(target.host, port)),)

    def note_failure(self, destination: Destination) -> None:
        """Try its other places first for a while."""
        self._locator.note_failure(destination)

    # --- what is its own

    def is_at(self, host: str) -> bool:
        """Tell whether a numeric address is one of its own."""
        if self.home is not None and host == self.home.address.host:
            return True
        return any(host in self._hosts(place) for place in self._places)

    def _hosts(self, target: Target) -> frozenset[str]:
        return frozenset((target.host,)) | self._locator.hosts(target)

    def is_source(self, flow: Flow) -> bool:
        """Tell whether a request that came over `flow` is the trunk's.

        A connection comes from a port that nobody chose, so over TCP the address has to do; it
        does too where we have an account: providers call from other ports than they listen on.
        """
        if flow.reliable and flow.transport != self.settings.sip_transport:
            return False
        if flow.reliable or self.settings.account is not None:
            return self.is_at(flow.remote.host)
        return any(
            flow.remote.host in self._hosts(place) and place.port in {None, flow.remote.port}
            for place in self._places
        )

    @property
    def has_port(self) -> bool:
        """Whether it is known by a port besides."""
        return any(each.port is not None for each in self.settings.address)

    # --- its words

    @property
    def remote(self) -> HostPort:
        """Where our requests go."""
        place = next(iter(self.destinations(self.addresses)), None)
        return place.address if place is not None else HostPort("0.0.0.0", 0)  # noqa: S104 - no place at all

    def target(self, number: str) -> URI:
        """Return the Request-URI of a number behind the trunk."""
        return self.uri(number)

    def uri(self, user: str | None) -> URI:
        """Return an address in the trunk's domain; None: the domain itself."""
        settings = self.settings
        first = settings.address[0]
        port = first.port if not settings.domain else None
        transport = settings.sip_transport
        if port == DEFAULT_PORTS[transport]:
            port = None
        host = settings.sip_domain
        bracketed = f"[{host}]" if ":" in host else host
        return URI(scheme="sip", user=user, host=bracketed, port=port)

    @property
    def proxy_route(self) -> str:
        """The Route value of the outbound proxy."""
        proxy = self.settings.outbound_proxy
        assert proxy is not None
        host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
        port = f":{proxy.port}" if proxy.port is not None else ""
        name = self.settings.transport
        transport = f";transport={name}" if name != "udp" else ""
        return f"<sip:{host}{port}{transport};lr>"

    @property
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


class Trunks:
    """All trunks, in the order of the configuration."""

    def __init__(self, configured: Iterable[TrunkConfig], locator: Locator | None = None) -> None:
        self._trunks = tuple(Trunk(settings, locator) for settings in configured)

    def __iter__(self) -> Iterator[Trunk]:
        return iter(self._trunks)

    def find(self, flow: Flow) -> Trunk | None:
        """Return the trunk that a request came from; one named with its port goes first."""
        found = [trunk for trunk in self._trunks if trunk.is_source(flow)]
        return min(found, key=lambda trunk: not trunk.has_port, default=None)

    def named(self, name: str) -> Trunk | None:
        """Return a trunk by its name; the first one for an empty name."""
        if not name:
            return next(iter(self._trunks), None)
        return next((trunk for trunk in self._trunks if trunk.name == name), None)


def _credentials(settings: TrunkConfig) -> Credentials | None:
    account = settings.account
    if account is None:
        return None
    password = account.password.get_secret_value()
    return Credentials(
        Account(username=account.username, password=password, realms=settings.realms)
    )


def caller_of(request: Request) -> tuple[str, str]:
    """Return number and display name of an outside caller, as its From says.

    Both are a stranger's words: what is no number is none, what can't be printed is left out.
    """
    address: Address = request.from_address
    user = address.uri.user or ""
    number = user if user and set(user) <= _NUMBER and len(user) <= MAX_NAME else ANONYMOUS
    name = "".join(c for c in address.name or "" if c.isprintable())[:MAX_NAME]
    return number, name
