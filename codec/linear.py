"""G.711 and 16-bit linear samples by octets, without numpy.

For a media worker, which recodes a packet at a time and is to stay small. `codec/g711.py` does
the same with arrays; a test holds the two against each other for every code and every sample.
Samples are octets in the order of this machine, two each.
"""

import sys
from typing import Final, Literal

Law = Literal["PCMA", "PCMU"]

_ALAW_INVERSION: Final = 0x55
"G.711 transmits A-law with its even bits inverted."

_HIGH: Final = 1 if sys.byteorder == "little" else 0
"Which octet of a sample is the upper one."


def _alaw_runs() -> list[tuple[int, int, int]]:
    """Return number, output value and width of the 128 intervals, in units of 13 bits."""
    runs = []
    for number in range(128):
        segment, step = number >> 4, number & 15
        width = 2 << max(segment - 1, 0)
        first = step * 2 if segment == 0 else (step + 16) * width
        runs.append((number, first + width // 2, width))
    return runs


def _mulaw_runs() -> list[tuple[int, int, int]]:
    """Return number, output value and width of the 128 intervals, in units of 14 bits."""
    runs = []
    for number in range(128):
        segment, step = number >> 4, number & 15
        width = 2 << segment
        value = ((2 * step + 33) << segment) - 33
        # The first one reaches to both sides of zero, the last one takes all that is louder.
        runs.append((number, value, {0: 1, 127: width + 34}.get(number, width)))
    return runs


def _alaw() -> tuple[bytes, list[int]]:
    """Return the codes by sample (as unsigned, 65,536) and the samples by code."""
    runs = _alaw_runs()
    values = [0] * 256
    for number, value, _ in runs:
        values[(number | 0x80) ^ _ALAW_INVERSION] = 8 * value
        values[number ^ _ALAW_INVERSION] = -8 * value
    above = b"".join(
        bytes([(number | 0x80) ^ _ALAW_INVERSION]) * (8 * width) for number, _, width in runs
    )
    below = b"".join(
        bytes([number ^ _ALAW_INVERSION]) * (8 * width) for number, _, width in reversed(runs)
    )
    return above + below, values


def _mulaw() -> tuple[bytes, list[int]]:
    """Return the codes by sample (as unsigned, 65,536) and the samples by code."""
    runs = _mulaw_runs()
    values = [0] * 256
    for number, value, _ in runs:
        values[~number & 0xFF] = 4 * value
        values[~(number | 0x80) & 0xFF] = -4 * value
    above = b"".join(bytes([~number & 0xFF]) * (4 * width) for number, _, width in runs)
    # A sample just below zero already counts as one: no negative sample is number 0.
    below = b"".join(
        bytes([~(number | 0x80) & 0xFF]) * (4 * width) for number, _, width in reversed(runs[1:])
    )
    return above[:32768] + below[-32768:], values


class LawTables:
    """One law."""

    __slots__ = ("_codes", "_high", "_low")

    def __init__(self, law: Law) -> None:
        self._codes, values = _alaw() if law == "PCMA" else _mulaw()
        self._low = bytes(value & 0xFF for value in values)
        self._high = bytes(value >> 8 & 0xFF for value in values)

    def decode(self, payload: bytes) -> bytes:
        """Return the samples of G.711 octets."""
        pcm = bytearray(2 * len(payload))
        pcm[_HIGH::2] = payload.translate(self._high)
        pcm[1 - _HIGH :: 2] = payload.translate(self._low)
        return bytes(pcm)

    def encode(self, pcm: bytes) -> bytes:
        """Return the G.711 octets of samples."""
        return bytes(map(self._codes.__getitem__, memoryview(pcm).cast("H")))


TABLES: Final = {"PCMA": LawTables("PCMA"), "PCMU": LawTables("PCMU")}
