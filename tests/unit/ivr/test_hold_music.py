"""What held parties hear: the shipped piece loops without a seam; an own one may replace it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ivr import conditioning, hold_music
from ivr.hold_music import HoldMusicError, load
from ivr.installing import convert_music
from ivr.prompts import PromptError
from tests.support.wav import tone_wav

ROOT = Path(__file__).parents[3]


def shipped() -> conditioning.Audio:
    audio, rate = conditioning.read(hold_music.SHIPPED.read_bytes())
    assert rate == 8000
    return audio


def test_the_shipped_piece_is_what_the_script_makes() -> None:
    script = ROOT / "scripts" / "make_hold_music.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_soft_and_never_silent() -> None:
    audio = shipped()
    assert 15 <= len(audio) / 8000 <= 60
    assert -27 < conditioning.level_dbfs(audio) < -18
    assert np.abs(audio).max() < 0.4
    seconds = audio[: len(audio) // 8000 * 8000].reshape(-1, 8000)
    assert min(conditioning.level_dbfs(second) for second in seconds) > -32


def test_nobody_hears_where_it_begins_again() -> None:
    """The step across the seam is one like any other, and the music sounds on both sides."""
    audio = shipped()
    steps = np.abs(np.diff(audio))
    assert abs(audio[0] - audio[-1]) < np.percentile(steps, 99)
    for edge in (audio[:800], audio[-800:]):
        assert conditioning.level_dbfs(edge) > -35


def test_it_survives_a_telephone_line() -> None:
    """Nearly all of it lies between 300 and 3,400 Hz."""
    power = np.abs(np.fft.rfft(shipped())) ** 2
    frequencies = np.fft.rfftfreq(len(shipped()), 1 / 8000)
    inside = power[(frequencies >= 250) & (frequencies <= 3400)].sum()
    assert inside / power.sum() > 0.9


def test_an_own_piece_of_any_kind_is_converted(tmp_path: Path) -> None:
    made = convert_music(tone_wav(500, 900, rate=44100, seconds=3.0, channels=2))
    path = tmp_path / "own.wav"
    path.write_bytes(made)
    assert load(path).duration_ms == 3000
    audio, _ = conditioning.read(made)
    assert np.abs(audio).max() == pytest.approx(10 ** (-9 / 20), abs=0.001)


def test_what_can_not_be_converted_is_said() -> None:
    with pytest.raises(PromptError, match="longer than 60 s"):
        convert_music(tone_wav(500, 900, rate=8000, seconds=61.0))
    with pytest.raises(PromptError, match="not a plain PCM"):
        convert_music(b"ID3 this is an MP3")


@pytest.mark.parametrize(
    ("rate", "channels", "seconds", "why"),
    [
        (44100, 1, 2.0, "44100 Hz, 1 channels"),
        (8000, 2, 2.0, "8000 Hz, 2 channels"),
        (8000, 1, 0.5, "0.5 s long"),
        (8000, 1, 61.0, "61.0 s long"),
    ],
)
def test_a_file_of_another_kind_is_named(
    tmp_path: Path, rate: int, channels: int, seconds: float, why: str
) -> None:
    path = tmp_path / "own.wav"
    path.write_bytes(tone_wav(500, 900, rate=rate, seconds=seconds, channels=channels))
    with pytest.raises(HoldMusicError, match=why):
        load(path)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(HoldMusicError, match=r"absent\.wav: No such file"):
        load(tmp_path / "absent.wav")
    (tmp_path / "x.wav").write_bytes(b"RIFF")
    with pytest.raises(HoldMusicError, match="not a plain PCM"):
        load(tmp_path / "x.wav")
