"""`[recording]`, `[storage]`, `[consent]`, `[codes]`: the file, and how it comes about."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from b2bua.settings.section import Section
from ivr.prompts import PromptId
from ivr.star_codes import StarCodeError, StarCodes


def _star_code(value: str) -> str:
    try:
        StarCodes([value])
    except StarCodeError as error:
        raise ValueError(str(error)) from error
    return value


class RecordingConfig(Section):
    """`[recording]`: the file; what it does to the sound is told in `recording/spec.py`."""

    quality: int = Field(default=7, ge=0, le=9)
    "LAME's own scale: 0 best and slowest, 9 fastest."
    sample_rate: Literal[8000, 16000, 24000, "auto"] = "auto"
    """Hz; auto: 16,000 where one of the parties speaks a wideband codec when it begins, else
    8,000. 24,000 sounds best for everybody."""
    channels: Literal["mono", "stereo"] = "mono"
    level: bool = False
    blank_dtmf: bool = True
    announcements: bool = False
    "Whether what we say to the parties (beeps, announcements) is in the file too."
    hold_music: bool = False
    "Whether the music that a held party hears is."
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
    withhold_number: str = Field(default="*31#", pattern=r"^([*#][0-9*#]{0,7}[*#])?$")
    "Dialled before a number outside: it is not told who calls. Empty: no such code."
    pickup: str = Field(default="*8", pattern=r"^([*#][0-9*#]{0,7})?$")
    "Dialled before the number of an extension: its telephone's ringing call. Empty: no such code."

    @model_validator(mode="after")
    def _each_means_one_thing(self) -> "CodesConfig":
        for name in ("record", "withhold_number"):
            if self.pickup and getattr(self, name).startswith(self.pickup):
                raise ValueError(f"{name} begins with the code of pickup")
        return self
