"""G.711: A-law and µ-law to 16-bit linear PCM and back; `codec/laws.py` is law to law.

All by table. The tables are computed here from the segments of ITU-T G.711 (11/1988),
tables 1 and 2, at import: 256 entries each way of reading, 8,192 or 16,384 for writing.
Linear samples are the 13 bits of A-law and the 14 bits of µ-law, left-justified in 16.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec.laws import PCMA_TO_PCMU, PCMU_TO_PCMA

__all__ = [
    "ALAW_CODES",
    "ALAW_VALUES",
    "MULAW_CODES",
    "MULAW_VALUES",
    "PCMA_TO_PCMU",
    "PCMU_TO_PCMA",
    "decode_alaw",
    "decode_mulaw",
    "encode_alaw",
    "encode_mulaw",
]

_ALAW_INVERSION: Final = 0x55
"G.711 transmits A-law with its even bits inverted."

_MULAW_BIAS: Final = 33
"In units of 14 bits: makes each µ-law segment begin at a power of two."


def _alaw_values() -> NDArray[np.int16]:
    """Return the decoder output values of A-law by code, 13 bits left-justified in 16."""
    code = np.arange(256) ^ _ALAW_INVERSION
    segment, step = code >> 4 & 7, code & 15
    # Segments 0 and 1 share their step of 2; from there each doubles the one before. The
    # output value lies in the middle of its interval.
    magnitude = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, 8 * magnitude, -8 * magnitude).astype(np.int16)


def _mulaw_values() -> NDArray[np.int16]:
    """Return the decoder output values of µ-law by code, 14 bits left-justified in 16."""
    code = ~np.arange(256) & 0xFF
    segment, step = code >> 4 & 7, code & 15
    magnitude = ((2 * step + _MULAW_BIAS) << segment) - _MULAW_BIAS
    return np.where(code & 0x80, -4 * magnitude, 4 * magnitude).astype(np.int16)


def _alaw_codes() -> NDArray[np.uint8]:
    """Return the A-law codes of all 13-bit samples, indexed by the sample as unsigned.

    A decision value belongs to the interval above it, for negative samples to the one
    nearer to zero once they are counted from -1: the same number of samples on each side.
    """
    sample = np.arange(8192)
    negative = sample >= 4096
    magnitude = np.where(negative, 8191 - sample, sample)  # -1 -> 0, like +0
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(int) - 4, 0)
    step = magnitude >> np.maximum(segment, 1) & 15
    code = segment << 4 | step | np.where(negative, 0, 0x80)
    codes: NDArray[np.uint8] = (code ^ _ALAW_INVERSION).astype(np.uint8)
    return codes


def _mulaw_codes() -> NDArray[np.uint8]:
    """Return the µ-law codes of all 14-bit samples, indexed by the sample as unsigned."""
    sample = np.arange(16384)
    negative = sample >= 8192
    magnitude = np.minimum(np.where(negative, 16384 - sample, sample), 8158) + _MULAW_BIAS
    segment = np.floor(np.log2(magnitude)).astype(int) - 5
    step = magnitude >> segment + 1 & 15
    code = ~(segment << 4 | step | np.where(negative, 0x80, 0)) & 0xFF
    codes: NDArray[np.uint8] = code.astype(np.uint8)
    return codes


ALAW_VALUES: Final = _alaw_values()
MULAW_VALUES: Final = _mulaw_values()
ALAW_CODES: Final = _alaw_codes()
MULAW_CODES: Final = _mulaw_codes()


def decode_alaw(payload: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return the samples of A-law octets, same shape, 8 kHz unless the stream says else."""
    return ALAW_VALUES[payload]


def decode_mulaw(payload: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return the samples of µ-law octets, same shape."""
    return MULAW_VALUES[payload]


def encode_alaw(pcm: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return the A-law octets of samples, same shape."""
    codes: NDArray[np.uint8] = ALAW_CODES[pcm.view(np.uint16) >> 3]
    return codes


def encode_mulaw(pcm: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return the µ-law octets of samples, same shape."""
    codes: NDArray[np.uint8] = MULAW_CODES[pcm.view(np.uint16) >> 2]
    return codes
