"""Coders for transcoding: gaps are filled and fade, and missing libraries are named."""

import numpy as np
import pytest

from codec import libopus, optional
from codec.stream_coders import (
    FADE,
    make_stream_decoder,
    make_stream_encoder,
    warm_up,
    working_rate,
)
from tests.support import audio

FRAME = 160


def level(octets: bytes) -> float:
    return audio.rms_level(np.frombuffer(octets, dtype=np.int16))


def test_wide_is_only_what_both_are() -> None:
    assert working_rate("G722", "OPUS") == working_rate("OPUS", "G722") == 16000
    assert working_rate("G722", "PCMU") == working_rate("PCMA", "OPUS") == 8000


@pytest.mark.parametrize("codec", ["PCMA", "G722"])
def test_a_gap_is_the_last_packet_again_and_fades_to_silence(codec: str) -> None:
    encoder, decoder = make_stream_encoder(codec, 8000), make_stream_decoder(codec, 8000)
    pcm = audio.tone(500.0, 0.2)
    for start in range(0, len(pcm), FRAME):
        last = decoder.decode(encoder.encode(pcm[start : start + FRAME].tobytes()))
    levels = [level(decoder.conceal(FRAME)) for _ in range(len(FADE) + 1)]
    assert levels[0] == pytest.approx(level(last) - 1.9, abs=0.3)
    assert levels[0] > levels[1] > levels[2] > levels[3]
    assert levels[3] == audio.SILENT


def test_before_the_first_packet_a_gap_is_silence() -> None:
    assert make_stream_decoder("PCMU", 8000).conceal(FRAME) == bytes(2 * FRAME)


@pytest.mark.peer("libopus")
def test_opus_fills_a_gap_by_itself() -> None:
    encoder, decoder = make_stream_encoder("OPUS", 16000), make_stream_decoder("OPUS", 16000)
    pcm = audio.tone(500.0, 0.4, rate=16000)
    for start in range(0, len(pcm), 320):
        last = decoder.decode(encoder.encode(pcm[start : start + 320].tobytes()))
    filled = decoder.conceal(320)
    assert len(filled) == 640
    assert level(filled) == pytest.approx(level(last), abs=4.0)


@pytest.mark.peer("libopus")
def test_what_can_not_be_a_packet_is_nothing() -> None:
    assert make_stream_encoder("OPUS", 8000).encode(bytes(100)) == b""
    assert make_stream_decoder("OPUS", 8000).decode(b"\xff\xff") == b""


def test_without_the_libraries_the_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codec.stream_coders.G722_MODULE", "no_such_library")
    monkeypatch.setattr(libopus, "opus_library", lambda: None)
    libopus.library.cache_clear()
    try:
        warm_up()
        with pytest.raises(ImportError):
            make_stream_decoder("G722", 8000)
        with pytest.raises(OSError, match=optional.OPUS_LIBRARY):
            make_stream_encoder("OPUS", 8000)
        assert make_stream_encoder("PCMA", 8000).encode(bytes(4)) == b"\xd5\xd5"
    finally:
        libopus.library.cache_clear()
