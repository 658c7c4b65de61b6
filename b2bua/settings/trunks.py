"""`[[trunk]]`, `[[route]]`, `[emergency]`: the ways outside."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from b2bua.dial_pattern import DialPattern, DialPatternError
from b2bua.settings.section import Section
from b2bua.settings.values import TRANSPORTS, ExtensionNumber, Number
from sip.address import HostPort, Transport
from sip.errors import LocalProtocolError


@dataclass(frozen=True, slots=True)
class TrunkAddress:
    """Where a trunk is, and what its requests come from."""

    host: str
    port: int | None
    "None: they may come from any port, and ours go to 5060."

    def __str__(self) -> str:
        return self.host if self.port is None else str(HostPort(self.host, self.port))


def _trunk_address(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        parsed = HostPort.parse(value, default_port=0)
    except LocalProtocolError as error:
        raise ValueError(str(error)) from error
    return TrunkAddress(parsed.host, parsed.port or None)


def _dial_pattern(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return DialPattern.parse(value)
    except DialPatternError as error:
        raise ValueError(str(error)) from error


class EmergencyConfig(Section):
    """`[emergency]`: numbers that go before every rule and limit and are never recorded."""

    numbers: tuple[Annotated[str, Field(pattern=r"^[0-9]{2,8}$")], ...] = ("110", "112")
    exit_digits: tuple[Annotated[str, Field(pattern=r"^[0-9*#]{1,4}$")], ...] = ("0",)
    "What people dial before an outside number; the emergency numbers are known behind it, too."
    trunk: str = ""
    "Name of the trunk that takes them; empty: the first one."


class TrunkConfig(Section):
    """`[[trunk]]`: a peer that is known by its address."""

    name: str = Field(min_length=1, max_length=40, pattern=r"^[!-~]+$")
    address: Annotated[TrunkAddress, BeforeValidator(_trunk_address)]
    "`192.0.2.1`, or `192.0.2.1:5080`: then only what comes from that port is the trunk."
    transport: Literal["udp", "tcp", "tls"] = "udp"
    dids: dict[Number, ExtensionNumber] = Field(default_factory=dict)
    "Numbers that the trunk calls, and whose they are; an extension's own number always works."
    caller_id: Number | None = None
    "Shown to those whom we call; default: the extension's number."

    @property
    def sip_transport(self) -> Transport:
        """The transport as Via names it."""
        return TRANSPORTS[self.transport]


class RouteConfig(Section):
    """`[[route]]`: a dial rule. What no rule allows can't be called outside."""

    pattern: Annotated[DialPattern, BeforeValidator(_dial_pattern)]
    trunk: str
    strip: int = Field(default=0, ge=0, le=32)
    "Digits that are taken off the front."
    prepend: str = Field(default="", pattern=r"^\+?[0-9]{0,16}$")
    extensions: tuple[str, ...] = ()
    "Who may use the rule; empty: everybody."
