"""A stream that a second encoder goes on with: judged by decoding it."""

import subprocess

import numpy as np
import pytest
from numpy.typing import NDArray

from recording import mp3, splice
from recording.encoder import ENCODER_DELAY_SAMPLES, Encoder
from tests.support import audio

Decoded = NDArray[np.float64]


def decode(data: bytes, channels: int) -> Decoded:
    """Decode with ffmpeg, which must have nothing to complain about."""
    command = ["ffmpeg", "-v", "error", "-i", "pipe:0", "-f", "s16le", "-ac", str(channels), "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    assert done.stderr == b""
    return np.frombuffer(done.stdout, "<i2").astype(np.float64)


def correlation(one: Decoded, other: Decoded) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def joined(pcm: NDArray[np.int16], cut: int, **settings: int) -> tuple[bytes, bytes]:
    """Return the uncut stream, and the one that another encoder continued at frame `cut`."""
    first = Encoder(**settings)
    uncut = first.encode(pcm) + first.flush()
    plan = splice.plan(cut)
    second = Encoder(**settings, skip_frames=plan.skip_frames)
    rest = b"".join(
        second.encode(pcm[at : at + 999]) for at in range(plan.first_sample, len(pcm), 999)
    )
    rest += second.flush()
    assert mp3.scan(rest).frames == second.frames
    return uncut, uncut[: cut * first.frame_octets] + rest


def test_plan_names_the_sample_to_start_from() -> None:
    assert splice.plan(100) == splice.SplicePlan(first_sample=96 * 576, skip_frames=4)
    assert splice.plan(3) == splice.SplicePlan(first_sample=0, skip_frames=3)
    assert splice.plan(0) == splice.SplicePlan(first_sample=0, skip_frames=0)
    assert splice.plan(50, priming_frames=8) == splice.SplicePlan(
        first_sample=42 * 576, skip_frames=8
    )


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize("cut", [1, 3, 20, 33, 47, 60])
def test_a_pure_voice_shows_no_seam(cut: int) -> None:
    """Tones that LAME codes with room to spare: the joint must not be heard at all."""
    pcm = audio.tone(300.0, 6.0) + audio.tone(1100.0, 6.0, level=-18.0)
    uncut, spliced = joined(pcm, cut)
    before, after = decode(uncut, 1), decode(spliced, 1)
    assert len(before) == len(after)
    window = 160
    for start in range(max(cut * 576 - 8 * window, 2000), cut * 576 + 24 * window, window):
        assert correlation(before[start:][:window], after[start:][:window]) > 0.99


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize(
    ("rate", "channels", "quality"),
    [(8000, 1, 7), (8000, 1, 3), (8000, 2, 7), (16000, 2, 7), (24000, 1, 7), (24000, 2, 7)],
)
def test_speech_is_as_good_at_the_joint_as_anywhere(rate: int, channels: int, quality: int) -> None:
    """Two encoders quantise differently, so both are compared with what was spoken."""
    mono = audio.speech(5.0, seed=9, rate=rate)
    pcm = np.stack([mono, np.roll(mono, 777)], axis=1) if channels == 2 else mono
    spoken = pcm.reshape(-1).astype(np.float64)
    window, lag = rate // 50 * channels, ENCODER_DELAY_SAMPLES * channels
    uncut_marks, spliced_marks = [], []
    for cut in range(20, 60, 8):
        uncut, spliced = joined(pcm, cut, sample_rate=rate, channels=channels, quality=quality)
        before, after = decode(uncut, channels), decode(spliced, channels)
        assert len(before) == len(after)
        at = cut * 576 * channels
        for start in range(at - 4 * window, at + 12 * window, window):
            original = spoken[start - lag :][:window]
            if float(np.sqrt(np.mean(original**2))) > 300:
                uncut_marks.append(correlation(original, before[start:][:window]))
                spliced_marks.append(correlation(original, after[start:][:window]))
    assert float(np.mean(spliced_marks)) > float(np.mean(uncut_marks)) - 0.01
    assert min(spliced_marks) > min(uncut_marks) - 0.1


@pytest.mark.peer("ffmpeg")
def test_without_the_rewritten_frame_the_joint_is_heard() -> None:
    """The counter-proof: dropping frames alone leaves the next one without its octets."""
    pcm = audio.speech(5.0, seed=9)
    damaged = 0
    for cut in (20, 30, 40, 50):
        uncut, spliced = joined(pcm, cut)
        plan = splice.plan(cut)
        raw = Encoder()
        rest = (raw.encode(pcm[plan.first_sample :]) + raw.flush())[
            plan.skip_frames * raw.frame_octets :
        ]
        naive = uncut[: cut * raw.frame_octets] + rest
        command = ["ffmpeg", "-v", "error", "-i", "pipe:0", "-f", "s16le", "-"]
        done = subprocess.run(command, input=naive, capture_output=True, check=True)
        damaged += done.stdout != decode(spliced, 1).astype("<i2").tobytes()
    assert damaged


def test_the_joint_is_one_larger_frame_without_loan() -> None:
    uncut, spliced = joined(audio.speech(4.0, seed=4), 30)
    frames = [header.octets for _, header in mp3.iter_frames(spliced)]
    assert frames[30] > 216
    assert set(frames[:30] + frames[31:]) == {216}
    assert spliced[30 * 216 + 4] == 0, "main_data_begin"
    assert len(frames) == mp3.scan(uncut).frames


def test_a_stream_that_ends_within_the_priming_adds_nothing() -> None:
    encoder = Encoder(skip_frames=4)
    assert encoder.encode(np.zeros(100, np.int16)) + encoder.flush() == b""
    assert encoder.frames == 0


def test_a_stream_that_ends_with_the_joint_has_one_frame() -> None:
    encoder = Encoder(skip_frames=1)
    data = encoder.encode(np.zeros(1, np.int16)) + encoder.flush()
    assert encoder.frames == mp3.scan(data).frames >= 1


def frame(*, begin: int = 0, fill: int = 0, private: int = 0, crc: bool = False) -> bytes:
    """Build a frame of 216 octets by hand, its slot filled with one value."""
    word = 0xFFE338C4
    head = (word & ~0x10000 if crc else word).to_bytes(4, "big") + (b"\xaa\xbb" if crc else b"")
    side_info = bytes([begin, private]) + bytes(7)
    return (head + side_info).ljust(216, bytes([fill]))


def test_octets_by_eye() -> None:
    dropped = frame(fill=1) + frame(fill=2)
    made = splice.self_contained(
        dropped, frame(begin=5, fill=3, private=0x80), frame(begin=7, fill=4)
    )
    header = mp3.parse_header(made)
    assert header is not None
    assert len(made) == header.octets == 288
    assert made[4:6] == b"\x00\x80"
    slot = made[13:]
    assert slot[:5] == b"\2" * 5, "borrowed"
    assert slot[5 : 5 + 203 - 7] == b"\3" * 196, "its own"
    assert slot[201:-7] == bytes(len(slot) - 201 - 7), "room"
    assert slot[-7:] == b"\3" * 7, "lent to its successor, directly before it"


def test_a_loan_over_two_frames_keeps_its_order() -> None:
    dropped = frame(fill=1) + frame(fill=2)
    made = splice.self_contained(dropped, frame(begin=210, fill=3), None)
    assert made[13:][: 7 + 203 + 203] == b"\1" * 7 + b"\2" * 203 + b"\3" * 203


def test_a_successor_that_reaches_behind_the_joint_finds_its_octets() -> None:
    made = splice.self_contained(frame(fill=1), frame(begin=100, fill=3), frame(begin=255))
    assert made[-255:] == b"\1" * 52 + b"\3" * 203
    assert made[13 : 13 + 48] == b"\1" * 48


def test_a_checksum_is_made_anew() -> None:
    made = splice.self_contained(frame(fill=1, crc=True), frame(begin=9, crc=True), None)
    header = mp3.parse_header(made)
    assert header is not None
    assert header.protected
    # CRC-16 (0x8005, starting with ones) over the last two header octets and the side info.
    register = 0xFFFF
    for octet in made[2:4] + made[6:15]:
        for bit in range(7, -1, -1):
            carry = (register >> 15) ^ (octet >> bit & 1)
            register = (register << 1 & 0xFFFF) ^ (0x8005 if carry else 0)
    assert made[4:6] == register.to_bytes(2, "big")


@pytest.mark.parametrize(
    ("dropped", "kept"),
    [
        (b"", frame(begin=1)),
        (frame(), frame()[:-1]),
        (frame()[:-1], frame(begin=1)),
        (frame(), bytes.fromhex("fffb1000").ljust(104, b"\0")),
        (frame(), b"nonsense"),
    ],
    ids=["loan from nowhere", "cut frame", "cut reservoir", "MPEG-1", "no frame"],
)
def test_what_can_not_be_joined_is_refused(dropped: bytes, kept: bytes) -> None:
    with pytest.raises(splice.SpliceError):
        splice.self_contained(dropped, kept, None)


def test_a_bit_rate_that_leaves_no_room_is_refused() -> None:
    kept = bytes.fromhex("fff3e8c4").ljust(720, b"\0")
    assert mp3.scan(kept).end == 720
    with pytest.raises(splice.SpliceError, match="no frame holds"):
        splice.self_contained(kept, kept[:4] + b"\1" + kept[5:], None)
