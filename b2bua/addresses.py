"""Which of our addresses others are told, and from which of them they are reached.

What stands in Via, Contact and SDP depends on who reads it: the local network reaches us where
we listen, whoever is outside reaches the address that the NAT before us forwards.
"""

import socket
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, Literal

from b2bua.settings.sip import SipConfig
from b2bua.settings.values import is_wildcard
from sip.address import Flow, HostPort, Transport

MAX_ROUTES: Final = 1024
"Peers for whom the answer of the kernel is kept; all are asked for anew when it is full."

_EVERYBODY: Final = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - what to bind, not what to tell
_SOMEBODY: Final = {4: "192.0.2.1", 6: "2001:db8::1"}
_LOOPBACK: Final = {4: "127.0.0.1", 6: "::1"}

Listening = tuple[tuple[Transport, HostPort], ...]
"What we listen on, in the order of the configuration."


class Addresses:
    """Our addresses, by who is at the other end."""

    def __init__(self, config: SipConfig) -> None:
        self._listen = config.listen
        self.families: tuple[Literal[4, 6], ...] = tuple(
            dict.fromkeys(6 if each.is_ipv6 else 4 for each in config.listen)
        )
        "Of the Internet protocol, in the order of the configuration."
        self._advertise = config.advertise
        self._external = {_family(each): each for each in config.external_addresses}
        self._local_networks = tuple(ip_network(each) for each in config.local_networks)
        self._routes: dict[str, str] = {}
        self._told: dict[tuple[str, str], str] = {}
        "What `host_for` has said since the routes were forgotten: it is asked often."
        self.listening: Listening = ()
        "Set once the sockets are open: with their real ports."

    # --- SIP

    @property
    def contact(self) -> HostPort:
        """Our address for those of whom nothing is known."""
        first = self._listen[0]
        host = self.host_for(_SOMEBODY[_family(first.host)], first.host)
        port = self.listening[0][1].port if self.listening else first.port
        return HostPort(host, port)

    def advertised(self, flow: Flow) -> HostPort:
        """Return what the other end of a flow is told in Via and Contact."""
        return HostPort(self.host_for(flow.remote.host, flow.local.host), flow.local.port)

    def flow_to(self, transport: Transport, remote: HostPort, server_name: str = "") -> Flow | None:
        """Return the way from us to an address; None where we don't speak its family."""
        ours = [
            local
            for each, local in self.listening
            if each == transport and local.is_ipv6 == remote.is_ipv6
        ]
        if not ours:
            return None
        source = self._source_for(remote.host) if len(ours) > 1 else ""
        fitting = [each for each in ours if each.host == source] or ours
        return Flow(transport, fitting[0], remote, server_name)

    def restored(self, flow: Flow) -> Flow | None:
        """Return a flow of the last run with an end that is ours in this one."""
        if (flow.transport, flow.local) in self.listening:
            return flow
        return self.flow_to(flow.transport, flow.remote)

    # --- media

    @property
    def media_bind(self) -> str:
        """Where media sockets are bound: one address, all of a family, or `*` for all there are."""
        hosts = {each.host for each in self._listen}
        families = {_family(host) for host in hosts}
        if len(hosts) == 1:
            return hosts.pop()
        return _EVERYBODY[families.pop()] if len(families) == 1 else "*"

    def host_for(self, peer: str, bound: str = "") -> str:
        """Return our host as `peer` is told it, on a socket that is bound to `bound`."""
        told = self._told.get((peer, bound))
        if told is None:
            if len(self._told) >= MAX_ROUTES:
                self._told.clear()
            told = self._told[peer, bound] = self._host_for(peer, bound)
        return told

    def _host_for(self, peer: str, bound: str) -> str:
        family = _family(peer)
        external = self._external.get(family)
        if external is not None and self._is_outside(peer):
            return external
        if self._advertise != "auto" and _family(self._advertise) == family:
            return self._advertise
        if bound and _family(bound) == family and not is_wildcard(bound):
            return bound
        hosts = [each.host for each in self._listen if _family(each.host) == family]
        if len(hosts) == 1 and not is_wildcard(hosts[0]):
            return hosts[0]
        return self._source_for(peer)

    def other_host_for(self, peer: str) -> str:
        """Return our host in the family that is not the peer's; empty: we have none."""
        other = 4 if _family(peer) == 6 else 6
        if other not in self.families:
            return ""
        return self.host_for(_SOMEBODY[other])

    def _is_outside(self, peer: str) -> bool:
        address = ip_address(peer.partition("%")[0])
        return not any(
            address in network
            for network in self._local_networks
            if _fits(network, address.version)
        )

    def _source_for(self, peer: str) -> str:
        """Return the address that the kernel would send from."""
        known = self._routes.get(peer)
        if known is None:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
            known = self._routes[peer] = _route_source(peer)
        return known

    def forget_routes(self) -> None:
        """Ask the kernel again: an interface may have got another address."""
        self._routes.clear()
        self._told.clear()


def _fits(network: IPv4Network | IPv6Network, version: int) -> bool:
    return network.version == version


def _family(host: str) -> int:
    return 6 if ":" in host else 4


def _route_source(peer: str) -> str:
    """Return our end of a way; connecting a UDP socket sends nothing."""
    family = _family(peer)
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((peer, 9))
        except OSError:
            return _LOOPBACK[family]
        return str(sock.getsockname()[0]).partition("%")[0]
