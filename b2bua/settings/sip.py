"""`[sip]`: where phones reach the server, and what it asks of them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from b2bua.settings.section import Section
from b2bua.settings.values import (
    PRIVATE_NETWORKS,
    dns_host_ports,
    each_once,
    numeric_host,
    numeric_network,
    numeric_or_auto,
    one_of_a_family,
    sip_host_ports,
)
from sip.address import HostPort
from sip.digest import Algorithm


class SipConfig(Section):
    """`[sip]`: where phones reach the server."""

    listen: Annotated[
        tuple[HostPort, ...],
        BeforeValidator(sip_host_ports),
        Field(min_length=1, max_length=16),
        AfterValidator(each_once),
    ] = (HostPort("0.0.0.0", 5060),)  # noqa: S104 - phones come from the network
    "One address or several, IPv4 and IPv6."
    transports: Annotated[
        tuple[Literal["udp", "tcp", "tls"], ...], Field(min_length=1), AfterValidator(each_once)
    ] = ("udp", "tcp")
    """UDP and TCP on the ports of `listen`, TLS on that of `[tls]`. One is enough, and it need
    not be UDP."""
    advertise: Annotated[str, AfterValidator(numeric_or_auto)] = "auto"
    """Address in Via, Contact and SDP; `auto` takes that of `listen`, or the one from which the
    kernel would send to whom it is told."""
    external_addresses: Annotated[
        tuple[Annotated[str, AfterValidator(numeric_host)], ...], AfterValidator(one_of_a_family)
    ] = ()
    "What those outside `local_networks` are told instead: where a NAT before us is reached."
    local_networks: tuple[Annotated[str, AfterValidator(numeric_network)], ...] = PRIVATE_NETWORKS
    nameservers: Annotated[tuple[HostPort, ...], BeforeValidator(dns_host_ports)] = ()
    "Who is asked for the names of trunks; empty: whom the system asks."
    realm: str = Field(default="mitschnitt", min_length=1, max_length=64, pattern=r"^[!-~]+$")
    digest_algorithms: tuple[Algorithm, ...] = Field(default=("MD5",), min_length=1, max_length=2)
    """Offered in this order. SHA-256 beside MD5 is what RFC 8760 wants, but baresip 1.0 and its
    kin give up on a challenge that they don't know, so it is switched on by the operator."""
    allow_digest_without_qop: bool = True
    min_expires_s: int = Field(default=60, ge=1, le=3600)
    max_expires_s: int = Field(default=3600, ge=60, le=86400)
    max_contacts: int = Field(default=5, ge=1, le=20)
    require_path_support: bool = False
    "Refuse (420) a registration through a proxy whose telephone knows nothing of that (RFC 3327)."
    ring_timeout_s: int = Field(default=60, ge=5, le=300)
    max_calls_per_extension: int = Field(default=4, ge=1, le=1000)
    "An extension in so many calls is busy for the next one."
    session_expires_s: int = Field(default=1800, ge=90, le=86400)
    """After so long without a refresh a call is over for us, where the peer knows session timers
    (RFC 4028): it may have lost its network."""
    min_session_expires_s: int = Field(default=90, ge=90, le=86400)
    "A peer that wants to be refreshed more often is asked for this (422)."
