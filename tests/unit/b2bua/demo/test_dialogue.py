from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from b2bua.demo import dialogue
from b2bua.demo.hearing import ALIKE, RATE, best_match
from tests.support import audio


def test_every_line_is_spoken_in_a_few_seconds() -> None:
    assert {path.stem for path in dialogue.SPEECH.iterdir()} == {line.name for line in dialogue.ALL}
    seconds = {line.name: line.pcm.size / RATE for line in dialogue.ALL}
    assert all(1.0 < length < 4.0 for length in seconds.values()), seconds
    # The whole demo has a minute, and most of that is speech.
    assert sum(seconds.values()) < 20.0


def test_no_line_can_be_taken_for_another_one() -> None:
    sounds = [line.pcm for line in dialogue.ALL] + [dialogue.marker()]
    for one, other in permutations(sounds, 2):
        assert best_match(one, other).likeness < ALIKE - 0.3


def test_a_written_file_reads_as_itself(tmp_path: Path) -> None:
    path, pcm = tmp_path / "speech.wav", audio.speech(0.5, seed=1)
    dialogue.write_speech(path, pcm)
    back = dialogue.read_speech(path)
    assert np.abs(back.astype(int) - pcm).max() <= 128
    assert abs(float(np.mean(back - pcm.astype(float)))) < 10
    assert np.array_equal(dialogue.read_speech(audio.write_wav(path, pcm)), pcm)


def test_another_rate_is_refused(tmp_path: Path) -> None:
    path = audio.write_wav(tmp_path / "wide.wav", audio.tone(440, 0.1), rate=16000)
    with pytest.raises(ValueError, match="8000 Hz"):
        dialogue.read_speech(path)
