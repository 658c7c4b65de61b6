"""PCM WAV files, from octets that may be anything."""

import struct
import wave
from dataclasses import dataclass
from io import BytesIO


class WavError(Exception):
    """The octets are no WAV file with PCM samples."""


@dataclass(frozen=True, slots=True)
class Wav:
    """A WAV file's samples as they are."""

    rate: int
    "Hz."
    channels: int
    width: int
    "Octets per sample; one octet is unsigned, more are signed and little-endian."
    data: bytes


def read_wav(octets: bytes) -> Wav:
    """Return what the file holds, as much of it as is there; raises `WavError`."""
    try:
        with wave.open(BytesIO(octets)) as wav:
            form = wav.getframerate(), wav.getnchannels(), wav.getsampwidth()
            return Wav(*form, wav.readframes(wav.getnframes()))
    except wave.Error as error:
        raise WavError(str(error)) from None
    except (EOFError, RuntimeError, struct.error, ArithmeticError):
        # The module seeks and divides by what a broken header says.
        raise WavError("it is cut off or broken") from None
