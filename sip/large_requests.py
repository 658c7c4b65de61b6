"""Requests too large for a datagram: by TCP, where the peer has it (RFC 3261 section 18.1.1).

Whether it has is known only by trying. It is tried with peers that are where they say they are:
behind a NAT nobody can be connected. Who could not be connected is sent datagrams, fragmented as
they may be, and is not tried again for a while.
"""

from collections.abc import Callable
from typing import Final

from sip.address import Flow, HostPort, is_numeric
from sip.build import OutgoingRequest
from sip.errors import RemoteProtocolError
from sip.message import URI, parse_address, parse_uri

MAX_DATAGRAM: Final = 1300
"Octets of a request, where nothing is known of the path's MTU."

PATIENCE_S: Final = 1.0
"For a sign of life over TCP; what is sent as datagrams then has the same branch."

FORGET_S: Final = 3600.0
"After which a peer without TCP is tried again."

MAX_REMEMBERED: Final = 1024

Way = Callable[[HostPort], Flow | None]
"The way by TCP to an address; None: we have none."


class LargeRequests:
    """Decides what goes by TCP instead."""

    def __init__(self) -> None:
        self.way: Way = lambda _address: None
        self._without: dict[HostPort, float] = {}

    def instead(
        self, request: OutgoingRequest, octets: int, flow: Flow, now: float
    ) -> tuple[OutgoingRequest, Flow] | None:
        """Return the request for TCP with its way; None: it stays as it is."""
        if flow.transport != "UDP" or octets <= MAX_DATAGRAM or request.method == "CANCEL":
            return None
        if self._without.get(flow.remote, now) > now or not _is_at(request, flow.remote):
            return None
        by_tcp = self.way(flow.remote)
        if by_tcp is None:
            return None
        via = request.via.replace("SIP/2.0/UDP ", "SIP/2.0/TCP ", 1)
        return request._replace(via=via), by_tcp

    def failed(self, remote: HostPort, now: float) -> None:
        """Remember a peer that could not be connected."""
        if len(self._without) >= MAX_REMEMBERED:
            del self._without[next(iter(self._without))]
        self._without[remote] = now + FORGET_S


def _is_at(request: OutgoingRequest, remote: HostPort) -> bool:
    """Tell whether the next hop says that it is where we send to, and leaves the transport open."""
    try:
        uri = _next_hop(request)
    except RemoteProtocolError:
        return False
    if uri.parameters.get("transport"):
        return False
    host = uri.host.strip("[]")
    return not is_numeric(host) or (HostPort.parse(host).host, uri.port or 5060) == (
        remote.host,
        remote.port,
    )


def _next_hop(request: OutgoingRequest) -> URI:
    if request.routes:
        return parse_address(request.routes[0]).uri
    return parse_uri(request.uri)
