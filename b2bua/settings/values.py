"""Values of the configuration as they are written in the file."""

import ipaddress
from typing import Annotated, Final, TypeVar

from pydantic import Field

from rtp.srtp import is_available
from sip.address import HostPort, Transport
from sip.errors import LocalProtocolError
from sip.secure_media import Srtp

T = TypeVar("T")

NOT_INSTALLED: Final = "SRTP needs pylibsrtp: install the extra `srtp`"

Number = Annotated[str, Field(pattern=r"^\+?[0-9]{1,32}$")]
"Of a telephone, as it is dialled or comes from a trunk."

ExtensionNumber = Annotated[str, Field(pattern=r"^[0-9]{2,15}$")]


TRANSPORTS: Final[dict[str, Transport]] = {"udp": "UDP", "tcp": "TCP", "tls": "TLS"}
"As the configuration writes them, and as SIP does."

PRIVATE_NETWORKS: Final = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)
"RFC 1918, 3927, 4193 and what a host has for itself."


def sip_host_ports(value: object) -> object:
    return _host_ports(value, 5060)


def dns_host_ports(value: object) -> object:
    return _host_ports(value, 53)


def _host_ports(value: object, default_port: int) -> object:
    """Read one address or a list of them."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        return value
    return tuple(_host_port(each, default_port) for each in texts)


def _host_port(value: object, default_port: int) -> object:
    if not isinstance(value, str):
        return value
    try:
        return HostPort.parse(value, default_port=default_port)
    except LocalProtocolError as error:
        raise ValueError(str(error)) from error


def web_host_port(value: object) -> object:
    return _host_port(value, 8080)


def numeric(value: str) -> str:
    return str(ipaddress.ip_network(value)) if "/" in value else str(ipaddress.ip_address(value))


def numeric_or_auto(value: str) -> str:
    if value != "auto":
        ipaddress.ip_address(value)
    return value


def numeric_host(value: str) -> str:
    return str(ipaddress.ip_address(value))


def numeric_network(value: str) -> str:
    return str(ipaddress.ip_network(value))


def one_of_a_family(value: tuple[str, ...]) -> tuple[str, ...]:
    if len({":" in each for each in value}) != len(value):
        raise ValueError("at most one IPv4 and one IPv6 address")
    return value


def each_once(value: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(value)) != len(value):
        raise ValueError("one stands there twice")
    return value


def installed(value: Srtp) -> Srtp:
    """Refuse a wish for SRTP where it can't be done."""
    if value is not Srtp.OFF and not is_available():
        raise ValueError(NOT_INSTALLED)
    return value


def is_wildcard(host: str) -> bool:
    """Tell whether a listening address means every interface."""
    return ipaddress.ip_address(host).is_unspecified
