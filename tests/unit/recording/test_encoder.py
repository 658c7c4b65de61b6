"""What comes out of the encoder, judged by a foreign decoder."""

from pathlib import Path

import numpy as np
import pytest

from recording import mp3
from recording.encoder import (
    ENCODER_DELAY_SAMPLES,
    FINE_RATE,
    FRAME_SAMPLES,
    LOWEST_QUALITY,
    Encoder,
)
from tests.support import audio


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_rate_and_size_are_what_was_asked_for(rate: int, channels: int) -> None:
    encoder = Encoder(sample_rate=rate, channels=channels)
    pcm = audio.speech(10.0, seed=1, rate=rate)
    data = encoder.encode(np.stack([pcm] * channels, axis=1) if channels == 2 else pcm)
    data += encoder.flush()
    found = mp3.scan(data)
    assert (found.sample_rate, found.channels) == (rate, channels)
    assert found.end == len(data)
    assert encoder.frames == found.frames
    assert len(data) * 60 / found.duration_s <= 200_000


def test_only_whole_frames_come_out_at_any_time() -> None:
    pcm = audio.speech(3.0, seed=2)
    encoder = Encoder()
    pieces = [encoder.encode(pcm[i : i + 160]) for i in range(0, pcm.size, 160)]
    pieces.append(encoder.flush())
    assert all(len(piece) % encoder.frame_octets == 0 for piece in pieces)
    assert all(mp3.scan(piece).end == len(piece) for piece in pieces)


def test_pieces_make_the_same_stream_as_the_whole() -> None:
    pcm = audio.speech(2.0, seed=3)
    one, many = Encoder(), Encoder()
    whole = one.encode(pcm) + one.flush()
    pieces = b"".join(many.encode(pcm[i : i + 777]) for i in range(0, pcm.size, 777))
    assert pieces + many.flush() == whole


@pytest.mark.parametrize("channels", [1, 2])
def test_frames_are_of_one_size_whatever_is_heard(channels: int) -> None:
    """LAME's newer loop likes to spend less on silence, and more on noise."""
    shape = (24_000,) if channels == 1 else (24_000, channels)
    random = np.random.default_rng(24)
    loud = random.integers(-32768, 32767, shape, dtype=np.int16, endpoint=True)
    heard = [np.zeros(shape, np.int16), loud, np.zeros(shape, np.int16), loud // 100]
    encoder = Encoder(sample_rate=FINE_RATE, channels=channels)
    data = b"".join(encoder.encode(pcm) for pcm in heard) + encoder.flush()
    assert {header.octets for _, header in mp3.iter_frames(data)} == {72}
    assert encoder.frames * 72 == len(data)


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize("rate", [8000, 16000])
def test_what_has_a_lower_rate_is_heard_when_it_was_said(tmp_path: Path, rate: int) -> None:
    encoder = Encoder(sample_rate=FINE_RATE, input_rate=rate)
    pcm = audio.speech(3.0, seed=5, rate=rate)
    pieces = [encoder.encode(pcm[i : i + 333]) for i in range(0, pcm.size, 333)]
    path = tmp_path / "fine.mp3"
    path.write_bytes(b"".join(pieces) + encoder.flush())
    heard = audio.decode(path, rate=FINE_RATE)[::3].astype(np.float64)
    said = pcm[:: rate // 8000]
    likeness = [np.corrcoef(np.roll(said, by), heard[: said.size])[0, 1] for by in range(-3, 4)]
    assert int(np.argmax(likeness)) == 3
    assert max(likeness) > 0.98


@pytest.mark.peer("ffmpeg")
def test_the_delay_is_constant_and_known(tmp_path: Path) -> None:
    pcm = audio.silence(1.0)
    pcm[3000:3040] = 20_000
    encoder = Encoder()
    path = tmp_path / "click.mp3"
    path.write_bytes(encoder.encode(pcm) + encoder.flush())
    heard = audio.decode(path)  # takes `audio.MP3_DELAY` off
    assert audio.MP3_DELAY == ENCODER_DELAY_SAMPLES
    assert abs(int(np.argmax(np.convolve(np.abs(heard), np.ones(40), "valid"))) - 3000) <= 4


def test_wrong_shapes_are_our_bug() -> None:
    with pytest.raises(ValueError, match="1 channels"):
        Encoder().encode(np.zeros((10, 2), np.int16))
    with pytest.raises(ValueError, match="2 channels"):
        Encoder(channels=2).encode(np.zeros(10, np.int16))
    with pytest.raises(ValueError, match="frames of two sizes"):
        Encoder(sample_rate=11_025)


def test_nothing_in_nothing_out() -> None:
    encoder = Encoder()
    assert encoder.encode(np.zeros(0, np.int16)) == b""
    assert encoder.flush() == b""
    assert FRAME_SAMPLES == 576


def test_in_need_the_quicker_loop_is_taken_at_24_khz_too() -> None:
    pcm = audio.speech(1.0, seed=6, rate=FINE_RATE)

    def made(quality: int) -> bytes:
        encoder = Encoder(sample_rate=FINE_RATE, quality=quality)
        return encoder.encode(pcm) + encoder.flush()

    assert made(7) == made(5) != made(LOWEST_QUALITY)
    assert len(made(7)) == len(made(LOWEST_QUALITY))
