"""`[media]`: ports, processes and limits of the RTP side."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from b2bua.settings.section import Section
from b2bua.settings.values import ExtensionNumber, installed
from sip.secure_media import Srtp

LatchChoice = Literal["auto", "exact", "same_address", "nat"]
"""`exact`: only what SDP names. `same_address`: also another port there. `nat`: also any port of
the address that the signalling comes from. `auto`: `nat` where SDP names a private address and
the signalling comes from a public one, else `exact`."""

RTP_PORTS_PER_LEG = 2
LEGS_PER_CALL = 2


def _port_range(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", value)
    if match is None:
        raise ValueError('expected a range such as "20000-29999"')
    return {"low": int(match[1]), "high": int(match[2])}


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


class MediaConfig(Section):
    """`[media]`: the RTP side."""

    ports: Annotated[PortRange, BeforeValidator(_port_range)] = PortRange(low=20000, high=29999)
    workers: int = Field(default=1, ge=1, le=64)
    recorders: int = Field(default=1, ge=1, le=64)
    max_calls: int = Field(default=200, ge=1, le=10000)
    max_transcoded: int = Field(default=20, ge=0, le=10000)
    "Calls whose sides share no codec and are connected all the same; 0: none are."
    wideband_after_menu: bool = False
    "Offer both sides G.722 or Opus when nothing more is asked, by re-INVITE."
    latch: LatchChoice = "auto"
    "Which sources the leg of a telephone may take, beside the one that it names."
    latches: dict[ExtensionNumber, LatchChoice] = Field(default_factory=dict)
    "Of extensions that need another one."
    srtp: Srtp = Srtp.OFF
    "Of extensions and trunks that name nothing of their own; `off`, `optional` or `required`."
    srtp_without_tls: bool = False
    """Whether keys go over UDP and TCP as well, where everybody on the way can read them. For
    networks that are closed by other means."""
    timeout_s: float = Field(default=60.0, ge=1.0, le=3600.0)
    "A call whose legs are both silent for this long is ended."

    @field_validator("srtp")
    @classmethod
    def _can_do_srtp(cls, value: Srtp) -> Srtp:
        return installed(value)

    @model_validator(mode="after")
    def _ports_suffice(self) -> "MediaConfig":
        needed = self.max_calls * LEGS_PER_CALL
        if self.ports.legs < needed:
            raise ValueError(
                f"max_calls = {self.max_calls} needs {needed} port pairs, "
                f"the range holds {self.ports.legs}"
            )
        return self
