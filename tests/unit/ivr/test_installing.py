"""Recordings of an operator: converted from any rate, refused where nobody would understand."""

import wave
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from ivr import conditioning
from ivr.conditioning import Audio
from ivr.installing import install
from ivr.prompts import PromptError, PromptId, load


def wav(audio: Audio, rate: int, *, width: int = 2, channels: int = 1) -> bytes:
    half = 1 << 8 * width - 1
    values = np.clip(np.rint(audio * half), -half, half - 1).astype(np.int64)
    values = (values + half if width == 1 else values).repeat(channels)
    octets = values.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    file = BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(octets)
    return file.getvalue()


def tone(rate: int, *hz: int, seconds: float = 1.0, peak: float = 0.5) -> Audio:
    t = np.arange(int(seconds * rate)) / rate
    waves = [np.sin(2 * np.pi * f * t) for f in hz]
    audio: Audio = peak * np.sum(waves, axis=0) / len(hz)
    return audio


def level_db(audio: Audio, hz: int, rate: int = 8000) -> float:
    n = np.arange(len(audio))
    window = np.hanning(len(audio))
    value = np.abs((audio * window * np.exp(-2j * np.pi * hz * n / rate)).sum()) / window.sum()
    return float(20 * np.log10(2 * value + 1e-9))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_widths_and_channels_are_read_alike(width: int, channels: int) -> None:
    audio = tone(16000, 1000)
    read, rate = conditioning.read(wav(audio, 16000, width=width, channels=channels))
    assert rate == 16000
    assert np.abs(read - audio).max() < 0.01


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
def test_resampling_keeps_the_voice_and_folds_nothing_back(rate: int) -> None:
    audio = conditioning.resample(tone(rate, 1000), rate)
    assert len(audio) == 8000
    middle = audio[400:-400]
    assert level_db(middle, 1000) == pytest.approx(-6, abs=0.1)
    if rate > 12000:
        above = conditioning.resample(tone(rate, 5500), rate)[400:-400]
        assert level_db(above, 2500) < -50
        assert conditioning.level_dbfs(above) < -50


def test_resampling_upwards_too() -> None:
    audio = conditioning.resample(tone(6000, 700), 6000)
    assert level_db(audio[400:-400], 700) == pytest.approx(-6, abs=0.1)


def test_the_telephone_band() -> None:
    inside = conditioning.telephone_band(tone(8000, 1000))
    assert level_db(inside[400:-400], 1000) == pytest.approx(-6, abs=0.1)
    for hz in (50, 150, 3800):
        outside = conditioning.telephone_band(tone(8000, hz))
        assert level_db(outside[400:-400], hz) < -46
    assert len(inside) == 8000


def test_a_recording_is_installed_and_played(tmp_path: Path) -> None:
    octets = wav(np.pad(tone(44100, 800, 1200), 44100), 44100, channels=2)
    done = install(tmp_path, PromptId.NOT_ALLOWED, "de", octets, sentence="Nein.")
    assert done.replaced is None
    assert done.duration_ms == pytest.approx(1000, abs=60)
    assert -20 < done.level_dbfs < -10
    prompt = load(PromptId.NOT_ALLOWED, "de", tmp_path)
    assert (prompt.sentence, prompt.shipped, prompt.sha256) == ("Nein.", False, done.sha256)
    audio, _ = conditioning.read(done.path.read_bytes())
    assert 20 * np.log10(np.abs(audio).max()) == pytest.approx(-3, abs=0.1)


def test_a_question_counts_keys_only_after_its_end_unless_told_otherwise(tmp_path: Path) -> None:
    octets = wav(tone(8000, 800), 8000)
    done = install(tmp_path, PromptId.CONSENT, "de", octets)
    assert done.counts_from_ms == done.duration_ms
    done = install(tmp_path, PromptId.CONSENT, "de", octets, counts_from_ms=400)
    assert load(PromptId.CONSENT, "de", tmp_path).counts_from_ms == 400
    with pytest.raises(PromptError, match="can't count"):
        install(tmp_path, PromptId.CONSENT, "de", octets, counts_from_ms=9000)
    assert install(tmp_path, PromptId.NOT_ALLOWED, "de", octets).counts_from_ms == 0


def test_the_recording_before_is_kept(tmp_path: Path) -> None:
    first = install(tmp_path, PromptId.CONSENT, "de", wav(tone(8000, 800), 8000))
    second = install(tmp_path, PromptId.CONSENT, "de", wav(tone(8000, 900), 8000))
    assert second.replaced is not None
    assert first.path.exists()
    assert load(PromptId.CONSENT, "de", tmp_path).sha256 == second.sha256
    second.replaced.replace(tmp_path / "de" / "consent.json")
    assert load(PromptId.CONSENT, "de", tmp_path).sha256 == first.sha256


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "WAV"),
        (b"ID3\x04" * 50, "WAV"),
        (wav(tone(8000, 800), 8000)[:30], "WAV"),
        (wav(np.zeros(8000), 8000), "empty or much too quiet"),
        (wav(np.zeros(0), 8000), "empty or much too quiet"),
        (wav(tone(8000, 800, peak=0.004), 8000), "too quiet"),
        (wav(tone(8000, 300, peak=3.0), 8000), "clipped"),
        (wav(tone(8000, 800, seconds=0.1), 8000), "shorter"),
        (wav(tone(8000, 800, seconds=30.1), 8000), "longer"),
        (wav(tone(2000, 800), 2000), "not supported"),
    ],
)
def test_refusals_leave_what_was_there(tmp_path: Path, octets: bytes, reason: str) -> None:
    before = install(tmp_path, PromptId.CONSENT, "de", wav(tone(8000, 800), 8000))
    with pytest.raises(PromptError, match=reason):
        install(tmp_path, PromptId.CONSENT, "de", octets)
    assert load(PromptId.CONSENT, "de", tmp_path).sha256 == before.sha256


def test_unknown_languages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="language"):
        install(tmp_path, PromptId.CONSENT, "../x", wav(tone(8000, 800), 8000))
