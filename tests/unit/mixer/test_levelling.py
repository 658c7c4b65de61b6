"""Levelling: speech comes near to one level, and nothing else is touched."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.levelling import ENOUGH_DB, MOST_DB, TARGET_DB, Leveller
from mixer.levels import levels_db
from tests.support import audio

Samples = NDArray[np.int16]

CHUNK = 8000


def talk(seconds: int, level: float, *, noise: float = -65.0) -> Samples:
    """Speech of 1.4 s and a pause of 0.6 s in turns, over the noise of a line."""
    spoken = audio.speech(seconds, seed=3, level=level)
    spoken[np.arange(len(spoken)) % 16000 >= 11200] = 0
    return spoken + audio.noise(seconds, seed=5, level=noise)


def levelled(pcm: Samples, leveller: Leveller, chunk: int = CHUNK) -> Samples:
    return np.concatenate(
        [leveller.level(pcm[at : at + chunk]) for at in range(0, len(pcm), chunk)]
    )


def speech_db(pcm: Samples) -> float:
    """Level of the spoken frames, those within 20 dB of the loudest, taken together."""
    levels = levels_db(pcm.reshape(-1, 160))
    return 10 * float(np.log10(np.mean(10 ** (levels[levels > levels.max() - 20] / 10))))


@pytest.mark.parametrize("level", [-31.0, -27.0, -20.0, -12.0])
def test_speech_of_any_level_comes_near_to_the_target(level: float) -> None:
    said = talk(30, level)
    heard = levelled(said, Leveller())
    assert len(heard) == len(said)
    assert speech_db(heard[-80000:]) == pytest.approx(TARGET_DB, abs=ENOUGH_DB + 1.5)


def test_two_parties_20_db_apart_come_within_three() -> None:
    quiet, loud = (levelled(talk(30, level), Leveller())[-80000:] for level in (-32.0, -12.0))
    assert abs(speech_db(loud) - speech_db(quiet)) < 3


@pytest.mark.parametrize("level", [-48.0, 0.0])
def test_the_gain_has_its_bounds(level: float) -> None:
    leveller = Leveller()
    levelled(talk(60, level, noise=-80.0), leveller)
    assert 0 < abs(leveller.gain_db) <= MOST_DB


@pytest.mark.parametrize(
    "sound",
    [
        audio.silence(20.0),
        audio.noise(20.0, seed=1, level=-60.0),
        audio.noise(20.0, seed=1, level=-35.0),
        audio.tone(440.0, 20.0, level=-40.0),
    ],
)
def test_silence_noise_and_tones_are_not_touched(sound: Samples) -> None:
    assert np.array_equal(levelled(sound, Leveller()), sound)


def test_nothing_swells_up_in_a_pause() -> None:
    leveller = Leveller()
    levelled(talk(20, -30.0), leveller)
    before = leveller.gain_db
    pause = audio.noise(20.0, seed=8, level=-65.0)
    heard = levelled(pause, leveller)
    assert leveller.gain_db == before
    lifted = levels_db(heard.reshape(-1, CHUNK)) - levels_db(pause.reshape(-1, CHUNK))
    assert lifted.max() - lifted.min() < 0.3, "the same gain from beginning to end"


def test_the_gain_is_slow_and_has_no_steps() -> None:
    leveller = Leveller()
    said = talk(20, -30.0)
    gains = [0.0]
    for at in range(0, len(said), CHUNK):
        leveller.level(said[at : at + CHUNK])
        gains.append(leveller.gain_db)
    assert gains[-1] > 5
    assert np.abs(np.diff(gains)).max() <= 2.001, "dB a second"
    vowel = audio.tone(300.0, 1.0, level=-30.0)
    heard = leveller.level(vowel)
    smooth = np.abs(np.diff(heard.astype(float), n=2)).max()
    gain = 10 ** (leveller.gain_db / 20)
    assert smooth < 1.1 * gain * np.abs(np.diff(vowel.astype(float), n=2)).max() + 4


def test_a_shout_after_whispers_is_not_cut_off() -> None:
    leveller = Leveller()
    levelled(talk(30, -34.0), leveller)
    assert leveller.gain_db > 8
    shout = audio.tone(500.0, 1.0, level=-1.0)
    heard = leveller.level(shout)
    settled = heard[80:]
    assert np.corrcoef(settled, shout[80:])[0, 1] > 0.9999, "cut off at 9 dB it has 0.97"
    assert leveller.gain_db < 1.1


def test_a_successor_goes_on_with_the_gain() -> None:
    first = Leveller()
    levelled(talk(20, -30.0), first)
    second = Leveller(first.gain_db)
    word = talk(2, -30.0)
    assert speech_db(second.level(word)) == pytest.approx(speech_db(first.level(word)), abs=1.0)
