"""Values of the configuration as they are written in the file."""

import ipaddress
from typing import Annotated

from pydantic import Field

from sip.address import HostPort
from sip.errors import LocalProtocolError

Number = Annotated[str, Field(pattern=r"^\+?[0-9]{1,32}$")]
"Of a telephone, as it is dialled or comes from a trunk."

ExtensionNumber = Annotated[str, Field(pattern=r"^[0-9]{2,15}$")]


def sip_host_port(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return HostPort.parse(value, default_port=5060)
    except LocalProtocolError as error:
        raise ValueError(str(error)) from error


def web_host_port(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return HostPort.parse(value, default_port=8080)
    except LocalProtocolError as error:
        raise ValueError(str(error)) from error


def numeric(value: str) -> str:
    return str(ipaddress.ip_network(value)) if "/" in value else str(ipaddress.ip_address(value))


def numeric_or_auto(value: str) -> str:
    if value != "auto":
        ipaddress.ip_address(value)
    return value


def each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) != len(value):
        raise ValueError("a transport stands there twice")
    return value


def is_wildcard(host: str) -> bool:
    """Tell whether a listening address means every interface."""
    return ipaddress.ip_address(host).is_unspecified
