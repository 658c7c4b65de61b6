"""What can be played: the same audio in both laws of G.711, ready to be sliced into packets.

Without numpy: the signalling process loads prompts and a media worker plays them, and
neither of them imports it. `codec/g711.py` does the same with arrays; a test holds the
two against each other for all 65,536 samples.
"""

from array import array
from dataclasses import dataclass
from functools import cache
from typing import Final

SAMPLE_RATE: Final = 8000
"Hz, of everything in this package."

SAMPLES_PER_MS: Final = SAMPLE_RATE // 1000
"An octet of G.711 is a sample, so this is octets per ms as well."

PCMA_SILENCE: Final = 0xD5
PCMU_SILENCE: Final = 0xFF


@dataclass(frozen=True, slots=True)
class Sound:
    """G.711 octets of one piece of audio, 8 kHz mono."""

    pcma: bytes
    pcmu: bytes

    @property
    def duration_ms(self) -> int:
        """Whole milliseconds."""
        return len(self.pcma) // SAMPLES_PER_MS

    @classmethod
    def from_pcm(cls, pcm: "array[int]") -> "Sound":
        """Encode samples; `pcm` is an array of type `h`."""
        unsigned = memoryview(pcm).cast("B").cast("H")
        alaw, mulaw = _alaw_codes(), _mulaw_codes()
        return cls(
            bytes([alaw[sample >> 3] for sample in unsigned]),
            bytes([mulaw[sample >> 2] for sample in unsigned]),
        )


def silence(duration_ms: int) -> Sound:
    """Return silence."""
    samples = duration_ms * SAMPLES_PER_MS
    return Sound(bytes([PCMA_SILENCE]) * samples, bytes([PCMU_SILENCE]) * samples)


@cache
def _alaw_codes() -> bytes:
    """Return the A-law codes of all 13-bit samples, indexed by the sample as unsigned."""
    return bytes(_alaw(sample if sample < 4096 else sample - 8192) for sample in range(8192))


@cache
def _mulaw_codes() -> bytes:
    """Return the µ-law codes of all 14-bit samples, indexed by the sample as unsigned."""
    return bytes(_mulaw(sample if sample < 8192 else sample - 16384) for sample in range(16384))


def _alaw(sample: int) -> int:
    """Return the code of a 13-bit sample: ITU-T G.711 (11/1988), table 1."""
    magnitude = sample if sample >= 0 else -1 - sample
    segment = max(magnitude.bit_length() - 5, 0)
    step = magnitude >> max(segment, 1) & 15
    # Transmitted with the even bits inverted.
    return (segment << 4 | step | (0x80 if sample >= 0 else 0)) ^ 0x55


def _mulaw(sample: int) -> int:
    """Return the code of a 14-bit sample: ITU-T G.711 (11/1988), table 2."""
    magnitude = min(abs(sample), 8158) + 33
    segment = magnitude.bit_length() - 6
    step = magnitude >> segment + 1 & 15
    # Transmitted inverted.
    return ~(segment << 4 | step | (0x80 if sample < 0 else 0)) & 0xFF
