"""What a conversation over a leg is worth: an estimate by the E-model, as a pure function.

R of ITU-T G.107 (clause 7.1) with the default values of all that an RTP stream does not show,
for which R without delay and loss is 93.2:

    R = 93.2 - Idd - Ie,eff

- Idd (clause 7.4): the loss of ease that pure delay brings, beyond 100 ms one way. Echo is
  left at nothing: the line is digital from end to end.
- Ie,eff (clause 7.5): Ie + (95 - Ie) * Ppl / (Ppl / BurstR + Bpl), with BurstR = 1 (random
  loss). Ie and Bpl are those that G.113 (appendix I) gives for G.711.
- MOS of R: annex B.
"""

import math
from dataclasses import dataclass
from typing import Final

R_DEFAULT: Final = 93.2
"R of G.107 with all parameters at their defaults."

JITTER_BUFFER_MS: Final = 40.0
"What a telephone waits at least before it plays a packet: two of 20 ms, as most do."

JITTER_FACTOR: Final = 2.0
"Adaptive buffers grow to some two times the jitter, so that hardly a packet is late."


@dataclass(frozen=True, slots=True)
class Codec:
    """How a codec bears loss: G.113, appendix I."""

    impairment: float
    "Ie."
    robustness: float
    "Bpl."


G711: Final = Codec(impairment=0.0, robustness=4.3)
"Without loss concealment: a gap is silence."

G711_PLC: Final = Codec(impairment=0.0, robustness=25.1)
"With that of G.711 appendix I or its like, which telephones have."


def delay_ms(round_trip_ms: float, jitter_ms: float, packet_ms: float = 20.0) -> float:
    """Return mouth to ear, one way: half the round trip, one packet and the jitter buffer."""
    return round_trip_ms / 2 + packet_ms + max(JITTER_BUFFER_MS, JITTER_FACTOR * jitter_ms)


def rating(lost: float, one_way_ms: float, codec: Codec = G711_PLC) -> float:
    """Return R; `lost`: 0 to 1, what part of the packets."""
    percent = 100 * min(1.0, max(0.0, lost))
    loss = (95 - codec.impairment) * percent / (percent + codec.robustness)
    return R_DEFAULT - _delay_impairment(one_way_ms) - codec.impairment - loss


def mos(lost: float, one_way_ms: float, codec: Codec = G711_PLC) -> float:
    """Return the estimated mean opinion score, 1 (bad) to 4.5 (the best there is)."""
    r = rating(lost, one_way_ms, codec)
    if r <= 0:
        return 1.0
    # Below R = 6.5 the cubic dips under its own lower end.
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def _delay_impairment(one_way_ms: float) -> float:
    """Return Idd."""
    if one_way_ms <= 100:
        return 0.0
    x = math.log2(one_way_ms / 100)
    sixth = 1 / 6
    return 25 * (math.pow(1 + x**6, sixth) - 3 * math.pow(1 + (x / 3) ** 6, sixth) + 2)
