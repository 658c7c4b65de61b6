"""The configuration: one TOML file into frozen models; an unknown key is an error with its line."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator
from pydantic_core import ErrorDetails

from b2bua.errors import ConfigError
from b2bua.settings.dtmf import DtmfConfig
from b2bua.settings.groups import GroupConfig
from b2bua.settings.lamps import LampsConfig
from b2bua.settings.media import MediaConfig
from b2bua.settings.music import MusicConfig
from b2bua.settings.recording import CodesConfig, ConsentConfig, RecordingConfig, StorageConfig
from b2bua.settings.section import Section
from b2bua.settings.sip import SipConfig
from b2bua.settings.tls import TlsConfig
from b2bua.settings.trunks import EmergencyConfig, RouteConfig, TrunkConfig
from b2bua.settings.web import WebConfig
from b2bua.toml_lines import line_of
from sip.secure_media import Srtp

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


def _grouped_twice(numbers: list[str]) -> Iterator[_Misfit]:
    for place, number in enumerate(numbers):
        if number in numbers[:place]:
            yield ("group", str(place), "number"), f"there are two groups with number {number}"


class Config(Section):
    """The whole file."""

    sip: SipConfig = SipConfig()
    tls: TlsConfig = TlsConfig()
    media: MediaConfig = MediaConfig()
    recording: RecordingConfig = RecordingConfig()
    consent: ConsentConfig = ConsentConfig()
    codes: CodesConfig = CodesConfig()
    music: MusicConfig = MusicConfig()
    dtmf: DtmfConfig = DtmfConfig()
    lamps: LampsConfig = LampsConfig()
    emergency: EmergencyConfig = EmergencyConfig()
    storage: StorageConfig = StorageConfig()
    web: WebConfig = WebConfig()
    trunk: tuple[TrunkConfig, ...] = ()
    route: tuple[RouteConfig, ...] = ()
    group: tuple[GroupConfig, ...] = ()

    @model_validator(mode="after")
    def _sections_fit(self) -> "Config":
        misfits = [
            *self._without_certificate(),
            *self._keys_in_the_clear(),
            *_named_twice([trunk.name for trunk in self.trunk]),
            *_grouped_twice([group.number for group in self.group]),
            *self._unknown_trunks({trunk.name for trunk in self.trunk}),
        ]
        if misfits:
            raise _MisfitsError(misfits)
        return self

    def _without_certificate(self) -> Iterator[_Misfit]:
        """Tell what needs TLS, or certificates, that are not there."""
        yield from self._trunks_without_tls()
        if "tls" not in self.sip.transports:
            return
        for name in ("certificate", "key"):
            if getattr(self.tls, name) is None:
                yield ("sip", "transports"), f"tls needs {name} in [tls]"
        for place, bind in enumerate(self.sip.listen):
            if self.tls.port == bind.port != 0:
                yield ("sip", "listen", str(place)), "has the port of [tls]"

    def _keys_in_the_clear(self) -> Iterator[_Misfit]:
        """Name each wish for SRTP that would come to nothing, for want of TLS."""
        if self.media.srtp_without_tls:
            return
        default = self.media.srtp
        if default is not Srtp.OFF and "tls" not in self.sip.transports:
            yield ("media", "srtp"), "its keys need TLS: see transports in [sip]"
            return
        for place, trunk in enumerate(self.trunk):
            # A default that is optional means: with those who can.
            wanted = trunk.srtp or (default if default is Srtp.REQUIRED else Srtp.OFF)
            if wanted is not Srtp.OFF and trunk.sip_transport != "TLS":
                yield ("trunk", str(place), "srtp"), 'its keys need transport = "tls"'

    def _trunks_without_tls(self) -> Iterator[_Misfit]:
        off = "tls" not in self.sip.transports
        for place, trunk in enumerate(self.trunk):
            if off and trunk.sip_transport == "TLS":
                yield ("trunk", str(place), "transport"), "tls is not among the transports"
            if trunk.client_certificate and (off or self.tls.client_ca is None):
                where = ("trunk", str(place), "client_certificate")
                yield where, "needs tls among the transports, and client_ca in [tls]"

    def _unknown_trunks(self, names: set[str]) -> Iterator[_Misfit]:
        wanted: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
            (("route", str(i), "trunk"), each.trunk) for i, each in enumerate(self.route)
        ]
        wanted.append((("emergency", "trunk"), self.emergency.trunk))
        for place, called in wanted:
            for name in called:
                if name not in names:
                    yield place, f"there is no trunk named {name}"

    def warnings(self) -> list[str]:
        """Return what works as configured, but hardly as meant."""
        found = []
        if self.tls.certificate is not None and "tls" not in self.sip.transports:
            found.append("[tls] has a certificate, and tls is not among the transports in [sip]")
        if self.trunk:
            return found
        numbers = " and ".join(self.emergency.numbers)
        return [
            *found,
            f"NO ROUTE FOR EMERGENCY CALLS: {numbers} reach nobody, there is no [[trunk]]",
        ]


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


def describe(config: Config) -> dict[str, Any]:
    """Return the configuration in effect, for `check-config --json`."""
    return config.model_dump(mode="json", exclude_none=True, fallback=str)
