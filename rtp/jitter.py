"""Interarrival jitter of a received stream, from samples instead of from every packet.

The relay's fast path keeps timestamp and arrival of the newest packet and nothing of the one
before, so the housekeeping looks at that pair about once a second. D of
:rfc:`3550#section-6.4.1` then compares packets that lie a second apart instead of
neighbours. What that means:

- Where delays of packets are independent of each other, |D| is distributed as between
  neighbours, and the estimate means the same. A delay that wanders for longer than a packet
  counts in full here and hardly between neighbours: the figure is never the smaller one.
- The estimate settles after some samples, not after some packets: the first 16 samples (16 s)
  are averaged, and from then on 1/16 of each difference counts, as in
  :rfc:`3550#appendix-A.8`.
- Keys are told from audio only on legs whose keys somebody listens to (`Relay.listen`);
  elsewhere an event that a look falls on counts with its length so far.
- A burst of jitter that fits between two looks is not seen.
- Arrival is the wake-up of the loop that read the packet, so what the packet waited for in
  our own queue is in the figure: on a busy machine some tenths of a millisecond.
"""

from typing import Final

from rtp.header import timestamp_distance
from rtp.statistics import NO_SSRC, ReceivedStream

GAIN: Final = 16
":rfc:`3550#appendix-A.8`: a difference counts for 1/16."

JUMP_S: Final = 1.0
"A larger difference is a stream that began anew (music on hold, another clock), no jitter."


class Jitter:
    """The estimate for one leg, over all its SSRCs."""

    __slots__ = ("_arrival_ns", "_estimate_s", "_samples", "_ssrc", "_timestamp", "_total_s")

    def __init__(self) -> None:
        self._ssrc = NO_SSRC
        self._timestamp = 0
        self._arrival_ns = 0
        self._samples = 0
        self._total_s = 0.0
        self._estimate_s = 0.0

    @property
    def estimate_s(self) -> float:
        """As it is now, for a report block; 0 before there is anything to compare."""
        return self._estimate_s

    @property
    def mean_s(self) -> float | None:
        """Over the whole time; None: never two packets to compare."""
        return self._total_s / self._samples if self._samples else None

    def sample(self, received: ReceivedStream, clock_rate: int) -> None:
        """Compare the newest packet with that of the last look; `clock_rate` in Hz."""
        arrival_ns, timestamp = received.arrival_ns, received.timestamp
        if arrival_ns == self._arrival_ns or arrival_ns == received.untimed_ns:  # noqa: PLR1714 - faster
            return
        elapsed_s = (arrival_ns - self._arrival_ns) / 1e9
        meant_s = timestamp_distance(self._timestamp, timestamp) / clock_rate
        same = received.ssrc == self._ssrc
        self._ssrc, self._timestamp, self._arrival_ns = received.ssrc, timestamp, arrival_ns
        difference_s = abs(elapsed_s - meant_s)
        if same and difference_s <= JUMP_S:
            self._samples += 1
            self._total_s += difference_s
            weight = min(self._samples, GAIN)
            self._estimate_s += (difference_s - self._estimate_s) / weight
