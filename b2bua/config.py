"""The configuration: one TOML file into frozen models; an unknown key is an error with its line."""

import ipaddress
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from b2bua.dial_pattern import DialPattern, DialPatternError
from b2bua.errors import ConfigError
from b2bua.toml_lines import line_of
from ivr.prompts import PromptId
from ivr.star_codes import StarCodeError, StarCodes
from sip.address import HostPort, Transport
from sip.digest import Algorithm
from sip.errors import LocalProtocolError

RTP_PORTS_PER_LEG = 2
LEGS_PER_CALL = 2


def _host_port(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return HostPort.parse(value, default_port=5060)
    except LocalProtocolError as error:
        raise ValueError(str(error)) from error


def _web_host_port(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return HostPort.parse(value, default_port=8080)
    except LocalProtocolError as error:
        raise ValueError(str(error)) from error


def _numeric(value: str) -> str:
    return str(ipaddress.ip_network(value)) if "/" in value else str(ipaddress.ip_address(value))


def _port_range(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", value)
    if match is None:
        raise ValueError('expected a range such as "20000-29999"')
    return {"low": int(match[1]), "high": int(match[2])}


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


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) != len(value):
        raise ValueError("a transport stands there twice")
    return value


def _numeric_or_auto(value: str) -> str:
    if value != "auto":
        ipaddress.ip_address(value)
    return value


def _dial_pattern(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return DialPattern.parse(value)
    except DialPatternError as error:
        raise ValueError(str(error)) from error


def _star_code(value: str) -> str:
    try:
        StarCodes([value])
    except StarCodeError as error:
        raise ValueError(str(error)) from error
    return value


Number = Annotated[str, Field(pattern=r"^\+?[0-9]{1,32}$")]
"Of a telephone, as it is dialled or comes from a trunk."


class Section(BaseModel):
    """A section of the file: frozen, and strict about what it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class PortRange(Section):
    """UDP ports, both ends included."""

    low: int = Field(ge=1024, le=65534)
    high: int = Field(ge=1025, le=65535)

    @model_validator(mode="after")
    def _ordered(self) -> "PortRange":
        if self.high - self.low < RTP_PORTS_PER_LEG:
            raise ValueError("the range holds no pair of ports")
        return self

    @property
    def legs(self) -> int:
        """How many legs find a pair of ports."""
        return (self.high - self.low + 1) // RTP_PORTS_PER_LEG


class SipConfig(Section):
    """`[sip]`: where phones reach the server."""

    listen: Annotated[HostPort, BeforeValidator(_host_port)] = HostPort("0.0.0.0", 5060)  # noqa: S104 - phones come from the network
    transports: Annotated[
        tuple[Literal["udp", "tcp"], ...], Field(min_length=1), AfterValidator(_each_once)
    ] = ("udp", "tcp")
    "All on the port of `listen`. One is enough, and it may be TCP: nothing needs UDP here."
    advertise: Annotated[str, AfterValidator(_numeric_or_auto)] = "auto"
    "Address in Via, Contact and SDP; `auto` takes that of `listen`, or of the default route."
    realm: str = Field(default="mitschnitt", min_length=1, max_length=64, pattern=r"^[!-~]+$")
    digest_algorithms: tuple[Algorithm, ...] = Field(default=("MD5",), min_length=1, max_length=2)
    """Offered in this order. SHA-256 beside MD5 is what RFC 8760 wants, but baresip 1.0 and its
    kin give up on a challenge that they don't know, so it is switched on by the operator."""
    allow_digest_without_qop: bool = True
    min_expires_s: int = Field(default=60, ge=1, le=3600)
    max_expires_s: int = Field(default=3600, ge=60, le=86400)
    max_contacts: int = Field(default=5, ge=1, le=20)
    ring_timeout_s: int = Field(default=60, ge=5, le=300)
    max_calls_per_extension: int = Field(default=4, ge=1, le=1000)
    "An extension in so many calls is busy for the next one."


class MediaConfig(Section):
    """`[media]`: the RTP side."""

    ports: Annotated[PortRange, BeforeValidator(_port_range)] = PortRange(low=20000, high=29999)
    workers: int = Field(default=1, ge=1, le=64)
    recorders: int = Field(default=1, ge=1, le=64)
    max_calls: int = Field(default=200, ge=1, le=10000)
    timeout_s: float = Field(default=60.0, ge=1.0, le=3600.0)
    "A call whose legs are both silent for this long is ended."

    @model_validator(mode="after")
    def _ports_suffice(self) -> "MediaConfig":
        needed = self.max_calls * LEGS_PER_CALL
        if self.ports.legs < needed:
            raise ValueError(
                f"max_calls = {self.max_calls} needs {needed} port pairs, "
                f"the range holds {self.ports.legs}"
            )
        return self


class RecordingConfig(Section):
    """`[recording]`: the file; what it does to the sound is told in `recording/spec.py`."""

    quality: int = Field(default=7, ge=0, le=9)
    "LAME's own scale: 0 best and slowest, 9 fastest."
    sample_rate: Literal[8000, 16000] = 8000
    channels: Literal["mono", "stereo"] = "mono"
    level: bool = False
    blank_dtmf: bool = True
    min_duration_s: float = Field(default=2.0, ge=0.0, le=60.0)
    "A shorter recording is removed, its outcome is `too_short`."


class StorageConfig(Section):
    """`[storage]`: where finished recordings stand."""

    folder: Path | None = None
    "Default: `recordings` in the data folder."


class ConsentConfig(Section):
    """`[consent]`: how outside parties are asked."""

    language: Literal["de", "en"] = "de"
    "Of everything that is spoken."
    prompt: Literal["consent", "consent-otherwise"] = "consent"
    "The announcement; the second one also says what happens without a key."

    @property
    def question(self) -> PromptId:
        """The announcement at the begin of a call."""
        return PromptId(self.prompt)


class CodesConfig(Section):
    """`[codes]`: what an extension dials, in a call or as a call of its own."""

    record: Annotated[str, AfterValidator(_star_code)] = "*1"
    "Starts and stops the recording."


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
    transport: Literal["udp", "tcp"] = "udp"
    dids: dict[Number, Annotated[str, Field(pattern=r"^[0-9]{2,15}$")]] = {}
    "Numbers that the trunk calls, and whose they are; an extension's own number always works."
    caller_id: Number | None = None
    "Shown to those whom we call; default: the extension's number."

    @property
    def sip_transport(self) -> Transport:
        """The transport as Via names it."""
        return "TCP" if self.transport == "tcp" else "UDP"


class RouteConfig(Section):
    """`[[route]]`: a dial rule. What no rule allows can't be called outside."""

    pattern: Annotated[DialPattern, BeforeValidator(_dial_pattern)]
    trunk: str
    strip: int = Field(default=0, ge=0, le=32)
    "Digits that are taken off the front."
    prepend: str = Field(default="", pattern=r"^\+?[0-9]{0,16}$")
    extensions: tuple[str, ...] = ()
    "Who may use the rule; empty: everybody."


class WebConfig(Section):
    """`[web]`: the pages and the HTTP API."""

    enabled: bool = True
    listen: Annotated[HostPort, BeforeValidator(_web_host_port)] = HostPort("127.0.0.1", 8080)
    "The pages are for people of the house: other addresses only where the operator says so."
    public_url: str = Field(default="", pattern=r"^(https?://[^\s/?#]+)?$")
    "As browsers see us, where a proxy stands in front."
    proxies: tuple[Annotated[str, AfterValidator(_numeric)], ...] = ()
    "Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed."
    open_metrics: bool = False
    "`/metrics` without a token."
    session_idle_s: int = Field(default=3600, ge=60, le=30 * 86400)
    session_s: int = Field(default=12 * 3600, ge=60, le=30 * 86400)
    "In any case a new login after so long: a working day."


_Misfit = tuple[tuple[str, ...], str]
"A place in the file, and what is wrong there."


class _MisfitsError(ValueError):
    """Sections that don't fit together."""

    def __init__(self, misfits: list[_Misfit]) -> None:
        super().__init__("; ".join(what for _, what in misfits))
        self.misfits = misfits


def _named_twice(names: list[str]) -> Iterator[_Misfit]:
    for place, name in enumerate(names):
        if name in names[:place]:
            yield ("trunk", str(place), "name"), f"there are two trunks named {name}"


class Config(Section):
    """The whole file."""

    sip: SipConfig = SipConfig()
    media: MediaConfig = MediaConfig()
    recording: RecordingConfig = RecordingConfig()
    consent: ConsentConfig = ConsentConfig()
    codes: CodesConfig = CodesConfig()
    emergency: EmergencyConfig = EmergencyConfig()
    storage: StorageConfig = StorageConfig()
    web: WebConfig = WebConfig()
    trunk: tuple[TrunkConfig, ...] = ()
    route: tuple[RouteConfig, ...] = ()

    @model_validator(mode="after")
    def _trunks_known(self) -> "Config":
        misfits = [
            *_named_twice([trunk.name for trunk in self.trunk]),
            *self._unknown_trunks({trunk.name for trunk in self.trunk}),
        ]
        if misfits:
            raise _MisfitsError(misfits)
        return self

    def _unknown_trunks(self, names: set[str]) -> Iterator[_Misfit]:
        wanted: list[_Misfit] = [
            (("route", str(i), "trunk"), each.trunk) for i, each in enumerate(self.route)
        ]
        if self.emergency.trunk:
            wanted.append((("emergency", "trunk"), self.emergency.trunk))
        for place, name in wanted:
            if name not in names:
                yield place, f"there is no trunk named {name}"

    def warnings(self) -> list[str]:
        """Return what works as configured, but hardly as meant."""
        if self.trunk:
            return []
        numbers = " and ".join(self.emergency.numbers)
        return [f"NO ROUTE FOR EMERGENCY CALLS: {numbers} reach nobody, there is no [[trunk]]"]


def load(path: Path | None) -> Config:
    """Return the configuration of the file, or the defaults without one; raises `ConfigError`."""
    if path is None:
        return Config()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at octet {error.start}") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Config:
    """Return the configuration in `text`; `name` stands in the errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: {error}") from error
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_complaints(error, text, name))) from error


def _complaints(error: ValidationError, text: str, name: str) -> list[str]:
    return [
        f"{name}:{line_of(text, keys)}: {'.'.join(keys)}: {what}"
        for item in error.errors()
        for keys, what in _misfits(item)
    ]


def _misfits(item: ErrorDetails) -> list[_Misfit]:
    """Return what one error is about; one of the whole file may be about several places."""
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, _MisfitsError):
        return cause.misfits
    what = "unknown key" if item["type"] == "extra_forbidden" else _plain(item["msg"])
    return [(tuple(str(part) for part in item["loc"]), what)]


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


def is_wildcard(host: str) -> bool:
    """Tell whether a listening address means every interface."""
    return ipaddress.ip_address(host).is_unspecified


def describe(config: Config) -> dict[str, Any]:
    """Return the configuration in effect, for `check-config --json`."""
    return config.model_dump(mode="json", exclude_none=True, fallback=str)
