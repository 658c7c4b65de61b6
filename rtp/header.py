"""The fixed header of an RTP packet, and arithmetic on its wrapping numbers."""

import struct
from dataclasses import dataclass
from typing import Final

HEADER: Final = struct.Struct("!BBHII")
"V P X CC, M PT, sequence number, timestamp, SSRC."

HEADER_SIZE: Final = 12
"Octets, without CSRC list and extension."

MAX_PACKET: Final = 2048
"Octets of a datagram that is taken for RTP; G.711 with 60 ms has 492."


class MalformedRtpError(Exception):
    """The octets are no RTP packet: it is dropped and counted, nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpHeader:
    """An RTP header with its CSRC list; a header extension is skipped.

    See :rfc:`3550#section-5.1`.
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    marker: bool = False
    csrc: tuple[int, ...] = ()
    payload_offset: int = HEADER_SIZE
    "Octets before the payload. `serialize` writes no extension and ignores it."
    padding: int = 0
    "Octets after the payload. `serialize` writes none and ignores it."

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> "RtpHeader":
        """Return the header of the packet `data`; raises `MalformedRtpError`.

        The checks are those of :rfc:`3550#appendix-A.1` that need no memory of the stream.
        """
        if not HEADER_SIZE <= len(data) <= MAX_PACKET:
            raise MalformedRtpError(f"{len(data)} octets")
        b0, b1, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        if b0 >> 6 != 2:
            raise MalformedRtpError(f"version {b0 >> 6}")
        offset = HEADER_SIZE + 4 * (b0 & 0x0F)
        if offset > len(data):
            raise MalformedRtpError("the CSRC list does not fit")
        csrc = struct.unpack_from(f"!{b0 & 0x0F}I", data, HEADER_SIZE)
        if b0 & 0x10:
            if offset + 4 > len(data):
                raise MalformedRtpError("the header extension does not fit")
            offset += 4 + 4 * (data[offset + 2] << 8 | data[offset + 3])
        padding = data[-1] if b0 & 0x20 else 0
        if offset + padding > len(data) or (b0 & 0x20 and not padding):
            raise MalformedRtpError("extension or padding does not fit")
        return cls(
            payload_type=b1 & 0x7F,
            sequence=sequence,
            timestamp=timestamp,
            ssrc=ssrc,
            marker=bool(b1 & 0x80),
            csrc=csrc,
            payload_offset=offset,
            padding=padding,
        )

    def serialize(self) -> bytes:
        """Return the header's octets, ready to be followed by the payload."""
        fixed = HEADER.pack(
            0x80 | len(self.csrc),
            self.marker << 7 | self.payload_type,
            self.sequence,
            self.timestamp,
            self.ssrc,
        )
        return fixed + struct.pack(f"!{len(self.csrc)}I", *self.csrc)


def sequence_distance(earlier: int, later: int) -> int:
    """Return how far `later` lies ahead of `earlier`: -32,768 to 32,767.

    Serial number arithmetic in 16 bits, see :rfc:`1982`.
    """
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000


def timestamp_distance(earlier_ts: int, later_ts: int) -> int:
    """Return how far `later_ts` lies ahead of `earlier_ts`, in 32 bits, signed."""
    return ((later_ts - earlier_ts + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
