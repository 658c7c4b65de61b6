import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.drift import DEAD_BAND, LARGEST_STEP, OVERLAP, DriftFilter, correct
from tests.support import audio

Samples = NDArray[np.int16]


def quiet_middle(seed: int = 1) -> Samples:
    """Loud noise around a pause of 0.2 s."""
    noise = np.random.default_rng(seed).normal(0, 3000, 8000)
    noise[3200:4800] /= 500
    return noise.astype(np.int16)


@pytest.mark.parametrize("wanted", [60, -60])
def test_corrections_fall_into_the_pause(wanted: int) -> None:
    pcm = quiet_middle()
    out, moved = correct(pcm, wanted)
    assert moved * wanted > 0
    assert abs(moved) <= 90
    assert len(out) == len(pcm) + moved
    assert np.array_equal(out[:3200], pcm[:3200])
    assert np.array_equal(out[-3000:], pcm[-3000:])


def test_where_every_cut_would_be_heard_nothing_is_done_without_hurry() -> None:
    noise = np.random.default_rng(2).normal(0, 3000, 8000).astype(np.int16)
    out, moved = correct(noise, 60)
    assert (out is noise, moved) == (True, 0)
    _, moved = correct(noise, 100)
    assert moved > 0, "further behind it is in a hurry"


@pytest.mark.parametrize("wanted", [48, 200, -48, -200])
def test_a_tone_stays_a_tone(wanted: int) -> None:
    pcm = audio.tone(440.0, 1.0)
    out, moved = correct(pcm, wanted)
    assert moved
    levels = audio.tone_levels(out, 440.0)
    assert levels.max() - levels.min() < 0.5
    steps = np.abs(np.diff(out.astype(int)))
    assert steps.max() <= 1.05 * np.abs(np.diff(pcm.astype(int))).max(), "no click"


def test_a_correction_is_bounded() -> None:
    pcm = quiet_middle()
    assert abs(correct(pcm, 100_000)[1]) <= LARGEST_STEP
    assert abs(correct(pcm, -100_000)[1]) <= LARGEST_STEP


def test_too_short_a_chunk_is_left_alone() -> None:
    pcm = np.zeros(4 * LARGEST_STEP - 1, dtype=np.int16)
    assert correct(pcm, 80) == (pcm, 0)
    assert correct(quiet_middle(), 0)[1] == 0
    assert OVERLAP < LARGEST_STEP


def test_a_passing_delay_is_no_drift() -> None:
    drift = DriftFilter()
    delays = (0, 900, 0, 0, 900, 900, 0)
    assert [drift.measure(delay) for delay in delays] == [0] * len(delays)


def test_a_lasting_delay_is_corrected() -> None:
    drift = DriftFilter()
    assert drift.measure(0) == 0
    assert drift.measure(300) == 0
    assert drift.measure(310) == 0
    assert drift.measure(320) == 300
    drift.corrected(150)
    assert drift.measure(160) == 160
    drift.corrected(160)
    assert drift.measure(0) == 0
    assert drift.corrected_samples == 310


def test_early_packets_are_believed_at_once() -> None:
    drift = DriftFilter()
    drift.measure(0)
    assert drift.measure(-200) == -200


def test_the_dead_band_keeps_a_recording_as_it_came() -> None:
    drift = DriftFilter()
    assert [drift.measure(delay) for delay in (0, DEAD_BAND, -DEAD_BAND, DEAD_BAND)] == [0] * 4


def test_a_steep_and_steady_clock_is_foreseen() -> None:
    drift = DriftFilter()
    drift.measure(0)
    drift.measure(80)
    assert drift.measure(160) == 240


def test_a_silence_begins_anew() -> None:
    drift = DriftFilter()
    drift.measure(400)
    assert drift.measure(None) == 0
    assert drift.measure(400) == 0
