"""What is known about one received stream, at the price of almost nothing per packet.

As long as packets come in order, the next sequence number tells how many there were: the
relay's fast path only moves `next_sequence`. Everything else, a gap, a late packet, the
wrap, another SSRC, goes through `observe`.
"""

from dataclasses import dataclass
from typing import Final

MAX_DROPOUT: Final = 3000
":rfc:`3550#appendix-A.1`. A larger step forward is a stream that started anew."

MAX_MISORDER: Final = 100
":rfc:`3550#appendix-A.1`. A larger step back is a stream that started anew."

NO_SSRC: Final = -1


class ReceivedStream:
    """Packets of one leg, over all its SSRCs (a phone may change it at any time)."""

    __slots__ = (
        "_base",
        "_cycles",
        "_earlier",
        "_earlier_lost",
        "_run_start",
        "_since_base",
        "arrival_ns",
        "next_sequence",
        "octets",
        "ssrc",
        "timestamp",
        "untimed_ns",
    )

    def __init__(self) -> None:
        self.ssrc = NO_SSRC
        self.next_sequence = -1
        "One more than the highest sequence number; up to 65,536, so that a wrap shows."
        self.timestamp = 0
        "Of the newest packet that came in order."
        self.arrival_ns = 0
        "Of the newest packet, monotonic clock."
        self.octets = 0
        "RTP headers included."
        self.untimed_ns = 0
        """Arrival of the newest packet whose timestamp does not say when it was sent, or not
        that of the packet (`timestamp` is another's): a late one, a key, a type not taken.
        """
        self._earlier = 0  # packets of earlier SSRCs
        self._earlier_lost = 0
        self._since_base = 0  # packets of this SSRC before the present run
        self._run_start = -1  # first sequence number of the present run without a gap
        self._base = 0
        self._cycles = 0

    @property
    def packets(self) -> int:
        """Packets received."""
        return self._earlier + self._of_this_ssrc()

    @property
    def lost(self) -> int:
        """Packets lost by sequence number (:rfc:`3550#appendix-A.3`), never negative."""
        return self._earlier_lost + self._lost_of_this_ssrc()

    @property
    def expected(self) -> int:
        """Packets of the present SSRC, lost ones included (:rfc:`3550#appendix-A.3`)."""
        return 0 if self.ssrc == NO_SSRC else self._cycles + self.next_sequence - self._base

    @property
    def arrived(self) -> int:
        """Packets of the present SSRC that came, late ones and those that came twice included."""
        return self._of_this_ssrc()

    @property
    def extended_sequence(self) -> int:
        """The newest sequence number with the wraps in the upper 16 bits."""
        return self._cycles + self.next_sequence - 1 & 0xFFFF_FFFF

    @property
    def highest_sequence(self) -> int:
        """The newest sequence number; meaningless before the first packet."""
        return self.next_sequence - 1 & 0xFFFF

    def continues(self, sequence: int, ssrc: int) -> bool:
        """Tell whether a packet belongs to the stream as it runs now."""
        if ssrc != self.ssrc:
            return False
        ahead = (sequence - self.next_sequence) & 0xFFFF
        return ahead < MAX_DROPOUT or ahead >= 0x10000 - MAX_MISORDER

    def observe(
        self, *, sequence: int, timestamp: int, ssrc: int, arrival_ns: int, length: int
    ) -> None:
        """Take any packet into account (those in order need not come through here)."""
        self.arrival_ns = arrival_ns
        self.octets += length
        if not self.continues(sequence, ssrc):
            self._restart(sequence, ssrc)
        elif (sequence - self.next_sequence) & 0xFFFF >= MAX_DROPOUT:
            self._since_base += 1  # late or twice
            self.untimed_ns = arrival_ns
            return
        else:
            self._since_base += self.next_sequence - self._run_start
            if sequence < self.next_sequence:
                self._cycles += 0x10000
            self._run_start = sequence
        self.next_sequence = sequence + 1
        self.timestamp = timestamp

    def _restart(self, sequence: int, ssrc: int) -> None:
        self._earlier_lost += self._lost_of_this_ssrc()
        self._earlier += self._of_this_ssrc()
        self._since_base = 0
        self._cycles = 0
        self.ssrc = ssrc
        self._run_start = self._base = sequence

    def _of_this_ssrc(self) -> int:
        return self._since_base + self.next_sequence - self._run_start

    def _lost_of_this_ssrc(self) -> int:
        return max(0, self.expected - self._of_this_ssrc())


@dataclass(slots=True)
class Drops:
    """Packets of one leg that went no further, by reason."""

    malformed: int = 0
    "Not RTP, too short or too long."
    wrong_type: int = 0
    "A payload type that was not negotiated or is not routed."
    wrong_source: int = 0
    "From an address that the latch does not allow."
    wrong_ssrc: int = 0
    "From an allowed address, but not the stream that the leg had."
    probation: int = 0
    "The first packet of a source that must first send a second one."
    unsent: int = 0
    "Received well, but the other leg's socket did not take it."
    refused: int = 0
    "ICMP said that the peer's port is closed; not a packet of its own."
    rtcp: int = 0
    "Malformed, more of them than anybody needs, or no SRTCP where it must be."
    rtcp_source: int = 0
    "On the RTCP port, from an address that is not the peer's."

    forged: int = 0
    "SRTP: not encrypted, or not by whoever has the peer's key."
    replayed: int = 0
    "SRTP: a packet that had come before, or so old that nobody can tell."

    @property
    def packets(self) -> int:
        """Packets that came and were not good for anything."""
        plain = self.malformed + self.wrong_type + self.wrong_source + self.wrong_ssrc
        return plain + self.forged + self.replayed

    def add(self, other: "Drops") -> None:
        """Add the figures of `other`."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
