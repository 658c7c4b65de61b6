"""Who says what in the demo's call, and the WAV files that say it (`scripts/make_demo_speech.py`).

The files have 8 bits because the telephones (pyVoIP) have: what is committed is what is sent.
"""

import wave
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

import numpy as np

from b2bua.demo.hearing import RATE, Pcm

SPEECH: Final = Path(__file__).parent / "speech"

MARKER_S: Final = 1.2
MARKER_HZ: Final = (500.0, 1500.0)
"It rises, so that it is like no tone of a network and no voice."


class Speaker(Enum):
    CALLER = "caller"
    CLERK = "clerk"


@dataclass(frozen=True, slots=True)
class Line:
    """What one of both says in one breath."""

    name: str
    speaker: Speaker
    text: str

    @property
    def path(self) -> Path:
        return SPEECH / f"{self.name}.wav"

    @property
    def pcm(self) -> Pcm:
        """The samples of the file."""
        return read_speech(self.path)


GREETING: Final = Line("greeting", Speaker.CLERK, "Gärtnerei Sommer, Weber, guten Tag!")
ORDER: Final = Line("order", Speaker.CALLER, "Krüger hier. Ich möchte zwölf Rosen bestellen.")
ANNOUNCED: Final = Line(
    "announced", Speaker.CLERK, "Gern. Für die Kartennummer halte ich die Aufzeichnung an."
)
CARD: Final = Line("card", Speaker.CALLER, "Sie lautet vier, sieben, eins, eins.")
NOTED: Final = Line("noted", Speaker.CLERK, "Danke, die ist notiert.")
RESUMED: Final = Line(
    "resumed", Speaker.CLERK, "Es wird wieder aufgezeichnet. Wir liefern am Freitag."
)
THANKS: Final = Line("thanks", Speaker.CALLER, "Vielen Dank und auf Wiederhören!")

FIRST_PART: Final = (GREETING, ORDER, ANNOUNCED)
"Recorded."
UNRECORDED: Final = (CARD, NOTED)
"Said while the recording is off."
SECOND_PART: Final = (RESUMED, THANKS)
"Recorded again."
ALL: Final = (*FIRST_PART, *UNRECORDED, *SECOND_PART)


def marker() -> Pcm:
    """Return the tone that the caller makes before the key: it may be in no recording."""
    seconds = np.arange(round(MARKER_S * RATE)) / RATE
    low, high = MARKER_HZ
    phase = 2 * np.pi * (low * seconds + (high - low) * seconds**2 / (2 * MARKER_S))
    return np.asarray(np.rint(10_000 * np.sin(phase)), dtype=np.int16)


def read_speech(path: Path) -> Pcm:
    """Return the samples of a mono WAV file of 8 kHz, with 8 bits or 16."""
    with wave.open(str(path)) as file:
        channels, width, rate, *_ = file.getparams()
        octets = file.readframes(file.getnframes())
    if (channels, rate) != (1, RATE):
        raise ValueError(f"{path} is not mono with {RATE} Hz")
    if width == 1:
        return ((np.frombuffer(octets, np.uint8).astype(np.int16) - 128) << 8).astype(np.int16)
    return np.frombuffer(octets, "<i2").astype(np.int16)


def write_speech(path: Path, pcm: Pcm) -> None:
    """Write a WAV file of 8 bits, as the telephones want them."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(RATE)
        # Half a step is added, so that rounding does not shift the wave.
        steps = np.clip((pcm.astype(np.int32) + 128) >> 8, -128, 127) + 128
        file.writeframes(steps.astype(np.uint8).tobytes())
