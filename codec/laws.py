"""A-law to µ-law and back, octet by octet, by tables 3 and 4 of ITU-T G.711 (11/1988).

Without numpy, so that a media worker, which converts by `bytes.translate` and never looks
at samples, stays small. The tables of the standard number the quantizing values of one
sign by magnitude; they are written down here as the runs that they consist of. They are
not quite the nearest values: where the laws run in parallel the number is kept, and going
from µ-law to A-law and back loses nothing but the last bit of the sixteen lowest values.
"""

from typing import Final

_ALAW_INVERSION: Final = 0x55
"G.711 transmits A-law with its even bits inverted."


_MULAW_TO_ALAW: Final = (
    # from this µ-law number, the A-law number there, rise, per so many numbers
    (81, 81, 1, 1),
    (64, 63, 1, 1),
    (49, 47, 1, 1),
    (48, 45, 1, 1),
    (36, 32, 1, 1),
    (32, 24, 2, 1),
    (16, 8, 1, 1),
    (0, 0, 1, 2),
)
"Table 3, as runs; positive and negative values are alike."

_ALAW_TO_MULAW: Final = (
    (80, 80, 1, 1),
    (64, 65, 1, 1),
    (62, 64, 1, 2),
    (48, 50, 1, 1),
    (44, 48, 1, 2),
    (32, 36, 1, 1),
    (24, 32, 1, 2),
    (8, 16, 1, 1),
    (0, 1, 2, 1),
)
"Table 4."


def _number(runs: tuple[tuple[int, int, int, int], ...], number: int) -> int:
    """Return what `runs` make of the `number` of a quantizing value, 0 to 127."""
    first, target, rise, per = next(run for run in runs if number >= run[0])
    return target + (number - first) * rise // per


def _pcmu_to_pcma() -> bytes:
    # µ-law is transmitted inverted: sign bit 1 is positive, and 0xFF is the lowest value.
    return bytes(
        (code & 0x80 | _number(_MULAW_TO_ALAW, ~code & 0x7F)) ^ _ALAW_INVERSION
        for code in range(256)
    )


def _pcma_to_pcmu() -> bytes:
    return bytes(
        code & 0x80 | ~_number(_ALAW_TO_MULAW, (code ^ _ALAW_INVERSION) & 0x7F) & 0x7F
        for code in range(256)
    )


PCMA_TO_PCMU: Final = _pcma_to_pcmu()
"256 octets for `bytes.translate`."

PCMU_TO_PCMA: Final = _pcmu_to_pcma()
"256 octets for `bytes.translate`."
