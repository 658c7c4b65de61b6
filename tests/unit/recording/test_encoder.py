"""What comes out of the encoder, judged by a foreign decoder."""

from pathlib import Path

import numpy as np
import pytest

from recording import mp3
from recording.encoder import ENCODER_DELAY_SAMPLES, FRAME_SAMPLES, Encoder
from tests.support import audio


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (8000, 2), (16000, 1), (16000, 2)])
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
