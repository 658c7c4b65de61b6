import numpy as np

from mixer.resample import Doubler
from tests.support import audio


def test_a_tone_keeps_pitch_and_level_across_chunks() -> None:
    pcm = audio.tone(1000.0, 1.0)
    doubler = Doubler()
    out = np.concatenate([doubler.double(pcm[i : i + 1000]) for i in range(0, 8000, 1000)])
    assert len(out) == 2 * len(pcm)
    level = audio.tone_level(out, 1000.0, 0.1, 0.9, rate=16000)
    assert abs(level - audio.tone_level(pcm, 1000.0, 0.1, 0.9)) < 0.1
    assert audio.tone_level(out, 7000.0, 0.1, 0.9, rate=16000) < -70, "no mirror image"


def test_the_delay_is_twelve_samples() -> None:
    pcm = np.zeros(100, dtype=np.int16)
    pcm[50] = 10000
    assert int(np.argmax(Doubler().double(pcm))) == 2 * (50 + 12)
