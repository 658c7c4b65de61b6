"""Sounds and tones: both laws against the arrays' codec, levels and cadences by Fourier."""

from array import array

import numpy as np
import pytest

from codec import g711
from ivr import tones
from ivr.sound import Sound, silence
from ivr.tones import Tone

FULL_SCALE_DBM0 = 3.14


def test_every_sample_is_encoded_as_the_codec_does() -> None:
    samples = np.arange(-32768, 32768).astype(np.int16)
    sound = Sound.from_pcm(array("h", samples.tobytes()))
    assert sound.pcma == g711.encode_alaw(samples).tobytes()
    assert sound.pcmu == g711.encode_mulaw(samples).tobytes()


def test_silence_decodes_to_nearly_nothing() -> None:
    sound = silence(30)
    assert sound.duration_ms == 30
    assert abs(int(g711.decode_alaw(np.frombuffer(sound.pcma, np.uint8)).max())) <= 8
    assert not g711.decode_mulaw(np.frombuffer(sound.pcmu, np.uint8)).any()


def spectrum_peak_hz(pcm: "np.ndarray[tuple[int], np.dtype[np.int16]]") -> float:
    spectrum = np.abs(np.fft.rfft(pcm.astype(float) * np.hanning(len(pcm))))
    return float(np.argmax(spectrum)) * 8000 / len(pcm)


EXPECTED = {
    # Hz, dBm0, ms on, ms of the period
    Tone.RINGING: (425, -20, 1000, 5000),
    Tone.BUSY: (425, -20, 480, 960),
    Tone.WAITING: (425, -30, 200, 2000),
    Tone.BEEP: (1000, -20, 200, 200),
    Tone.TWO_BEEPS: (1000, -20, 150, 420),
}


@pytest.mark.parametrize("tone", Tone)
@pytest.mark.parametrize("law", ["pcma", "pcmu"])
def test_tones(tone: Tone, law: str) -> None:
    hz, dbm0, on_ms, period_ms = EXPECTED[tone]
    sound = tones.sound(tone)
    assert sound.duration_ms == period_ms
    decode = g711.decode_alaw if law == "pcma" else g711.decode_mulaw
    pcm = decode(np.frombuffer(getattr(sound, law), np.uint8))
    on = pcm[: on_ms * 8]
    assert spectrum_peak_hz(on) == pytest.approx(hz, abs=5)
    steady = on[80:-80].astype(float)
    level = 20 * np.log10(np.sqrt((steady**2).mean()) * 2**0.5 / 32768) + FULL_SCALE_DBM0
    assert level == pytest.approx(dbm0, abs=0.5)
    if on_ms < period_ms:
        assert np.abs(pcm[on_ms * 8 : on_ms * 8 + 80]).max() <= 8


def test_two_beeps_are_two() -> None:
    pcm = np.array(tones.pcm(Tone.TWO_BEEPS))
    loud = np.abs(pcm).reshape(-1, 80).max(axis=1) > 500
    assert int((np.diff(loud.astype(int)) == 1).sum() + loud[0]) == 2


def test_a_looped_tone_has_no_click_where_it_meets_itself() -> None:
    for tone in (Tone.RINGING, Tone.BUSY, Tone.WAITING):
        pcm = tones.pcm(tone)
        assert abs(pcm[0] - pcm[-1]) < 50
