"""What the server can say: complete in every language, or it does not start."""

import shutil
from pathlib import Path

import msgspec
import pytest

from b2bua.errors import StartError
from b2bua.media.channel import MAX_FRAME
from b2bua.media.to_worker import PlayPart
from b2bua.voice_book import VoiceBook
from ivr.hold_music import NAME as MUSIC
from ivr.prompts import SHIPPED, PromptId
from ivr.tones import Tone
from tests.support.wav import tone_wav

NOWHERE = Path("/nonexistent")


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_worker_gets_every_prompt_and_tone(language: str) -> None:
    sounds = {sound.name: sound for sound in VoiceBook(language, NOWHERE).messages()}
    assert set(sounds) == {f"{language}/{prompt}" for prompt in PromptId} | {*Tone, MUSIC}
    for sound in sounds.values():
        assert len(sound.pcma) == len(sound.pcmu) > 0


def test_parts_and_questions_name_what_was_loaded() -> None:
    voices = VoiceBook("de", NOWHERE)
    assert voices.spoken(PromptId.NOT_ALLOWED) == PlayPart(sound="de/not-allowed")
    question = voices.question(PromptId.CONSENT)
    assert (question.prompt_id, question.language, question.accept) == ("consent", "de", "1")
    assert len(question.sha256) == 64
    assert 0 < question.counts_from_ms < question.duration_ms


@pytest.mark.parametrize("tone", Tone)
def test_beeps_sound_once_and_tones_without_end(tone: Tone) -> None:
    part = VoiceBook("de", NOWHERE).tone(tone)
    assert part.sound == tone
    assert part.loop is (tone not in {Tone.BEEP, Tone.TWO_BEEPS})


def installed(folder: Path) -> Path:
    """An operator's own recording of the question, whole."""
    language = folder / "de"
    language.mkdir(parents=True)
    for end in ("wav", "json"):
        shutil.copy(SHIPPED / "de" / f"consent.{end}", language)
    return language


def test_an_installed_prompt_goes_before_the_shipped_one(tmp_path: Path) -> None:
    installed(tmp_path)
    assert not VoiceBook("de", tmp_path)._prompts[PromptId.CONSENT].shipped


@pytest.mark.parametrize("fault", ["missing", "empty", "changed", "no json"])
def test_a_prompt_that_can_not_be_played_is_named(tmp_path: Path, fault: str) -> None:
    language = installed(tmp_path)
    wav, about = language / "consent.wav", language / "consent.json"
    if fault == "missing":
        wav.unlink()
    elif fault == "empty":
        wav.write_bytes(b"")
    elif fault == "changed":
        wav.write_bytes(wav.read_bytes() + b"\0\0")
    else:
        about.write_text("{")
    with pytest.raises(StartError) as caught:
        VoiceBook("de", tmp_path)
    assert str(about if fault == "no json" else wav) in str(caught.value)


def test_a_reload_that_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    language = installed(tmp_path)
    voices = VoiceBook("de", tmp_path)
    before = voices.question(PromptId.CONSENT)
    (language / "consent.wav").write_bytes(b"")
    with pytest.raises(StartError):
        voices.reload()
    assert voices.question(PromptId.CONSENT) == before


def test_an_own_piece_takes_the_place_of_the_shipped_music(tmp_path: Path) -> None:
    own = tmp_path / "own.wav"
    own.write_bytes(tone_wav(500, 900, rate=8000, seconds=2.0))
    shipped, mine = (
        next(each for each in VoiceBook("de", NOWHERE, music).messages() if each.name == MUSIC)
        for music in (None, own)
    )
    assert len(mine.pcma) == len(mine.pcmu) == 16_000 < len(shipped.pcma)
    assert VoiceBook("de", NOWHERE, own).music() == PlayPart(sound=MUSIC, loop=True)


def test_a_piece_that_can_not_be_played_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"\[music\] file: .*No such file"):
        VoiceBook("de", NOWHERE, tmp_path / "absent.wav")


def test_the_longest_piece_fits_into_a_message(tmp_path: Path) -> None:
    own = tmp_path / "own.wav"
    own.write_bytes(tone_wav(500, 900, rate=8000, seconds=60.0))
    sounds = VoiceBook("de", NOWHERE, own).messages()
    assert max(len(msgspec.msgpack.encode(sound)) for sound in sounds) < MAX_FRAME
