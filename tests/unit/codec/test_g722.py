"""G.722 to 8 kHz: tones of the wideband come out as they went in, or not at all."""

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.g722 import G722Decoder
from codec.half_band import DELAY_SAMPLES, Halver
from codec.optional import has_g722
from tests.support import audio
from tests.unit.codec.coders import G722Coder


def through(pcm: NDArray[np.int16], octets: int = 160, lost: tuple[int, ...] = ()) -> audio.Pcm:
    """Encode at 16 kHz, decode packet by packet, with silence for those that are lost."""
    payload = G722Coder().encode(pcm)
    decoder = G722Decoder()
    packets = [payload[start : start + octets] for start in range(0, len(payload), octets)]
    parts = [
        np.zeros(len(packet), dtype=np.int16) if number in lost else decoder.decode(packet)
        for number, packet in enumerate(packets)
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize("hz", [200.0, 440.0, 1000.0, 3000.0, 3400.0])
def test_a_tone_keeps_its_pitch_and_level(hz: float) -> None:
    pcm = through(audio.tone(hz, 1.0, rate=16000))
    assert audio.seconds(pcm) == 1.0
    assert audio.tone_level(pcm, hz, 0.1, 0.9) == pytest.approx(-12.0, abs=0.3)
    assert audio.rms_level(pcm, 0.1, 0.9) == pytest.approx(-12.0, abs=0.3)


@pytest.mark.parametrize("hz", [4700.0, 5500.0, 7000.0])
def test_what_8_khz_can_not_hold_does_not_fold_back(hz: float) -> None:
    pcm = through(audio.tone(hz, 1.0, rate=16000))
    assert audio.tone_level(pcm, 8000 - hz, 0.1, 0.9) < -60.0


@pytest.mark.parametrize("octets", [1, 80, 240])
def test_how_the_octets_are_cut_changes_no_sample(octets: int) -> None:
    pcm = audio.speech(0.5, seed=1, rate=16000)
    assert (through(pcm, octets) == through(pcm, 160)).all()


def test_after_a_loss_both_ends_are_soon_in_step_again() -> None:
    pcm = audio.speech(2.0, seed=2, rate=16000)
    whole, holed = through(pcm), through(pcm, lost=(20, 21, 22))
    difference = (whole.astype(int) - holed).astype(np.int16)
    level = audio.rms_level(whole, 0.5, 1.9)
    assert audio.rms_level(difference, 0.40, 0.46) > level - 10
    assert audio.rms_level(difference, 0.52, 0.6) < level - 25
    assert audio.rms_level(difference, 0.8, 1.9) < level - 60


def test_the_filter_does_not_depend_on_the_pieces_and_says_its_delay() -> None:
    pcm = audio.noise(0.1, seed=3, rate=16000)
    halver = Halver()
    parts = [halver.halve(pcm[start : start + 2]) for start in range(0, pcm.size, 2)]
    whole = Halver().halve(pcm)
    assert (np.concatenate(parts) == whole).all()
    # Noise below 2 kHz: every other sample is what should come out.
    error = pcm[::2][:-DELAY_SAMPLES].astype(int) - whole[DELAY_SAMPLES:]
    assert audio.rms_level(error[20:].astype(np.int16)) < audio.rms_level(whole) - 50


def test_full_scale_stays_a_value_that_is_none_of_the_buffers_own() -> None:
    square = np.repeat(np.array([32767, -32768], dtype=np.int16), 16)
    assert int(Halver().halve(np.tile(square, 40)).min()) >= -32767


def test_the_library_is_there_for_the_tests() -> None:
    assert has_g722()
