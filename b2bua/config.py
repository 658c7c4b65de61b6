"""The configuration: one TOML file into frozen models; an unknown key is an error with its place.

Sections whose keys arrive with their function (`[consent]`, `[web]`, `[[trunk]]`, `[[route]]`)
are known but empty until then: a setting that does nothing would be worse than none.
"""

import ipaddress
import re
import tomllib
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

from b2bua.errors import ConfigError
from sip.address import HostPort
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


def _port_range(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", value)
    if match is None:
        raise ValueError('expected a range such as "20000-29999"')
    return {"low": int(match[1]), "high": int(match[2])}


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) != len(value):
        raise ValueError("something stands there twice")
    return value


def _numeric_or_auto(value: str) -> str:
    if value != "auto":
        ipaddress.ip_address(value)
    return value


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
    """`[recording]`: the file."""

    quality: int = Field(default=7, ge=0, le=9)
    "LAME's own scale: 0 best and slowest, 9 fastest."
    min_duration_s: float = Field(default=2.0, ge=0.0, le=60.0)
    "A shorter recording is removed, its outcome is `too_short`."


class StorageConfig(Section):
    """`[storage]`: where finished recordings stand."""

    folder: Path | None = None
    "Default: `recordings` in the data folder."


class EmptySection(Section):
    """A section that has no keys in this version."""


class Config(Section):
    """The whole file."""

    sip: SipConfig = SipConfig()
    media: MediaConfig = MediaConfig()
    recording: RecordingConfig = RecordingConfig()
    consent: EmptySection = EmptySection()
    storage: StorageConfig = StorageConfig()
    web: EmptySection = EmptySection()
    trunk: tuple[EmptySection, ...] = ()
    route: tuple[EmptySection, ...] = ()


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
    lines = []
    for item in error.errors():
        keys = [str(part) for part in item["loc"]]
        place = _line_of(text, keys)
        what = "unknown key" if item["type"] == "extra_forbidden" else _plain(item["msg"])
        lines.append(f"{name}:{place}: {'.'.join(keys)}: {what}")
    return lines


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


def _line_of(text: str, keys: list[str]) -> int:
    """Return the line (from 1) where the key of this path stands, or its section, or 1."""
    table: list[str] = []
    found = 1
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#", 1)[0].strip()
        if header := re.fullmatch(r"\[\[?\s*([^\]]+?)\s*\]\]?", line):
            table = [part.strip().strip("\"'") for part in header[1].split(".")]
            if keys[: len(table)] == table:
                found = number
        elif "=" in line:
            path = [*table, *(p.strip().strip("\"'") for p in line.split("=", 1)[0].split("."))]
            named = [key for key in keys if not key.isdigit()]
            if named[: len(path)] == path:
                return number
    return found


def is_wildcard(host: str) -> bool:
    """Tell whether a listening address means every interface."""
    return ipaddress.ip_address(host).is_unspecified


def describe(config: Config) -> dict[str, Any]:
    """Return the configuration in effect, for `check-config --json`."""
    return config.model_dump(mode="json", exclude_none=True, fallback=str)
