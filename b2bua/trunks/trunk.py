"""Trunks: peers that are known by their address, where extensions are known by a password.

A trunk's requests count as the trunk's because of where they come from. That is checked before
anybody is taken for an extension, so a trunk is never challenged and never an extension.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from b2bua.settings.trunks import TrunkConfig
from sip.address import Flow, HostPort
from sip.locating import DEFAULT_PORTS
from sip.message import URI, Address, Request

MAX_NAME: Final = 80
"Characters of a caller's display name that are kept."

ANONYMOUS: Final = "anonymous"
"What stands in place of the number of a caller who shows none (:rfc:`3323#section-4.1`)."

_NUMBER: Final = frozenset("+0123456789*#")


@dataclass(frozen=True, slots=True)
class Trunk:
    """One peer."""

    settings: TrunkConfig

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def remote(self) -> HostPort:
        """Where our requests go."""
        address = self.settings.address
        return HostPort(address.host, address.port or DEFAULT_PORTS[self.settings.sip_transport])

    def is_source(self, flow: Flow) -> bool:
        """Tell whether a request that came over `flow` is the trunk's.

        A connection comes from a port that nobody chose, so over TCP the address has to do.
        """
        address = self.settings.address
        if flow.remote.host != address.host:
            return False
        if flow.reliable:
            return flow.transport == self.settings.sip_transport
        return address.port in (None, flow.remote.port)

    def target(self, number: str) -> URI:
        """Return the Request-URI of a number behind the trunk."""
        remote = self.remote
        port = remote.port if remote.port != DEFAULT_PORTS[self.settings.sip_transport] else None
        return URI(scheme="sip", user=number, host=remote.uri_host, port=port)


class Trunks:
    """All trunks, in the order of the configuration."""

    def __init__(self, configured: Iterable[TrunkConfig]) -> None:
        self._trunks = tuple(Trunk(settings) for settings in configured)

    def find(self, flow: Flow) -> Trunk | None:
        """Return the trunk that a request came from; one named with its port goes first."""
        found = [trunk for trunk in self._trunks if trunk.is_source(flow)]
        return min(found, key=lambda t: t.settings.address.port is None, default=None)

    def named(self, name: str) -> Trunk | None:
        """Return a trunk by its name; the first one for an empty name."""
        if not name:
            return next(iter(self._trunks), None)
        return next((trunk for trunk in self._trunks if trunk.name == name), None)


def caller_of(request: Request) -> tuple[str, str]:
    """Return number and display name of an outside caller, as its From says.

    Both are a stranger's words: what is no number is none, what can't be printed is left out.
    """
    address: Address = request.from_address
    user = address.uri.user or ""
    number = user if user and set(user) <= _NUMBER and len(user) <= MAX_NAME else ANONYMOUS
    name = "".join(c for c in address.name or "" if c.isprintable())[:MAX_NAME]
    return number, name
