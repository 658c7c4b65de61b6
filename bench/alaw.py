"""G.711 A-law for the bench, by table (ITU-T G.711 section 2).

The bench shares no code with the server, so that a wrong table there can't hide itself.
"""

import numpy as np
from numpy.typing import NDArray

SEGMENTS = 8
INVERSION = 0x55
"Even bits are inverted on the line."


def _decode_table() -> NDArray[np.int16]:
    codes = np.arange(256) ^ INVERSION
    segment = (codes >> 4) & 7
    mantissa = codes & 15
    linear = (mantissa << 4) + 8
    linear = np.where(segment > 0, (linear + 256) << np.maximum(segment - 1, 0), linear)
    return np.where(codes & 0x80, linear, -linear).astype(np.int16)


def _encode_table() -> NDArray[np.uint8]:
    """Nearest code for each of the 65,536 values, indexed by the value as uint16."""
    levels = DECODE[np.arange(256)].astype(np.int32)
    order = np.argsort(levels)
    edges = (levels[order][1:] + levels[order][:-1]) / 2
    values = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int32)
    return order[np.searchsorted(edges, values)].astype(np.uint8)


DECODE = _decode_table()
"int16 by code."
ENCODE = _encode_table()
"code by sample seen as uint16."


def decode(codes: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return samples of the same shape."""
    return DECODE[codes]


def encode(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return codes of the same shape."""
    return ENCODE[samples.view(np.uint16)]
