"""Frame headers by hand, and files as LAME makes them."""

import numpy as np
import pytest

from recording import mp3
from recording.encoder import Encoder

MONO_24K = bytes.fromhex("ffe338c4")
"MPEG-2.5 Layer III, 24 kbit/s, 8 kHz, mono: what this recorder writes."


def stream(seconds: float = 2.0) -> bytes:
    rng = np.random.default_rng(5)
    encoder = Encoder()
    pcm = (rng.normal(size=round(8000 * seconds)) * 2000).astype(np.int16)
    return encoder.encode(pcm) + encoder.flush()


def test_header_of_our_own_stream() -> None:
    header = mp3.parse_header(MONO_24K)
    assert header is not None
    assert header.version is mp3.Version.MPEG_25
    assert (header.bit_rate_kbps, header.sample_rate, header.channels) == (24, 8000, 1)
    assert (header.octets, header.samples, header.side_info_octets) == (216, 576, 9)
    assert header.main_data_offset == 13


def test_header_of_mpeg_1_stereo_with_crc_and_padding() -> None:
    header = mp3.parse_header(bytes.fromhex("fffa9200"))
    assert header is not None
    assert (header.bit_rate_kbps, header.sample_rate, header.channels) == (128, 44100, 2)
    assert (header.octets, header.samples, header.main_data_offset) == (418, 1152, 4 + 2 + 32)


@pytest.mark.parametrize(
    "octets",
    ["ffe308c4", "ffe3f8c4", "ffeb38c4", "ffe538c4", "ffe33cc4", "fee338c4", "ff0338c4", "ffe338"],
    ids=["free", "bad rate", "version 1", "layer 2", "sample rate 3", "sync", "sync 2", "short"],
)
def test_what_is_no_header(octets: str) -> None:
    assert mp3.parse_header(bytes.fromhex(octets)) is None


def test_scan_counts_frames_samples_and_time() -> None:
    data = stream(2.0)
    found = mp3.scan(data)
    assert found.frames == len(data) // 216
    assert found.samples == found.frames * 576
    assert found.duration_s == pytest.approx(2.0, abs=0.25)
    assert (found.end, found.damaged_octets, found.audio_start) == (len(data), 0, 0)
    assert (found.sample_rate, found.channels) == (8000, 1)


@pytest.mark.parametrize("missing", [1, 100, 215])
def test_scan_stops_before_a_frame_that_is_not_whole(missing: int) -> None:
    data = stream(1.0)
    assert mp3.scan(data[:-missing]).end == len(data) - 216


def test_zeros_at_the_end_are_cut_off() -> None:
    data = stream(1.0)
    found = mp3.scan(data + bytes(4096))
    assert (found.end, found.damaged_octets) == (len(data), 0)


def test_zeros_in_the_middle_are_passed_over() -> None:
    data = bytearray(stream(3.0))
    data[1000:2000] = bytes(1000)
    found = mp3.scan(bytes(data))
    assert found.end == len(data)
    # The frame that began before the zeros counts (its header is whole); frames 5 to 9 don't.
    assert found.frames == len(data) // 216 - 5
    assert found.damaged_octets == 5 * 216


def test_a_false_sync_inside_damage_does_not_count() -> None:
    data = stream(1.0)
    damaged = data[: 216 * 3] + MONO_24K + b"\x55" * 50 + data[216 * 3 :]
    found = mp3.scan(damaged)
    assert found.end == len(damaged)
    # The false frame swallows whole ones only until the next place where headers agree.
    assert found.frames >= len(data) // 216 - 2


def test_a_tag_is_skipped_and_kept() -> None:
    tag = b"ID3\4\0\0" + bytes([0, 0, 1, 2]) + bytes(130)
    data = stream(1.0)
    found = mp3.scan(tag + data)
    assert (found.audio_start, found.end) == (140, 140 + len(data))
    assert mp3.whole_frames(tag) == 140
    assert mp3.whole_frames(tag[:-1]) == 0


def test_a_footer_belongs_to_the_tag() -> None:
    assert mp3.id3_octets(b"ID3\4\0\x10" + bytes([0, 0, 0, 5])) == 25
    assert mp3.id3_octets(b"ID3\4\0\0" + bytes([0, 0, 0, 0x80])) == 0


def test_nothing_is_nothing() -> None:
    found = mp3.scan(b"")
    assert (found.frames, found.end, found.duration_s) == (0, 0, 0.0)
    assert mp3.whole_frames(b"\0" * 500) == 0


def test_headers_that_nothing_confirms_are_no_frames() -> None:
    """Behind damage: one that is followed by something else, and one beyond the end."""
    data = stream(1.0)
    damaged = data + bytes(10) + MONO_24K + bytes(300) + MONO_24K + bytes(20)
    assert mp3.scan(damaged).end == len(data)


def test_the_last_frame_after_damage_needs_the_end_behind_it() -> None:
    data = stream(1.0)
    assert mp3.scan(data + bytes(10) + data[:216]).end == len(data) + 226


@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_damaged_first_header_does_not_disown_the_rest(place: int) -> None:
    data = bytearray(stream(2.0))
    data[place] ^= 0xC4
    found = mp3.scan(bytes(data))
    assert found.frames == len(data) // 216 - 1
    assert (found.end, found.channels) == (len(data), 1)


def test_a_frame_of_another_stream_is_damage() -> None:
    data = stream(1.0)
    other = bytes.fromhex("fff338c4").ljust(108, b"\0")
    found = mp3.scan(data[:2160] + other * 4 + data[2160:])
    assert found.damaged_octets == 432
    assert found.frames == len(data) // 216
