"""What held parties hear: the shipped piece, or the operator's own.

A plain WAV file (8 kHz, mono, 16 bits), so that loading it takes no numpy; `ivr/conditioning.py`
makes one of any other. The shipped one comes from `scripts/make_hold_music.py`.
"""

import sys
from array import array
from pathlib import Path
from typing import Final

from ivr.sound import SAMPLE_RATE, Sound
from ivr.wav import WavError, read_wav

SHIPPED: Final = Path(__file__).parent / "music" / "hold.wav"

NAME: Final = "music/hold"
"What a player calls the sound."

LONGEST_S: Final = 60
"Then it begins again. Both laws of it have to fit into one message to a media worker."

SHORTEST_S: Final = 1


class HoldMusicError(Exception):
    """The file can't be played; the text names it and says why."""


def load(path: Path = SHIPPED) -> Sound:
    """Return the music; raises `HoldMusicError`."""
    try:
        wav = read_wav(path.read_bytes())
    except OSError as error:
        raise HoldMusicError(f"{path}: {error.strerror}") from error
    except WavError as error:
        raise HoldMusicError(f"{path}: not a plain PCM WAV file: {error}") from error
    if (wav.rate, wav.channels, wav.width) != (SAMPLE_RATE, 1, 2):
        found = f"{wav.rate} Hz, {wav.channels} channels, {8 * wav.width} bits"
        raise HoldMusicError(
            f"{path}: {found} instead of 8000 Hz, mono, 16 bits; `mitschnitt music convert` helps"
        )
    samples = array("h", wav.data[: len(wav.data) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    if not SHORTEST_S * SAMPLE_RATE <= len(samples) <= LONGEST_S * SAMPLE_RATE:
        length = len(samples) / SAMPLE_RATE
        raise HoldMusicError(f"{path}: {length:.1f} s long; {SHORTEST_S} to {LONGEST_S} s can loop")
    return Sound.from_pcm(samples)
