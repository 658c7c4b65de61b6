"""The one stream that a party hears from us, whoever is its source at the moment.

A source that begins goes on where the one before it was: SSRC, sequence number and timestamp stay
continuous. Who sends writes down here how far it has come.
"""

from rtp.header import HEADER
from rtp.statistics import NO_SSRC


class OutgoingStream:
    """The place of the newest packet, and what was sent."""

    __slots__ = ("octets", "packets", "sent_ns", "sequence", "ssrc", "timestamp")

    def __init__(self) -> None:
        self.ssrc = NO_SSRC
        self.sequence = 0
        self.timestamp = 0
        self.sent_ns = 0
        "The instant of that timestamp, on the monotonic clock."
        self.packets = 0
        "Sent by sources that have ended."
        self.octets = 0
        "Of their payload."

    def timestamp_at(self, now: int, clock_rate: int) -> int:
        """Return the timestamp of a source that begins now (not yet wrapped).

        Never the same one twice, however close the packets are.
        """
        return self.timestamp + max(1, (now - self.sent_ns) * clock_rate // 1_000_000_000)

    def header(self, second: int, timestamp: int, now: int) -> bytes:
        """Return the header of the next packet; `second`: its marker and payload type.

        The next source must go on behind the newest timestamp; an event's is an old one.
        """
        self.sequence = self.sequence + 1 & 0xFFFF
        if 0 < timestamp - self.timestamp & 0xFFFFFFFF < 1 << 31:
            self.timestamp, self.sent_ns = timestamp, now
        return HEADER.pack(0x80, second, self.sequence, timestamp, self.ssrc)
