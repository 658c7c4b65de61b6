"""What the relay asks of whatever makes packets of another codec: the transcoder of `b2bua`."""

from collections.abc import Collection, Iterable
from typing import Protocol

from rtp.header import RtpHeader
from rtp.outgoing import OutgoingStream

Recoded = tuple[int, int, bytes]
"Second octet of the header (marker and type), timestamp and payload of a packet to be sent."


class Recoder(Protocol):
    """Makes packets of another codec of those that arrive, for a party that has no other."""

    @property
    def payload_types(self) -> Collection[int]:
        """Those that it takes."""

    @property
    def followers(self) -> Collection[int]:
        """Events: those that go the way that the sound before them went."""

    def take(
        self, header: RtpHeader, payload: bytes, now: int, outgoing: OutgoingStream
    ) -> Iterable[Recoded]:
        """Return the packets to be sent, as the next ones of `outgoing`."""

    def restart(self) -> None:
        """Go on behind another source of the outgoing stream."""
