"""Going on with an MP3 stream that another encoder began.

A recorder that was killed left a file of F whole frames. Its successor has a new
encoder, with none of the old one's history. Two things have to be right at the joint:

**Time.** A new encoder is fed from an earlier sample, `priming` frames before the joint,
and its first frames are dropped (`plan`). Frame i of an encoder that began at sample
i0 * 576 is then frame i0 + i of the file: nothing is lost and nothing is doubled. The
priming frames give the new encoder's filter bank and psychoacoustic model their past.

**The bit reservoir.** A frame's main data may begin up to 255 octets before the frame
itself, in the slots of its predecessors (`main_data_begin`, ISO/IEC 11172-3 2.4.2.7; 8
bits wide in MPEG-2 and 2.5). The first kept frame may so refer to octets that were
dropped, and a decoder would take the old encoder's octets instead: noise for one frame or
more. `self_contained` writes this one frame anew at a higher bit rate, so that everything
it needs is in itself:

    header' | CRC' | side info, main_data_begin = 0 | main data | zeros | tail

Its main data are the octets that it borrowed plus its own slot up to where the data of
its successor begin; the successor borrowed the last `tail` octets of the slot, and they
stay directly before it. No later frame changes. The file grows by some 300 octets; the
number of samples is exactly that of an uncut file.
"""

from dataclasses import dataclass

from recording.mp3 import CRC_OCTETS, HEADER_OCTETS, FrameHeader, bit_rates_kbps, parse_header

FRAME_SAMPLES = 576

DEFAULT_PRIMING_FRAMES = 4


class SpliceError(Exception):
    """The octets given are no frames of a stream that can be joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplicePlan:
    """Where a new encoder starts, and what of it is dropped."""

    first_sample: int
    "On the recording's axis: the first sample to feed into the new encoder."

    skip_frames: int
    "Frames of the new encoder that the file already has (`Encoder(skip_frames=…)`)."


def plan(frames_in_file: int, *, priming_frames: int = DEFAULT_PRIMING_FRAMES) -> SplicePlan:
    """Tell how to go on with a file that holds `frames_in_file` whole frames.

    The samples from `first_sample` on must still be at hand. That is at most
    `priming_frames` * 576 samples before those of the next frame; near the beginning of a
    file it is sample 0.
    """
    skip = min(frames_in_file, priming_frames)
    return SplicePlan(first_sample=(frames_in_file - skip) * FRAME_SAMPLES, skip_frames=skip)


def self_contained(dropped: bytes, kept: bytes, following: bytes | None) -> bytes:
    """Return the frame `kept` rewritten so that it needs no octet of `dropped`.

    `dropped` are the whole frames before it, from the encoder's first one on; `following`
    is the next frame (None at the end of the stream).
    """
    header = _low_rate_header(kept)
    reservoir = _slots(dropped)
    begin = _main_data_begin(kept, header)
    if begin > len(reservoir):
        raise SpliceError(f"frame borrows {begin} octets, {len(reservoir)} were dropped")
    main_data = reservoir[len(reservoir) - begin :] + kept[header.main_data_offset :]
    lent = 0
    if following is not None:
        # What the successor borrowed may reach back into what this frame borrowed itself.
        lent = min(_main_data_begin(following, _low_rate_header(following)), len(main_data))
    own, tail = main_data[: len(main_data) - lent], main_data[len(main_data) - lent :]
    new_header = _roomier(header, header.main_data_offset + len(main_data))
    new = parse_header(new_header)
    assert new is not None
    side_info = (
        b"\0"
        + kept[header.main_data_offset - header.side_info_octets + 1 :][
            : header.side_info_octets - 1
        ]
    )
    crc = _crc(new_header[2:] + side_info) if header.protected else b""
    padding = bytes(new.octets - new.main_data_offset - len(main_data))
    return new_header + crc + side_info + own + padding + tail


def _low_rate_header(frame: bytes) -> FrameHeader:
    header = parse_header(frame)
    if header is None or header.octets != len(frame):
        raise SpliceError("not one whole frame")
    if not header.low_rate:
        raise SpliceError("MPEG-1 frames are not written by this recorder")
    return header


def _main_data_begin(frame: bytes, header: FrameHeader) -> int:
    """Return how many octets of main data lie before the frame (first side info octet)."""
    return frame[header.main_data_offset - header.side_info_octets]


def _slots(frames: bytes) -> bytes:
    """Return the main data of all frames in `frames`, joined."""
    parts = []
    offset = 0
    while offset < len(frames):
        header = parse_header(frames, offset)
        if header is None or offset + header.octets > len(frames):
            raise SpliceError("dropped octets are not whole frames")
        parts.append(frames[offset + header.main_data_offset : offset + header.octets])
        offset += header.octets
    return b"".join(parts)


def _roomier(header: FrameHeader, octets: int) -> bytes:
    """Return the header with the lowest bit rate whose frame holds `octets`, unpadded."""
    for index, kbps in enumerate(bit_rates_kbps(header.version)):
        if index and 72_000 * kbps // header.sample_rate >= octets:
            word = header.word & ~0xF200 | index << 12
            return word.to_bytes(HEADER_OCTETS, "big")
    raise SpliceError(f"no frame holds {octets} octets")


def _crc(data: bytes) -> bytes:
    """CRC-16 of ISO/IEC 11172-3 2.4.3.1: x^16 + x^15 + x^2 + 1, starting with ones."""
    crc = 0xFFFF
    for octet in data:
        crc ^= octet << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x8005 if crc & 0x8000 else crc << 1
            crc &= 0xFFFF
    return crc.to_bytes(CRC_OCTETS, "big")
