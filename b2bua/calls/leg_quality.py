"""What a leg was worth to those who spoke over it: one figure for its row."""

from b2bua.media.from_worker import LegReleased
from rtp.quality import delay_ms, mos


def leg_mos(statistics: LegReleased) -> float | None:
    """Return the estimated MOS of the worse direction; None where too little is known.

    Towards us by what we saw, away from us by what the peer said last. A peer that missed more
    than we sent has miscounted and is not listened to. Without its reports the round trip
    counts as nothing: the figure is then that of loss and jitter alone.
    """
    trip_ms = statistics.round_trip_ms or 0.0
    received, lost = statistics.packets_received, statistics.packets_lost
    directions = []
    if received:
        directions.append((lost / (received + lost), statistics.jitter_ms))
    sent, missed = statistics.packets_sent, statistics.peer_packets_lost
    if missed is not None and sent and missed <= sent:
        directions.append((missed / sent, statistics.peer_jitter_ms))
    return min(
        (mos(fraction, delay_ms(trip_ms, jitter_ms or 0.0)) for fraction, jitter_ms in directions),
        default=None,
    )
