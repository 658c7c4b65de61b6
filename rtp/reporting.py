"""What a leg says about its streams in RTCP, when, and what it learns from its peer's reports.

A session of two participants: we and the peer of the leg. Nothing is passed through from the
other leg, for its numbers would not fit this one. Our SSRC is that of the stream that the peer
hears, and a random one before there is any.

Sans-IO: times are nanoseconds of the monotonic clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from rtp.jitter import Jitter
from rtp.relay import DEFAULT_CLOCK_RATE
from rtp.rtcp import (
    LEAST_LOST,
    MOST_LOST,
    Description,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    serialize,
)
from rtp.statistics import NO_SSRC, ReceivedStream

MINIMUM_S: Final = 5.0
""":rfc:`3550#section-6.2`. Two participants whose compounds have some 120 octets would need
0.6 s at 5 % of 64 kbit/s, so the minimum is what counts, always.
"""

COMPENSATION: Final = 2.71828 - 1.5
":rfc:`3550#section-6.3.1`: e - 3/2."

REMEMBERED: Final = 4
"Sender reports that an answer may refer to."

NEVER_AGAIN_NS: Final = 60_000_000_000
"A report that claims to answer one so old says nothing of the way there and back."

_EPOCH_S: Final = 2_208_988_800
"From 1900, where NTP begins, to 1970."

Random = Callable[[], float]
"Returns 0 <= x < 1."


class Sent(NamedTuple):
    """What has gone to the peer so far."""

    ssrc: int
    packets: int
    octets: int
    "Of payload."
    timestamp: int
    "Of the newest packet..."
    at_ns: int
    "...and when it went."


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How well a leg's packets came and went; None: nothing is known."""

    jitter_ms: float | None
    "Of what we received, mean."
    round_trip_ms: float | None
    "To the peer and back, without its thinking time; mean."
    peer_jitter_ms: float | None
    "Of what we sent, as the peer said last."
    peer_lost: int | None
    "Packets of ours that the peer missed, as it said last."


NO_FIGURES: Final = Figures(jitter_ms=None, round_trip_ms=None, peer_jitter_ms=None, peer_lost=None)


def interval_ns(random: Random, *, first: bool) -> int:
    """Return the time to the next report, 0.41 to 1.23 times the minimum.

    See :rfc:`3550#section-6.3.1`; the first one comes after half of it.
    """
    minimum_s = MINIMUM_S / 2 if first else MINIMUM_S
    return int(minimum_s * (0.5 + random()) / COMPENSATION * 1e9)


class Reporter:
    """Reports of one leg, both ways."""

    __slots__ = (
        "_cname",
        "_due_ns",
        "_introduction",
        "_jitter",
        "_known",
        "_peer_jitter_ms",
        "_peer_lost",
        "_peer_sr",
        "_prior",
        "_random",
        "_received",
        "_round_trip_ns",
        "_round_trips",
        "_sent_before",
        "_ssrc",
        "_wall_ns",
        "clock_rate",
    )

    def __init__(
        self, received: ReceivedStream, *, cname: bytes, ssrc: int, wall_ns: int, random: Random
    ) -> None:
        """`ssrc`: for as long as we send nothing; `wall_ns`: Unix time minus monotonic time."""
        self._received = received
        self._cname = cname
        self._introduction = (NO_SSRC, b"")  # whom our description names, and its octets
        self._ssrc = ssrc
        self._wall_ns = wall_ns
        self._random = random
        self.clock_rate = DEFAULT_CLOCK_RATE
        "Hz, of the audio both ways."
        self._jitter = Jitter()
        self._due_ns: int | None = None
        self._sent_before = (0, 0)  # packets at the report before the last, and at the last
        self._prior = (NO_SSRC, 0, 0)  # SSRC, expected and arrived at the last report
        # Our SRs: NTP, time. An empty `deque` would be the largest thing of a leg, 760 octets.
        self._known: list[tuple[int, int]] = []
        self._peer_sr = (NO_SSRC, 0, 0)  # its SSRC, NTP, and when it came
        self._round_trip_ns = 0
        self._round_trips = 0
        self._peer_jitter_ms: float | None = None
        self._peer_lost: int | None = None

    @property
    def figures(self) -> Figures:
        """What is known by now."""
        jitter_s = self._jitter.mean_s
        trips = self._round_trips
        return Figures(
            jitter_ms=None if jitter_s is None else jitter_s * 1e3,
            round_trip_ms=self._round_trip_ns / trips / 1e6 if trips else None,
            peer_jitter_ms=self._peer_jitter_ms,
            peer_lost=self._peer_lost,
        )

    # --- what we say

    def turn(self, now: int, sending: int) -> bool:
        """Look at the stream that comes, and tell whether to `report`. To be called now and then.

        `sending`: the SSRC of what we send. This is what every leg costs once a second.
        """
        self._jitter.sample(self._received, self.clock_rate)
        if self._due_ns is None:
            # Nobody reports on nothing.
            if sending != NO_SSRC or self._received.ssrc != NO_SSRC:
                self.begin(now)
            return False
        return now >= self._due_ns

    def begin(self, now: int) -> None:
        """Let the time to the first report run from here: there is something to report on."""
        if self._due_ns is None:
            self._due_ns = now + interval_ns(self._random, first=True)

    def report(self, now: int, sent: Sent) -> bytes:
        """Return a compound, and let the next one wait for its time."""
        self._due_ns = now + interval_ns(self._random, first=False)
        return serialize((self._report(now, sent),)) + self._description(sent)

    def goodbye(self, now: int, sent: Sent) -> bytes | None:
        """Return the last compound; None where nothing was ever sent to the peer.

        See :rfc:`3550#section-6.3.7`; with two participants there is no storm to wait out.
        """
        reported = self._prior[0] != NO_SSRC
        if not sent.packets and not reported:
            return None
        leaving = Goodbye(sources=(self._own_ssrc(sent.ssrc),))
        report = serialize((self._report(now, sent),))
        return report + self._description(sent) + serialize((leaving,))

    def _report(self, now: int, sent: Sent) -> SenderReport | ReceiverReport:
        """Return what the last interval was like, and begin the next."""
        ssrc, blocks = self._own_ssrc(sent.ssrc), self._blocks(now)
        # "If a site has sent any data during the interval since its last report or the one
        # before", :rfc:`3550#section-6.4`.
        sending = sent.packets > self._sent_before[0]
        self._sent_before = (self._sent_before[1], sent.packets)
        if not sending:
            return ReceiverReport(ssrc=ssrc, blocks=blocks)
        elapsed_ts = (now - sent.at_ns) * self.clock_rate // 1_000_000_000
        report = SenderReport(
            ssrc=ssrc,
            ntp=_ntp(now + self._wall_ns),
            timestamp=sent.timestamp + elapsed_ts & 0xFFFF_FFFF,
            packets=sent.packets & 0xFFFF_FFFF,
            octets=sent.octets & 0xFFFF_FFFF,
            blocks=blocks,
        )
        self._known.append((report.middle_ntp, now))
        del self._known[:-REMEMBERED]
        return report

    def _blocks(self, now: int) -> tuple[ReportBlock, ...]:
        received = self._received
        if received.ssrc == NO_SSRC:
            return ()
        expected, arrived = received.expected, received.arrived
        of, *before = self._prior
        if of != received.ssrc or before[0] > expected:
            before = [0, 0]
        self._prior = (received.ssrc, expected, arrived)
        last_sr, delay = self._last_sr(now)
        block = ReportBlock(
            ssrc=received.ssrc,
            fraction_lost=fraction_lost(expected - before[0], arrived - before[1]),
            cumulative_lost=max(LEAST_LOST, min(MOST_LOST, expected - arrived)),
            highest_sequence=received.extended_sequence,
            jitter=int(self._jitter.estimate_s * self.clock_rate) & 0xFFFF_FFFF,
            last_sr=last_sr,
            delay_since_last_sr=delay,
        )
        return (block,)

    def _last_sr(self, now: int) -> tuple[int, int]:
        ssrc, middle, at = self._peer_sr
        if ssrc != self._received.ssrc:
            return 0, 0
        return middle, min(0xFFFF_FFFF, (now - at) * 65_536 // 1_000_000_000)

    def _description(self, sent: Sent) -> bytes:
        """Return the octets that say who we are; they change with our SSRC only."""
        ssrc = self._own_ssrc(sent.ssrc)
        if self._introduction[0] != ssrc:
            chunk = Description(ssrc=ssrc, cname=self._cname)
            self._introduction = ssrc, serialize((SourceDescription(chunks=(chunk,)),))
        return self._introduction[1]

    def _own_ssrc(self, sending: int) -> int:
        return self._ssrc if sending == NO_SSRC else sending

    # --- what the peer says

    def take(self, packets: tuple[RtcpPacket, ...], now: int, sending: int) -> None:
        """Learn from a compound of the peer; `sending`: the SSRC of what we send to it.

        A BYE ends nothing: that is for signalling to say.
        """
        for packet in packets:
            if isinstance(packet, SenderReport):
                self._peer_sr = (packet.ssrc, packet.middle_ntp, now)
            if isinstance(packet, SenderReport | ReceiverReport):
                for block in packet.blocks:
                    if block.ssrc == sending:
                        self._learn(block, now)

    def _learn(self, block: ReportBlock, now: int) -> None:
        self._peer_lost = max(0, block.cumulative_lost)
        self._peer_jitter_ms = block.jitter * 1e3 / self.clock_rate
        sent_ns = next((at for middle, at in self._known if middle == block.last_sr), None)
        if sent_ns is None or now - sent_ns > NEVER_AGAIN_NS:
            return
        trip_ns = now - sent_ns - block.delay_since_last_sr * 1_000_000_000 // 65_536
        # A little below zero is the peer's rounding; more would be a delay that can't be.
        if trip_ns >= -1_000_000:
            self._round_trip_ns += max(0, trip_ns)
            self._round_trips += 1


def fraction_lost(expected: int, arrived: int) -> int:
    """Return the packets lost of an interval in 1/256. See :rfc:`3550#appendix-A.3`."""
    lost = expected - arrived
    if expected <= 0 or lost <= 0:
        return 0
    return min(255, (lost << 8) // expected)


def _ntp(unix_ns: int) -> int:
    seconds, rest = divmod(unix_ns, 1_000_000_000)
    return (seconds + _EPOCH_S & 0xFFFF_FFFF) << 32 | (rest << 32) // 1_000_000_000
