"""Prompts: the shipped ones are whole and audible; broken ones are named, not played."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from codec import g711
from ivr import conditioning
from ivr.prompts import (
    LANGUAGES,
    QUESTIONS,
    SENTENCES,
    SHIPPED,
    PromptError,
    PromptId,
    describe,
    load,
    load_all,
    sound_name,
)


def test_every_sentence_is_shipped_in_both_languages() -> None:
    prompts = load_all()
    assert set(prompts) == {
        (prompt_id, language) for prompt_id in PromptId for language in LANGUAGES
    }
    for (prompt_id, language), prompt in prompts.items():
        assert prompt.shipped
        assert prompt.sentence == " ".join(SENTENCES[language, prompt_id])
        wav = (SHIPPED / language / f"{prompt_id}.wav").read_bytes()
        assert prompt.sha256 == hashlib.sha256(wav).hexdigest()
        assert prompt.name == sound_name(prompt_id, language)


def test_the_question_is_the_one_that_was_asked_for() -> None:
    assert load(PromptId.CONSENT, "de").sentence == (
        "Dieses Gespräch wird zur Qualitätssicherung aufgezeichnet. Wenn Sie mit einer "
        "Aufzeichnung einverstanden sind, dann drücken Sie bitte die 1."
    )
    assert load(PromptId.CONSENT_OTHERWISE, "de").sentence.endswith(
        "die 1. Andernfalls wird das Gespräch ohne Aufzeichnung verbunden."
    )
    assert load(PromptId.CONSENT_ASK, "de").sentence == (
        "Darf das Gespräch aus Gründen der Qualitätssicherung aufgezeichnet werden? "
        "Dann drücken Sie bitte die 1."
    )


def test_keys_count_in_the_pause_after_the_first_piece_of_a_question() -> None:
    for (prompt_id, _), prompt in load_all().items():
        if prompt_id not in QUESTIONS:
            assert prompt.counts_from_ms == 0
            continue
        assert 1000 < prompt.counts_from_ms < prompt.sound.duration_ms - 1000
        pcm = g711.decode_alaw(np.frombuffer(prompt.sound.pcma, np.uint8))
        pause = pcm[prompt.counts_from_ms * 8 :][: 8 * 200]
        before = pcm[: prompt.counts_from_ms * 8][-8 * 300 :]
        assert np.abs(pause).max() < 300 < np.abs(before).max()


def test_shipped_prompts_lie_in_the_telephone_band_at_their_peak() -> None:
    octets = 0
    for language in LANGUAGES:
        for path in (SHIPPED / language).glob("*.wav"):
            audio, rate = conditioning.read(path.read_bytes())
            octets += path.stat().st_size
            assert rate == 8000
            peak_dbfs = 20 * np.log10(np.abs(audio).max())
            assert peak_dbfs == pytest.approx(-3, abs=0.1)
            power = np.abs(np.fft.rfft(audio)) ** 2
            hz = np.fft.rfftfreq(len(audio), 1 / 8000)
            outside = power[(hz < 200) | (hz > 3550)].sum()
            assert outside < power.sum() * 1e-4
    assert octets < 3_000_000


def test_both_laws_say_the_same() -> None:
    sound = load(PromptId.RECORDING_ON, "de").sound
    alaw = g711.decode_alaw(np.frombuffer(sound.pcma, np.uint8)).astype(float)
    mulaw = g711.decode_mulaw(np.frombuffer(sound.pcmu, np.uint8)).astype(float)
    assert np.corrcoef(alaw, mulaw)[0, 1] > 0.999


def test_a_question_for_the_menu() -> None:
    prompt = load(PromptId.CONSENT, "en")
    question = prompt.question()
    assert question.accept == "1"
    assert question.prompt_id == "consent"
    assert question.duration_ms == prompt.sound.duration_ms
    assert question.counts_from_ms == prompt.counts_from_ms


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Installed prompts: a copy of a shipped one."""
    (tmp_path / "de").mkdir()
    for suffix in ("json", "wav"):
        shutil.copy(SHIPPED / "de" / f"not-allowed.{suffix}", tmp_path / "de")
    return tmp_path


def load_copy(folder: Path) -> None:
    load(PromptId.NOT_ALLOWED, "de", folder)


def test_an_installed_prompt_wins(folder: Path) -> None:
    assert not load(PromptId.NOT_ALLOWED, "de", folder).shipped
    assert load(PromptId.NOT_ALLOWED, "en", folder).shipped
    assert load_all(installed=folder)[PromptId.NOT_ALLOWED, "de"].shipped is False


def test_a_missing_an_empty_and_an_exchanged_file_are_named(folder: Path) -> None:
    wav = folder / "de" / "not-allowed.wav"
    good = wav.read_bytes()
    wav.unlink()
    with pytest.raises(PromptError, match=r"not-allowed\.wav can't be read"):
        load_copy(folder)
    wav.write_bytes(b"")
    with pytest.raises(PromptError, match=r"not-allowed\.wav is empty"):
        load_copy(folder)
    wav.write_bytes(good[:-2] + b"\1\0")
    with pytest.raises(PromptError, match="SHA-256"):
        load_copy(folder)
    (folder / "de" / "not-allowed.json").write_bytes(b"")
    with pytest.raises(PromptError, match=r"not-allowed\.json is empty"):
        load_all(installed=folder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "no JSON file"),
        (b"\xff\xfe", "no JSON file"),
        (b"[]", "lacks"),
        (b'{"file": "a.wav"}', "lacks"),
        (
            b'{"file": "../x.wav", "sentence": "", "sha256": "", "counts_from_ms": 0}',
            "lacks",
        ),
        (b'{"file": "a.wav", "sentence": "", "sha256": "", "counts_from_ms": true}', "lacks"),
    ],
)
def test_bad_descriptions(folder: Path, text: bytes, reason: str) -> None:
    (folder / "de" / "not-allowed.json").write_bytes(text)
    with pytest.raises(PromptError, match=reason):
        load_copy(folder)


def replace_wav(folder: Path, octets: bytes, counts_from_ms: int = 0) -> None:
    (folder / "de" / "x.wav").write_bytes(octets)
    about = describe(
        file="x.wav",
        sentence="",
        sha256=hashlib.sha256(octets).hexdigest(),
        counts_from_ms=counts_from_ms,
    )
    (folder / "de" / "not-allowed.json").write_bytes(about)


def test_wav_files_that_can_not_be_played(folder: Path) -> None:
    tone = 0.5 * np.sin(np.arange(8000))
    for octets, reason in (
        (b"RIFF", "no WAV file"),
        (b"nonsense" * 20, "no WAV file"),
        (conditioning.to_wav(0 * tone), "empty or silent"),
        (conditioning.to_wav(tone[:0]), "empty or silent"),
        (conditioning.to_wav(np.tile(tone, 31)), "longer than 30 s"),
        (conditioning.to_wav(tone).replace(b"\x40\x1f\0\0", b"\x80\x3e\0\0"), "16000 Hz"),
    ):
        replace_wav(folder, octets)
        with pytest.raises(PromptError, match=reason):
            load_copy(folder)
    replace_wav(folder, conditioning.to_wav(tone), counts_from_ms=1001)
    with pytest.raises(PromptError, match="counts_from_ms"):
        load_copy(folder)
    replace_wav(folder, conditioning.to_wav(tone), counts_from_ms=1000)
    load_copy(folder)
