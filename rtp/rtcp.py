"""RTCP packets and the compounds that they travel in (:rfc:`3550#section-6`).

Known are sender and receiver reports, of source descriptions the CNAME, and BYE. All other
types (APP, feedback, extended reports) are stepped over, as are profile-specific extensions
behind the report blocks. `parse` and `serialize` are inverses over what is kept. Packets are
tuples, since every leg makes some every few seconds: a frozen dataclass takes three times as long.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202
GOODBYE: Final = 203

FIRST_TYPES: Final = range(192, 224)
"With one of them a datagram begins that is RTCP (:rfc:`5761#section-4`)."

CNAME: Final = 1
"The type of the only item of a source description that matters here."

MAX_COUNT: Final = 31
"Of report blocks, chunks or sources in one packet: five bits."

LEAST_LOST: Final = -0x80_0000
MOST_LOST: Final = 0x7F_FFFF
"Bounds of the cumulative number of packets lost: 24 bits, signed."

_COMMON = struct.Struct("!BBH")
_SSRC = struct.Struct("!I")
_SENDER = struct.Struct("!QIII")
_BLOCK = struct.Struct("!IIIIII")


class MalformedRtcpError(Exception):
    """The octets are no compound RTCP packet: it is dropped and counted, nothing else."""


class ReportBlock(NamedTuple):
    """What a receiver says of one source. See :rfc:`3550#section-6.4.1`."""

    ssrc: int
    "The source that is spoken of."
    fraction_lost: int
    "Of the packets since the report before, in 1/256."
    cumulative_lost: int
    "-8,388,608 to 8,388,607; negative where packets came twice."
    highest_sequence: int
    "With the number of wraps in the upper 16 bits."
    jitter: int
    "In units of the RTP timestamp."
    last_sr: int
    "The middle 32 bits of the NTP timestamp in the source's last report; 0: none yet."
    delay_since_last_sr: int
    "In 1/65,536 s."


class SenderReport(NamedTuple):
    """What a source says of its own stream, and of those that it hears."""

    ssrc: int
    ntp: int
    "Seconds since 1900 with 32 binary places."
    timestamp: int
    "The same instant in the stream's RTP timestamps."
    packets: int
    octets: int
    "Payload only."
    blocks: tuple[ReportBlock, ...] = ()

    @property
    def middle_ntp(self) -> int:
        """What a report block repeats as `last_sr`."""
        return self.ntp >> 16 & 0xFFFF_FFFF


class ReceiverReport(NamedTuple):
    """What a participant that has sent nothing lately says of the streams that it hears."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


class Description(NamedTuple):
    """One chunk of an SDES packet; `cname` is None where it names none."""

    ssrc: int
    cname: bytes | None


class SourceDescription(NamedTuple):
    """SDES. See :rfc:`3550#section-6.5`."""

    chunks: tuple[Description, ...]


class Goodbye(NamedTuple):
    """BYE; a reason is not kept. See :rfc:`3550#section-6.6`."""

    sources: tuple[int, ...]


RtcpPacket: TypeAlias = SenderReport | ReceiverReport | SourceDescription | Goodbye


def parse(data: bytes | bytearray | memoryview) -> tuple[RtcpPacket, ...]:
    """Return the packets of a compound that are of a known type; raises `MalformedRtcpError`.

    The checks are those of :rfc:`3550#appendix-A.2`: version 2 throughout, padding only at the
    very end, and lengths that add up. One bad packet spoils them all. A report need not be the
    first: baresip opens its way through a NAT with a lone APP, and :rfc:`5506` allows as much.
    """
    found = []
    for number, (kind, count, body) in enumerate(_packets(bytes(data))):
        if number == 0 and kind not in FIRST_TYPES:
            raise MalformedRtcpError(f"begins with type {kind}")
        try:
            packet = _parse_body(kind, count, body)
        except (struct.error, IndexError):
            raise MalformedRtcpError(f"type {kind} is shorter than it says") from None
        if packet is not None:
            found.append(packet)
    return tuple(found)


def serialize(packets: tuple[RtcpPacket, ...]) -> bytes:
    """Return the octets of a compound, or of a part of one; it has to begin with a report."""
    return b"".join(_serialize(packet) for packet in packets)


def _packets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield type, count and body of each packet, without padding."""
    if not data:
        raise MalformedRtcpError("no octets")
    offset = 0
    while offset < len(data):
        if offset + 4 > len(data):
            raise MalformedRtcpError("a header does not fit")
        first, kind, words = _COMMON.unpack_from(data, offset)
        end = offset + 4 + 4 * words
        if first >> 6 != 2:
            raise MalformedRtcpError(f"version {first >> 6}")
        if end > len(data):
            raise MalformedRtcpError("a length beyond the datagram")
        body = data[offset + 4 : end]
        if first & 0x20:
            if offset == 0 or end != len(data):
                raise MalformedRtcpError("padding before the end")
            body = _without_padding(body)
        yield kind, first & 0x1F, body
        offset = end


def _without_padding(body: bytes) -> bytes:
    padding = body[-1] if body else 0
    if not padding or padding % 4 or padding > len(body):
        raise MalformedRtcpError("padding does not fit")
    return body[:-padding]


def _parse_body(kind: int, count: int, body: bytes) -> RtcpPacket | None:
    """Return one packet; raises `struct.error` or `IndexError` where `body` is too short."""
    if kind == SENDER_REPORT:
        (ssrc,) = _SSRC.unpack_from(body)
        ntp, timestamp, packets, octets = _SENDER.unpack_from(body, 4)
        return SenderReport(
            ssrc=ssrc,
            ntp=ntp,
            timestamp=timestamp,
            packets=packets,
            octets=octets,
            blocks=_parse_blocks(body, 4 + _SENDER.size, count),
        )
    if kind == RECEIVER_REPORT:
        (ssrc,) = _SSRC.unpack_from(body)
        return ReceiverReport(ssrc=ssrc, blocks=_parse_blocks(body, 4, count))
    if kind == SOURCE_DESCRIPTION:
        return SourceDescription(chunks=_parse_chunks(body, count))
    if kind == GOODBYE:
        return Goodbye(sources=struct.unpack_from(f"!{count}I", body))
    return None


def _parse_blocks(body: bytes, offset: int, count: int) -> tuple[ReportBlock, ...]:
    return tuple(_parse_block(body, offset + _BLOCK.size * n) for n in range(count))


def _parse_block(body: bytes, offset: int) -> ReportBlock:
    ssrc, lost, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, offset)
    return ReportBlock(
        ssrc=ssrc,
        fraction_lost=lost >> 24,
        cumulative_lost=((lost & 0xFF_FFFF) ^ 0x80_0000) - 0x80_0000,
        highest_sequence=highest,
        jitter=jitter,
        last_sr=last_sr,
        delay_since_last_sr=delay,
    )


def _parse_chunks(body: bytes, count: int) -> tuple[Description, ...]:
    chunks, offset = [], 0
    for _ in range(count):
        (ssrc,) = _SSRC.unpack_from(body, offset)
        offset += 4
        cname = None
        while body[offset]:
            kind, length = body[offset], body[offset + 1]
            value = body[offset + 2 : offset + 2 + length]
            if len(value) < length:
                raise MalformedRtcpError("an item does not fit")
            if kind == CNAME:
                cname = value
            offset += 2 + length
        # One null octet ends the list, more fill the 32-bit word.
        offset += 4 - offset % 4
        chunks.append(Description(ssrc=ssrc, cname=cname))
    return tuple(chunks)


def _serialize(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport():
            info = _SENDER.pack(packet.ntp, packet.timestamp, packet.packets, packet.octets)
            body = _SSRC.pack(packet.ssrc) + info + _blocks(packet.blocks)
            return _framed(SENDER_REPORT, len(packet.blocks), body)
        case ReceiverReport():
            body = _SSRC.pack(packet.ssrc) + _blocks(packet.blocks)
            return _framed(RECEIVER_REPORT, len(packet.blocks), body)
        case SourceDescription(chunks=chunks):
            return _framed(SOURCE_DESCRIPTION, len(chunks), b"".join(map(_chunk, chunks)))
        case Goodbye(sources=sources):
            return _framed(GOODBYE, len(sources), struct.pack(f"!{len(sources)}I", *sources))


def _framed(kind: int, count: int, body: bytes) -> bytes:
    assert count <= MAX_COUNT
    return _COMMON.pack(0x80 | count, kind, len(body) // 4) + body


def _blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | block.cumulative_lost & 0xFF_FFFF,
            block.highest_sequence,
            block.jitter,
            block.last_sr,
            block.delay_since_last_sr,
        )
        for block in blocks
    )


def _chunk(chunk: Description) -> bytes:
    items = b"" if chunk.cname is None else bytes((CNAME, len(chunk.cname))) + chunk.cname
    return _SSRC.pack(chunk.ssrc) + items + bytes(4 - len(items) % 4)
