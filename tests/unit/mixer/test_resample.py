from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mixer.jitter_buffer import UNWRITTEN
from mixer.resample import Widener
from tests.support import audio


def test_a_narrow_tone_keeps_pitch_and_level_across_chunks() -> None:
    pcm = audio.tone(1000.0, 1.0)
    widener = Widener()
    parts = [widener.widen(pcm[i : i + 1000], None, last=i == 7000) for i in range(0, 8000, 1000)]
    out = np.concatenate(parts)
    assert len(out) == 2 * len(pcm)
    level = audio.tone_level(out, 1000.0, 0.1, 0.9, rate=16000)
    assert abs(level - audio.tone_level(pcm, 1000.0, 0.1, 0.9)) < 0.1
    assert audio.tone_level(out, 7000.0, 0.1, 0.9, rate=16000) < -70, "no mirror image"


def test_nothing_is_delayed() -> None:
    pcm = np.zeros(100, dtype=np.int16)
    pcm[50] = 10000
    assert int(np.argmax(Widener().widen(pcm, None, last=True))) == 100


def test_what_a_wideband_codec_said_stays_as_it_is() -> None:
    pcm = audio.tone(6000.0, 0.5, rate=16000)
    assert np.array_equal(Widener().widen(pcm[::2], pcm[1::2], last=True), pcm)


def test_from_one_codec_to_the_other_there_is_no_step() -> None:
    pcm = audio.tone(500.0, 0.5, rate=16000)
    odd = pcm[1::2].copy()
    odd[1000:2000] = UNWRITTEN
    out = Widener().widen(pcm[::2], odd, last=True)
    assert int(np.abs(out.astype(int) - pcm).max()) < 60


def test_a_hole_stays_one_and_is_no_step_to_zero_for_its_neighbours() -> None:
    pcm = audio.tone(300.0, 0.5, rate=16000)
    even = pcm[::2].copy()
    even[1000:1160] = UNWRITTEN
    out = Widener().widen(even, None, last=True)
    assert (out[2000:2320] == UNWRITTEN).all()
    assert not (np.delete(out, np.s_[2000:2320]) == UNWRITTEN).any()
    heard = np.delete(np.arange(len(out)), np.s_[2000:2320])
    assert int(np.abs(out[heard].astype(int) - pcm[heard]).max()) < 1200


def test_a_piece_that_is_shorter_than_the_look_ahead_waits() -> None:
    pcm = audio.tone(300.0, 0.05)
    widener = Widener()
    parts = [widener.widen(pcm[i : i + 5], None, last=i == 395) for i in range(0, 400, 5)]
    assert [len(part) for part in parts[:4]] == [0, 0, 6, 10]
    assert np.array_equal(np.concatenate(parts), Widener().widen(pcm, None, last=True))


@given(
    cuts=st.lists(st.integers(0, 3000), max_size=6),
    holes=st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 400)), max_size=3),
    seed=st.integers(0, 1000),
)
def test_where_chunks_end_shows_nowhere(
    cuts: list[int], holes: list[tuple[int, int]], seed: int
) -> None:
    even = np.random.default_rng(seed).integers(-32767, 32768, 3000).astype(np.int16)
    for start, count in holes:
        even[start : start + count] = UNWRITTEN
    widener, borders = Widener(), [0, *sorted(cuts), len(even)]
    parts = [
        widener.widen(even[begin:end], None, last=number == len(borders) - 2)
        for number, (begin, end) in enumerate(pairwise(borders))
    ]
    assert np.array_equal(np.concatenate(parts), Widener().widen(even, None, last=True))


def test_what_lies_between_is_a_windowed_sinc() -> None:
    even = np.random.default_rng(1).integers(-8000, 8000, 500).astype(np.int16)
    distance = np.arange(-12, 12) + 0.5
    weights = np.sinc(distance) * np.kaiser(24, 6.0)
    wanted = np.convolve(even, weights / weights.sum(), "valid")
    out = Widener().widen(even, None, last=True)
    assert np.array_equal(out[::2], even)
    assert np.array_equal(out[1::2][11:-12], np.rint(wanted).astype(np.int16))
