"""Opus to 8 kHz mono: tones come out as they went in, and broken packets are nothing."""

import numpy as np
import pytest

from codec import opus
from codec.opus import OpusDecoder, samples_of
from tests.support import audio
from tests.unit.codec.coders import OpusCoder

pytestmark = pytest.mark.peer("libopus")


def packets(pcm: audio.Pcm, coder: OpusCoder, ms: int = 20) -> list[bytes]:
    size = 48 * ms
    return [coder.encode(pcm[start : start + size]) for start in range(0, pcm.size, size)]


def decoded(payloads: list[bytes]) -> audio.Pcm:
    decoder = OpusDecoder()
    return np.concatenate([decoder.decode(payload) for payload in payloads])


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("hz", [300.0, 440.0, 1000.0, 3000.0])
def test_a_tone_keeps_its_pitch_and_level(hz: float, channels: int) -> None:
    pcm = decoded(packets(audio.tone(hz, 1.0, rate=48000), OpusCoder(channels)))
    assert audio.seconds(pcm) == 1.0
    assert audio.tone_level(pcm, hz, 0.2, 0.9) == pytest.approx(-12.0, abs=1.0)
    assert audio.rms_level(pcm, 0.2, 0.9) == pytest.approx(-12.0, abs=1.0)


@pytest.mark.parametrize("ms", [10, 20, 40, 60])
def test_each_packet_says_its_length(ms: int) -> None:
    payloads = packets(audio.speech(0.48, seed=1, rate=48000), OpusCoder(), ms)
    assert {samples_of(payload) for payload in payloads} == {8 * ms}
    assert audio.seconds(decoded(payloads)) == pytest.approx(0.48)


@pytest.mark.parametrize("payload", [b"", b"\xff\xff", b"\x03\x3f\x00", b"\xfb\xff" + bytes(60)])
def test_a_broken_packet_has_no_samples_and_hurts_nobody(payload: bytes) -> None:
    decoder = OpusDecoder()
    assert samples_of(payload) == 0
    if payload:
        assert decoder.decode(payload).size == 0
    pcm = audio.tone(440.0, 0.5, rate=48000)
    heard = np.concatenate([decoder.decode(each) for each in packets(pcm, OpusCoder())])
    assert audio.tone_level(heard, 440.0, 0.2, 0.45) == pytest.approx(-12.0, abs=1.0)


def test_any_octets_are_survived() -> None:
    random = np.random.default_rng(7)
    decoder = OpusDecoder()
    for _ in range(500):
        payload = random.bytes(int(random.integers(1, 200)))
        pcm = decoder.decode(payload)
        assert pcm.size <= opus.LONGEST_SAMPLES
        assert pcm.size == 0 or int(pcm.min()) >= -32767
