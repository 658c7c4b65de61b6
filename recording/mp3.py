"""MPEG audio Layer III frames: reading their headers, walking a file, cutting it clean.

A recording is a plain sequence of frames, with at most one ID3v2 tag before them and no
index anywhere. So a file that a dead process left behind is whole but for its last
octets, and all that is known about it (length, sample rate) is in its headers.

The layout is that of ISO/IEC 11172-3 (MPEG-1), 13818-3 (MPEG-2, lower sample rates) and
the customary MPEG-2.5 extension down to 8 kHz, which telephony needs. All sizes and
positions are octets, all lengths are samples of one channel.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

Octets = bytes | bytearray

HEADER_OCTETS = 4
CRC_OCTETS = 2
ID3_HEADER_OCTETS = 10

# Fields that don't change within one stream: sync, version, layer, sample rate, channel mode.
_STREAM_MASK = 0xFFFE0CC0


class Version(Enum):
    """MPEG version, as the two header bits say it."""

    MPEG_25 = 0
    MPEG_2 = 2
    MPEG_1 = 3


_BIT_RATES_LOW = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_BIT_RATES_MPEG_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)

_SAMPLE_RATES = {
    Version.MPEG_1: (44_100, 48_000, 32_000),
    Version.MPEG_2: (22_050, 24_000, 16_000),
    Version.MPEG_25: (11_025, 12_000, 8_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHeader:
    """The four octets at the head of a Layer III frame."""

    word: int
    "The header as a 32 bit number, for the bits that have no name here."

    version: Version
    bit_rate_kbps: int
    sample_rate: int
    "Hz."

    padded: bool
    protected: bool
    "A CRC-16 follows the header."

    channels: int

    @property
    def low_rate(self) -> bool:
        """Tell whether the frame has one granule (MPEG-2 and 2.5) instead of two."""
        return self.version is not Version.MPEG_1

    @property
    def samples(self) -> int:
        """Return how many samples of each channel the frame holds."""
        return 576 if self.low_rate else 1152

    @property
    def octets(self) -> int:
        """Return the size of the whole frame, header included."""
        factor = 72_000 if self.low_rate else 144_000
        return factor * self.bit_rate_kbps // self.sample_rate + self.padded

    @property
    def side_info_octets(self) -> int:
        """Return the size of the side information that follows header and CRC."""
        if self.low_rate:
            return 9 if self.channels == 1 else 17
        return 17 if self.channels == 1 else 32

    @property
    def main_data_offset(self) -> int:
        """Return where the frame's slot of main data begins."""
        return HEADER_OCTETS + self.protected * CRC_OCTETS + self.side_info_octets


def bit_rates_kbps(version: Version) -> tuple[int, ...]:
    """Return the bit rates that a header of this version can name, by their index."""
    return _BIT_RATES_MPEG_1 if version is Version.MPEG_1 else _BIT_RATES_LOW


def parse_header(data: Octets, offset: int = 0) -> FrameHeader | None:
    """Return the frame header at `offset`, or None where there is none.

    Free format (bit rate index 0) is refused: its frames don't tell their size.
    """
    octets = bytes(data[offset : offset + HEADER_OCTETS])
    if len(octets) < HEADER_OCTETS or octets[0] != 0xFF:
        return None
    return _header_of(octets)


@lru_cache(maxsize=256)
def _header_of(octets: bytes) -> FrameHeader | None:
    """Decode four octets. A stream repeats a few headers, hence the cache."""
    word = int.from_bytes(octets, "big")
    version_bits, layer = (word >> 19) & 3, (word >> 17) & 3
    bit_rate_index, rate_index = (word >> 12) & 15, (word >> 10) & 3
    if word >> 21 != 0x7FF or version_bits == 1 or layer != 1:
        return None
    if bit_rate_index in {0, 15} or rate_index == 3:
        return None
    version = Version(version_bits)
    return FrameHeader(
        word=word,
        version=version,
        bit_rate_kbps=bit_rates_kbps(version)[bit_rate_index],
        sample_rate=_SAMPLE_RATES[version][rate_index],
        padded=bool(word >> 9 & 1),
        protected=not word >> 16 & 1,
        channels=1 if word >> 6 & 3 == 3 else 2,
    )


def id3_octets(data: Octets) -> int:
    """Return the size of the ID3v2 tag at the start (0: none), header and footer included.

    ID3v2.4 section 3.1; the size is "synchsafe", seven bits in each octet.
    """
    head = bytes(data[:ID3_HEADER_OCTETS])
    if len(head) < ID3_HEADER_OCTETS or head[:3] != b"ID3" or any(o & 0x80 for o in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    footer = ID3_HEADER_OCTETS if head[5] & 0x10 else 0
    return ID3_HEADER_OCTETS + size + footer


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a walk over a file found."""

    frames: int
    samples: int
    "Of one channel, in all whole frames."

    sample_rate: int
    "Hz; 0 where there is no frame."

    channels: int
    audio_start: int
    "Where the first frame begins, after a tag."

    end: int
    "Where the last whole frame ends: everything behind it is to be cut off."

    damaged_octets: int
    "Between frames, passed over to find the next one."

    @property
    def duration_s(self) -> float:
        """Return how long a player plays the file."""
        return self.samples / self.sample_rate if self.sample_rate else 0.0


def iter_frames(data: Octets, offset: int = 0) -> Iterator[tuple[int, FrameHeader]]:
    """Yield position and header of each whole frame from `offset` on.

    Damage is passed over: behind it a frame counts only if another header of the same
    stream, or the end of the data, follows it exactly. The same holds for the first frame:
    it tells what the stream is, and a damaged one would disown all others.
    """
    stream: int | None = None
    in_step = False
    end = len(data)
    while offset + HEADER_OCTETS <= end:
        header = parse_header(data, offset)
        if header is None or (stream is not None and header.word & _STREAM_MASK != stream):
            offset, in_step = _next_sync(data, offset + 1), False
            continue
        following = offset + header.octets
        if following > end:
            if in_step:
                return
            offset = _next_sync(data, offset + 1)
            continue
        if not in_step and not _confirmed(data, header, following):
            offset = _next_sync(data, offset + 1)
            continue
        stream, in_step = header.word & _STREAM_MASK, True
        yield offset, header
        offset = following


def _next_sync(data: Octets, offset: int) -> int:
    """Return the next place that could begin a header (the end where there is none)."""
    found = data.find(b"\xff", offset)
    return found if found >= 0 else len(data)


def _confirmed(data: Octets, header: FrameHeader, following: int) -> bool:
    """Tell whether a frame of the same stream, or the end, follows at `following`."""
    if following + HEADER_OCTETS > len(data):
        return True
    successor = parse_header(data, following)
    return successor is not None and (successor.word ^ header.word) & _STREAM_MASK == 0


def scan(data: Octets) -> Scan:
    """Walk over a file's contents and tell what is playable in it."""
    start = min(id3_octets(data), len(data))
    frames = samples = sample_rate = channels = 0
    end, audio_start, damaged = start, start, 0
    for offset, header in iter_frames(data, start):
        if not frames:
            audio_start, sample_rate, channels = offset, header.sample_rate, header.channels
        damaged += offset - end
        frames += 1
        samples += header.samples
        end = offset + header.octets
    return Scan(
        frames=frames,
        samples=samples,
        sample_rate=sample_rate,
        channels=channels,
        audio_start=audio_start,
        end=end if frames else 0,
        damaged_octets=damaged,
    )


def whole_frames(data: Octets) -> int:
    """Return the length of the longest prefix that ends with a whole frame.

    A prefix that holds only a whole tag counts too, so that the beginning of a file can
    be measured by itself.
    """
    found = scan(data)
    if found.frames:
        return found.end
    tag = id3_octets(data)
    return tag if tag <= len(data) else 0
