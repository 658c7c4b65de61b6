"""Where a message came from and where it goes: numeric hosts, ports and flows.

They are tuples, because each message looks things up by them.
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Literal, NamedTuple

from sip.errors import LocalProtocolError

Transport = Literal["UDP", "TCP", "TLS"]


@lru_cache(maxsize=1024)
def is_numeric(host: str) -> bool:
    """Tell whether a host is an address, without brackets, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def is_unspecified(host: str) -> bool:
    """Tell whether a host is `0.0.0.0` or `::`, in whatever spelling."""
    return is_numeric(host) and ip_address(host).is_unspecified


class HostPort(NamedTuple):
    """A numeric host and a port; IPv6 without brackets inside, with brackets in `str`."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.uri_host}:{self.port}"

    @property
    def uri_host(self) -> str:
        """The host as URIs, Via and Contact write it: IPv6 in brackets (RFC 3261 section 25)."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host

    @classmethod
    def parse(cls, text: str, default_port: int = 5060) -> "HostPort":
        """Parse `127.0.0.1`, `127.0.0.1:5060`, `::1`, `[::1]` or `[::1]:5060`.

        Raises `LocalProtocolError`: such texts come from the configuration.
        """
        host, port = text, str(default_port)
        if text.startswith("["):
            host, bracket, rest = text[1:].partition("]")
            if not bracket or (rest and not rest.startswith(":")):
                raise LocalProtocolError(f"not an address: {text!r}")
            port = rest[1:] if rest else port
        elif text.count(":") == 1:
            host, _, port = text.partition(":")
        try:
            address = ip_address(host)
        except ValueError as error:
            raise LocalProtocolError(f"not a numeric address: {text!r}") from error
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 0xFFFF):
            raise LocalProtocolError(f"not a port: {text!r}")
        if isinstance(address, IPv6Address) and address.scope_id:
            raise LocalProtocolError(f"an address with a zone: {text!r}")
        return cls(str(address), int(port))


class Flow(NamedTuple):
    """The two ends of what carries a message, in the words of RFC 5626 section 2."""

    transport: Transport
    local: HostPort
    "Our end: the socket's own address."
    remote: HostPort
    "The other end: the packet's source, and where answers go (RFC 3581)."
    server_name: str = ""
    """Over TLS the name that the other end's certificate must bear where we connect (RFC 5922);
    empty: its address."""

    @property
    def reliable(self) -> bool:
        """Whether the transport retransmits by itself (RFC 3261 section 17)."""
        return self.transport != "UDP"
