import numpy as np
import pytest

from b2bua.demo import hearing
from tests.support import audio
from tests.support.audio import Pcm

SAID = audio.speech(3.0, seed=1)
OTHER = audio.speech(3.0, seed=2)
PAUSE = audio.silence(1.0)


def test_a_sound_is_found_at_its_place() -> None:
    pcm = np.concatenate((PAUSE, OTHER, PAUSE, SAID, PAUSE))
    match = hearing.best_match(pcm, SAID)
    assert match.start == pytest.approx(5.0, abs=0.001)
    assert match.likeness > 0.99
    assert hearing.find_sound(pcm, OTHER) == pytest.approx(1.0, abs=0.001)


def test_what_was_not_said_is_not_found() -> None:
    pcm = np.concatenate((PAUSE, OTHER, PAUSE))
    assert hearing.best_match(pcm, SAID).likeness < 0.5
    assert hearing.find_sound(pcm, SAID) is None
    assert hearing.find_sound(np.zeros(0, np.int16), SAID) is None
    assert hearing.find_sound(PAUSE, SAID) is None


def stretched(pcm: Pcm, *, every_s: float, samples: int) -> Pcm:
    """Return the sound with some samples repeated again and again, as drift correction does."""
    step = round(every_s * hearing.RATE)
    parts = [pcm[first : first + step] for first in range(0, pcm.size, step)]
    return np.concatenate([each for part in parts for each in (part, part[-samples:])])


def test_a_slow_clock_s_corrections_do_not_hide_a_sound() -> None:
    # 1 % in steps, as a recording of pyVoIP has them.
    pcm = np.concatenate((PAUSE, stretched(SAID, every_s=1.0, samples=80), PAUSE))
    match = hearing.best_match(pcm, SAID)
    assert match.found
    assert match.start == pytest.approx(1.0, abs=0.03)


def test_noise_and_another_loudness_do_not_hide_a_sound() -> None:
    noise = np.random.default_rng(3).normal(0, 200, SAID.size)
    pcm = np.concatenate((PAUSE, (SAID * 0.3 + noise).astype(np.int16), PAUSE))
    assert hearing.find_sound(pcm, SAID) == pytest.approx(1.0, abs=0.005)


def test_half_a_sound_is_no_sound_but_is_found_as_a_part() -> None:
    pcm = np.concatenate((PAUSE, SAID[: SAID.size // 2], PAUSE))
    assert hearing.find_sound(pcm, SAID) is None
    part = hearing.best_part(pcm, SAID)
    assert part.found
    assert part.start == pytest.approx(1.0, abs=0.005)
    assert not hearing.best_part(np.concatenate((PAUSE, OTHER, PAUSE)), SAID).found
    short = SAID[:2000]
    assert hearing.best_part(np.concatenate((PAUSE, short)), short).found


def test_a_cut_off_beginning_counts_where_most_is_there() -> None:
    cut = round(0.4 * hearing.RATE)
    match = hearing.best_match(np.concatenate((SAID[cut:], PAUSE)), SAID)
    assert match.found
    assert match.start == pytest.approx(-0.4, abs=0.005)


def test_silence_is_nothing_to_look_for() -> None:
    with pytest.raises(ValueError, match="silence"):
        hearing.find_sound(SAID, PAUSE)
