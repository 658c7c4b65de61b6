"""A file of 16 kHz: what a wideband party says above 4 kHz is in it, and all stays aligned."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from recording.spec import encode_formats
from rtp.ring import Kind
from tests.support import audio
from tests.unit.codec.coders import G722Coder, OpusCoder
from tests.unit.recording.hearing import SOUNDS, finish
from tests.unit.recording.rig import OPUS_FORMAT, PCMA, PCMU, WIDE, Phone, Rig, tone

pytestmark = pytest.mark.peer("ffmpeg", "libopus")

HIGH = 5500.0
LOW = 440.0
OTHER = 620.0


def both(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    return tone(HIGH, 5000.0)(seconds) + tone(LOW, 5000.0)(seconds)


def decoded(rig: Rig) -> audio.Pcm:
    finish(rig)
    return audio.decode(rig.folder / "2026/1.mp3", rate=16000)


def level(pcm: audio.Pcm, hz: float, start: float, end: float) -> float:
    return audio.tone_level(pcm, hz, start, end, rate=16000)


def wideband(rig: Rig, coder: str) -> Phone:
    """A wideband party and one with G.711, both tapped into a wide file."""
    law, made = (WIDE, G722Coder()) if coder == "G722" else (OPUS_FORMAT, OpusCoder())
    phone = Phone(1, both, law=law, coder=made)
    rig.phones += [phone, Phone(2, tone(OTHER))]
    rig.tap(1, 0, spec=rig.spec(rate=16000), formats=(law, PCMA, PCMU))
    rig.tap(2, 1, spec=rig.spec(rate=16000))
    return phone


@pytest.mark.parametrize("coder", ["G722", "OPUS"])
def test_what_lies_above_4_khz_is_in_the_file(tmp_path: Path, coder: str) -> None:
    rig = Rig(tmp_path)
    wideband(rig, coder)
    rig.run(5.0)
    pcm = decoded(rig)
    assert abs(audio.seconds(pcm, rate=16000) - 5.0) <= 0.040
    for hz in (HIGH, LOW, OTHER):
        assert audio.tone_levels(pcm, hz, rate=16000)[6:-6].min() > SOUNDS - 6, hz
    assert rig.closed[0].failure is None


def test_a_change_of_the_codec_keeps_file_and_alignment(tmp_path: Path) -> None:
    """The party beats time; the beats stay where they were, whatever it speaks."""
    rig = Rig(tmp_path)
    phone = wideband(rig, "G722")
    phone.sound = lambda s: tone(LOW, 8000.0)(s) * (s % 1.0 < 0.5)
    for law, coder in ((PCMA, None), (WIDE, G722Coder()), (PCMU, None)):
        rig.run(2.0)
        rig.producer.mark(Kind.FORMAT_CHANGED, 1, rig.now_ns, encode_formats((law,)))
        phone.law, phone.coder = law, coder
    rig.run(2.0)
    pcm = decoded(rig)
    assert abs(audio.seconds(pcm, rate=16000) - 8.0) <= 0.040
    starts = [start for start, _ in audio.tone_intervals(pcm, LOW, above=-25.0, rate=16000)]
    assert len(starts) == 8
    # Its first packet ended 1 ms after the tap opened: its seconds begin at -19 ms.
    assert max(abs(start + 0.019 - round(start)) for start in starts[1:]) <= 0.015
    assert audio.tone_levels(pcm, OTHER, rate=16000)[6:-6].min() > SOUNDS - 3
    assert rig.closed[0].failure is None


def test_wideband_that_comes_later_is_wide_from_there_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    phone = Phone(1, both)
    rig.phones.append(phone)
    rig.tap(1, 0, spec=rig.spec(rate=16000))
    rig.run(3.0)
    rig.producer.mark(Kind.FORMAT_CHANGED, 1, rig.now_ns, encode_formats((WIDE,)))
    phone.law, phone.coder = WIDE, G722Coder()
    rig.run(3.0)
    pcm = decoded(rig)
    assert level(pcm, HIGH, 0.2, 2.9) < -45
    assert level(pcm, HIGH, 3.2, 5.9) > SOUNDS - 6
    # Its own delay is a step in the phase of the tone.
    assert audio.tone_levels(pcm, LOW, rate=16000)[6:-6].min() > SOUNDS - 12


def test_a_narrow_file_stays_narrow(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    phone = Phone(1, both, law=WIDE, coder=G722Coder())
    rig.phones.append(phone)
    rig.tap(1, 0, formats=(WIDE,))
    rig.run(3.0)
    pcm = finish(rig)
    assert audio.tone_level(pcm, LOW, 0.2, 2.8) > SOUNDS - 6
    assert audio.tone_level(pcm, 8000 - HIGH, 0.2, 2.8) < -50


@pytest.mark.parametrize("coder", ["G722", "OPUS"])
def test_losses_are_concealed_and_a_pause_is_left_out(tmp_path: Path, coder: str) -> None:
    rig = Rig(tmp_path)
    phone = wideband(rig, coder)
    phone.arrive = lambda number, at_ns: None if number % 30 == 20 else at_ns
    rig.run(3.0)
    rig.mark(Kind.PAUSED)
    secret = phone.sound
    phone.sound = tone(1700.0)
    rig.run(2.0)
    phone.sound = secret
    rig.mark(Kind.RESUMED)
    rig.run(3.0)
    pcm = decoded(rig)
    assert abs(audio.seconds(pcm, rate=16000) - 6.0) <= 0.060
    assert level(pcm, 1700.0, 0.0, 6.0) < -40
    levels = audio.tone_levels(pcm, LOW, rate=16000)
    assert levels[6 : round(2.9 / audio.HOP_S)].min() > SOUNDS - 9


def test_a_recorder_that_was_killed_goes_on_in_wideband(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    wideband(rig, "G722")
    rig.run(6.0)
    rig.kill()
    rig.start()
    rig.run(4.0)
    pcm = decoded(rig)
    assert abs(audio.seconds(pcm, rate=16000) - 10.0) <= 0.040
    for hz in (HIGH, LOW, OTHER):
        assert audio.tone_levels(pcm, hz, rate=16000)[6:-6].min() > SOUNDS - 9, hz
    assert rig.closed[0].failure is None


def test_two_clocks_are_kept_together_in_a_wide_file(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    phone = wideband(rig, "G722")
    phone.pace = 0.99
    beats = tone(LOW)
    phone.sound = lambda seconds: beats(seconds) * (seconds / 0.99 % 1.0 < 0.5)
    rig.run(20.0)
    pcm = decoded(rig)
    assert abs(audio.seconds(pcm, rate=16000) - 20.0) <= 0.040
    starts = [s for s, _ in audio.tone_intervals(pcm, LOW, above=-25.0, rate=16000)]
    assert len(starts) == 20
    assert max(abs(start + 0.019 - round(start)) for start in starts[1:]) <= 0.040
