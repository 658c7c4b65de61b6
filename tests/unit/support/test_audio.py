"""The judge is judged: each of its verdicts, on audio whose truth is known."""

from pathlib import Path

import lameenc
import numpy as np
import pytest

from ivr import tones
from ivr.prompts import SHIPPED
from tests.support import audio
from tests.support.audio import Pcm

GERMAN = SHIPPED / "de"
SILENCE = audio.silence(0.5)


def test_level_of_a_tone_is_the_level_it_was_made_with() -> None:
    pcm = audio.tone(440, 1.0, level=-18.0)
    assert audio.tone_level(pcm, 440) == pytest.approx(-18.0, abs=0.1)
    assert audio.rms_level(pcm) == pytest.approx(-18.0, abs=0.1)
    assert audio.tone_level(pcm, 700) < -60
    assert audio.tone_level(SILENCE, 440) == audio.SILENT


def test_intervals_say_when_a_tone_was_heard() -> None:
    pcm = np.concatenate((SILENCE, audio.tone(440, 1.0), SILENCE, audio.tone(440, 0.5)))
    (first, second) = audio.tone_intervals(pcm, 440)
    assert first == pytest.approx((0.5, 1.5), abs=0.03)
    assert second == pytest.approx((2.0, 2.5), abs=0.04)
    assert audio.gaps([first, second]) == [pytest.approx(0.5, abs=0.06)]
    assert audio.tone_intervals(pcm, 1000) == []


def test_two_tones_at_once_are_told_apart() -> None:
    pcm = audio.tone(440, 1.0) + audio.tone(620, 1.0, level=-20.0)
    audio.assert_tone(pcm, 440, 0.1, 0.9)
    audio.assert_tone(pcm, 620, 0.1, 0.9, level=-20.0)
    audio.assert_no_tone(pcm, 1000)


def test_an_interrupted_a_quiet_and_a_short_tone_are_found_out() -> None:
    whole = audio.tone(440, 1.0)
    torn = np.concatenate((whole, audio.silence(0.1), whole))
    with pytest.raises(AssertionError, match="interrupted at 1"):
        audio.assert_tone(torn, 440, 0.1, 2.0)
    with pytest.raises(AssertionError, match="wanted -6"):
        audio.assert_tone(whole, 440, 0.1, 0.9, level=-6.0)
    with pytest.raises(AssertionError, match="audio ends at"):
        audio.assert_tone(whole, 440, 0.1, 1.5)
    with pytest.raises(AssertionError, match=r"440 Hz at 0\."):
        audio.assert_no_tone(torn, 440)


def test_dominant_frequency_follows_the_audio() -> None:
    pcm = np.concatenate((audio.tone(440, 0.5), SILENCE, audio.tone(1000, 0.5)))
    heard = audio.dominant(pcm)
    assert heard[10] == pytest.approx(440, abs=10)
    assert heard[45] == 0
    assert heard[-5] == pytest.approx(1000, abs=10)


def test_correlation_finds_speech_at_its_place_only() -> None:
    said = audio.speech(2.0, seed=1)
    pcm = np.concatenate((SILENCE, said, SILENCE))
    likeness, offset = audio.correlate(said[8000:16000], pcm, 1.49)
    assert likeness > 0.999
    assert offset == pytest.approx(0.01, abs=0.001)
    assert audio.correlate(said[8000:16000], pcm, 0.8)[0] < 0.5
    assert audio.correlate(audio.speech(1.0, seed=2), pcm, 1.5)[0] < 0.5
    assert audio.correlate(said, pcm, 90.0)[0] < 0.1


@pytest.mark.peer("ffmpeg")
def test_a_decoded_mp3_lies_where_it_was_encoded(tmp_path: Path) -> None:
    said = audio.speech(3.0, seed=3)
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(1)
    encoder.set_in_sample_rate(audio.RATE)
    encoder.set_bit_rate(24)
    path = tmp_path / "speech.mp3"
    path.write_bytes(encoder.encode(said.tobytes()) + encoder.flush())
    pcm = audio.decode(path)
    likeness, offset = audio.correlate(said[8000:16000], pcm, 1.0)
    assert likeness > 0.95
    assert abs(offset) <= 0.001


@pytest.mark.peer("ffmpeg")
def test_a_written_wav_decodes_to_itself(tmp_path: Path) -> None:
    pcm = audio.tone(440, 0.5)
    path = audio.write_wav(tmp_path / "tone.wav", pcm)
    assert np.array_equal(audio.decode(path), pcm)
    left, right = audio.decode_stereo(path)
    assert left.size == right.size == pcm.size


def heard(*parts: Pcm) -> Pcm:
    """Return the parts with half a second of silence around each."""
    return np.concatenate([SILENCE, *(each for part in parts for each in (part, SILENCE))])


def tone(name: tones.Tone) -> Pcm:
    return np.array(tones.pcm(name), dtype=np.int16)


def test_a_prompt_is_recognised_at_its_place_and_no_other_one() -> None:
    prompt = audio.read_wav(GERMAN / "recording-on.wav")
    noise = np.random.default_rng(1).normal(0, 300, prompt.size + 24000)
    pcm = heard(audio.read_wav(GERMAN / "no-call.wav"), prompt)
    noisy = (pcm + noise[: pcm.size] if pcm.size <= noise.size else pcm).astype(np.int16)
    place = audio.find_sound(noisy, GERMAN / "recording-on.wav")
    assert place == pytest.approx(audio.seconds(pcm) - audio.seconds(prompt) - 0.5, abs=0.01)
    assert audio.find_sound(noisy, GERMAN / "no-call.wav") == pytest.approx(0.5, abs=0.01)
    for other in ("recording-off", "recording-asked", "not-allowed", "withdrawn"):
        assert audio.find_sound(noisy, GERMAN / f"{other}.wav") is None, other


def test_the_network_s_tones_are_told_apart() -> None:
    ringing, busy = np.tile(tone(tones.Tone.RINGING), 2), np.tile(tone(tones.Tone.BUSY), 4)
    pcm = heard(ringing)
    assert audio.find_ringing(pcm, bursts=2) == pytest.approx((0.5, 6.5), abs=0.05)
    assert audio.find_ringing(pcm, bursts=3) is None
    assert audio.find_busy(pcm, bursts=1) is None
    pcm = heard(busy)
    assert audio.find_busy(pcm) == pytest.approx((0.5, 0.5 + 7 * 0.48), abs=0.05)
    assert audio.find_ringing(pcm) is None
    assert audio.find_ringing(heard(np.tile(tone(tones.Tone.WAITING), 3))) is None
    assert audio.find_ringing(heard(audio.tone(425, 3.0))) is None, "a tone without end"
    assert audio.find_ringing(heard(audio.read_wav(GERMAN / "consent.wav"))) is None


def test_beeps_are_counted() -> None:
    one, two = tone(tones.Tone.BEEP), tone(tones.Tone.TWO_BEEPS)
    beeps = audio.find_beeps(heard(one, two, one))
    assert [count for _, count in beeps] == [1, 2, 1]
    assert [place for place, _ in beeps] == pytest.approx([0.5, 1.2, 2.12], abs=0.03)
    assert audio.find_beeps(heard(audio.tone(1000, 1.0))) == []
    assert audio.find_beeps(heard(audio.read_wav(GERMAN / "consent.wav"))) == []
