import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixer.upsample import Upsampler
from tests.support import audio

RATES = [(8000, 24000), (16000, 24000)]

Samples = NDArray[np.int16]


def whole(pcm: Samples, rate: int, to: int) -> Samples:
    upsampler = Upsampler(rate, to, channels=pcm.shape[1] if pcm.ndim == 2 else 1)
    return np.concatenate((upsampler.take(pcm), upsampler.rest()))


@pytest.mark.parametrize(("rate", "to"), RATES)
def test_a_tone_keeps_pitch_level_and_time(rate: int, to: int) -> None:
    out = whole(audio.tone(1000.0, 1.0, rate=rate), rate, to)
    expected = audio.tone(1000.0, 1.0, rate=to)
    assert len(out) == len(expected)
    inner = slice(100, -100)
    assert int(np.abs(out[inner].astype(int) - expected[inner]).max()) <= 5


@pytest.mark.parametrize(("rate", "to"), RATES)
def test_there_is_no_mirror_image(rate: int, to: int) -> None:
    out = whole(audio.tone(3000.0, 1.0, rate=rate), rate, to)
    assert audio.tone_level(out, rate - 3000.0, 0.1, 0.9, rate=to) < -70


@pytest.mark.parametrize(("rate", "to"), RATES)
def test_full_scale_is_limited_instead_of_wrapped(rate: int, to: int) -> None:
    pcm = np.where(np.arange(rate) // 20 % 2, 32767, -32768).astype(np.int16)
    out = whole(pcm, rate, to).astype(int)
    middle = out[10 * to // rate :: 20 * to // rate]
    assert (np.abs(middle) > 30000).all()
    assert (np.sign(middle[:-1]) == -np.sign(middle[1:])).all()


@given(
    pieces=st.lists(st.integers(0, 90), max_size=30),
    rates=st.sampled_from(RATES),
    channels=st.sampled_from([1, 2]),
)
def test_pieces_give_what_the_whole_gives(
    pieces: list[int], rates: tuple[int, int], channels: int
) -> None:
    rate, to = rates
    shape = (sum(pieces),) if channels == 1 else (sum(pieces), channels)
    pcm = np.random.default_rng(3).integers(-32768, 32767, shape, dtype=np.int16)
    upsampler, at, parts = Upsampler(rate, to, channels), 0, []
    for piece in pieces:
        parts.append(upsampler.take(pcm[at : at + piece]))
        at += piece
    parts.append(upsampler.rest())
    out = np.concatenate(parts)
    assert np.array_equal(out, whole(pcm, rate, to))
    # A last sample that has no partner gets one of silence.
    assert 0 <= len(out) - len(pcm) * to // rate <= 3


def test_there_are_ways_that_it_does_not_go() -> None:
    with pytest.raises(ValueError, match="no way from 16000 Hz to 8000 Hz"):
        Upsampler(16000, 8000)
    with pytest.raises(ValueError, match="no way"):
        Upsampler(44100, 48000)
