"""What is known about one received stream, at the price of almost nothing per packet.

As long as packets come in order and are alike, the next sequence number tells how many there
were, their octets and the newest timestamp: the relay's fast path only moves `next_sequence` and
`next_tail`. A packet of another size or type, or with another timestamp than was expected, goes
through `vary`; everything else, a gap, a late packet, the wrap, another SSRC, through `observe`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

MAX_DROPOUT: Final = 3000
":rfc:`3550#appendix-A.1`. A larger step forward is a stream that started anew."

MAX_MISORDER: Final = 100
":rfc:`3550#appendix-A.1`. A larger step back is a stream that started anew."

NO_SSRC: Final = -1

LONGEST_STEP: Final = 5760
"Ticks of a timestamp from packet to packet that are thought usual: 120 ms at 48 kHz."

Usual: TypeAlias = tuple[int, int, int]
"""What packets of a stream have in common at present: the first two octets as one number, the
length in octets, and by how much `next_tail` moves on."""

NONE_USUAL: Final[Usual] = (-1, 0, 0)
"No packet begins like that."


@lru_cache(maxsize=1024)
def usual_of(first: int, length: int, step: int) -> Usual:
    """Return what is usual; streams share it, so that it stays in the processor's cache."""
    return first, length, step


class ReceivedStream:
    """Packets of one leg, over all its SSRCs (a phone may change it at any time)."""

    __slots__ = (
        "_base",
        "_cycles",
        "_earlier",
        "_earlier_lost",
        "_octets",
        "_octets_to",
        "_run_start",
        "_since_base",
        "arrival_ns",
        "next_sequence",
        "next_tail",
        "ssrc",
        "untimed_ns",
        "usual",
    )

    def __init__(self) -> None:
        self.ssrc = NO_SSRC
        self.next_sequence = -1
        "One more than the highest sequence number; up to 65,536, so that a wrap shows."
        self.next_tail = 0
        """Timestamp and SSRC, the tail of the header as one number, that the next packet has if
        it is usual. It grows beyond 64 bits, so that a wrap of the timestamp shows."""
        self.usual: Usual = NONE_USUAL
        self.arrival_ns = 0
        "Of the newest packet, monotonic clock."
        self.untimed_ns = 0
        """Arrival of the newest packet whose timestamp does not say when it was sent, or not
        that of the packet (`timestamp` is another's): a late one, a key, a type not taken.
        """
        self._octets = 0  # of packets before `_octets_to`; later ones had the usual length
        self._octets_to = -1
        self._earlier = 0  # packets of earlier SSRCs
        self._earlier_lost = 0
        self._since_base = 0  # packets of this SSRC before the present run
        self._run_start = -1  # first sequence number of the present run without a gap
        self._base = 0
        self._cycles = 0

    @property
    def octets(self) -> int:
        """Octets received, RTP headers included."""
        return self._octets + self.usual[1] * (self.next_sequence - self._octets_to)

    @property
    def timestamp(self) -> int:
        """The timestamp of the newest packet that came in order."""
        return self.next_tail - self.usual[2] >> 32 & 0xFFFF_FFFF

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
        self._octets = self.octets + length
        self._octets_to = self.next_sequence
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
        self.next_sequence = self._octets_to = sequence + 1
        self.next_tail = (timestamp << 32 | ssrc) + self.usual[2]

    def vary(self, first: int, tail: int, length: int) -> int:
        """Take a packet, the next in order, as the usual one; return what its step may be.

        Whether it is one that may come is the caller's to know, who also moves on to the next.
        """
        step = (tail >> 32) - self.timestamp & 0xFFFF_FFFF
        step = step << 32 if 0 < step <= LONGEST_STEP else self.usual[2]
        self._become(usual_of(first, length, step))
        return step

    def expect_nothing(self) -> None:
        """Let no packet be usual until one has varied: what may come has changed."""
        self._become((-1, *self.usual[1:]))

    def _become(self, usual: Usual) -> None:
        self._octets, self._octets_to = self.octets, self.next_sequence
        self.next_tail += usual[2] - self.usual[2]
        self.usual = usual

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
