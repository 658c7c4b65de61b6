from collections.abc import Sequence
from unittest import mock

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.gaps import SCALES, Concealer, Silencer
from mixer.jitter_buffer import RATE, UNWRITTEN
from mixer.prediction import across
from tests.support import audio

Samples = NDArray[np.int16]

CONCEALED_SAMPLES, OVERLAP_SAMPLES = SCALES[RATE].concealed, SCALES[RATE].overlap


def voice(seconds: float = 1.0, pitch: float = 125.0) -> Samples:
    """A steady vowel: harmonics of one pitch."""
    time = np.arange(round(seconds * 8000)) / 8000
    waves = [np.sin(2 * np.pi * pitch * n * time + n) / n for n in range(1, 8)]
    return np.asarray(np.sum(waves, axis=0) * 4000, dtype=np.int16)


def with_gap(pcm: Samples, start: int, count: int) -> Samples:
    raw = pcm.copy()
    raw[start : start + count] = UNWRITTEN
    return raw


def error_db(heard: Samples, true: Samples) -> float:
    """Power of the difference over the power of the true sound."""
    difference = heard.astype(float) - true.astype(float)
    power = float(np.mean(true.astype(float) ** 2))
    return 10 * float(np.log10(np.mean(difference**2) / power + 1e-12))


def test_without_a_gap_nothing_is_changed() -> None:
    pcm = voice()
    concealer = Concealer()
    out = [concealer.conceal(pcm[i : i + 1600], last=i == 6400) for i in range(0, 8000, 1600)]
    assert [len(part) for part in out] == [800, 1600, 1600, 1600, 2400], "100 ms are held back"
    assert np.array_equal(np.concatenate(out), pcm)
    assert concealer.concealed_samples == concealer.silent_samples == 0


@pytest.mark.parametrize("pitch", [80.0, 125.0, 190.0, 250.0, 400.0])
def test_a_lost_packet_of_a_vowel_is_hardly_missed(pitch: float) -> None:
    pcm = voice(pitch=pitch)
    out = Concealer().conceal(with_gap(pcm, 4000, 160), last=True)
    assert error_db(out[4000:4160], pcm[4000:4160]) < -10
    assert np.array_equal(out[:4000], pcm[:4000])
    assert np.array_equal(out[4160 + OVERLAP_SAMPLES :], pcm[4160 + OVERLAP_SAMPLES :])


def test_concealment_of_speech_is_better_than_silence() -> None:
    pcm = audio.speech(20.0, seed=4)
    raw = pcm.copy()
    lost = np.random.default_rng(1).random(len(pcm) // 160) < 0.05
    gaps = np.repeat(lost, 160)
    raw[gaps] = UNWRITTEN
    out = Concealer().conceal(raw, last=True)
    assert error_db(out[gaps], pcm[gaps]) < -6.4, "silence has 0, repeated periods -6.1"


@pytest.mark.parametrize(
    ("lost", "predicted"),
    [((40,), 1), ((40, 43), 2), ((40, 42), 0), ((40, 41), 0), (range(40, 200, 2), 0)],
)
def test_prediction_needs_whole_packets_on_both_sides(
    lost: Sequence[int], predicted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a line that loses every other packet would cost thirty times what it costs."""
    raw = np.random.default_rng(1).integers(-9000, 9000, 40_000, dtype=np.int16)
    for packet in lost:
        raw[160 * packet : 160 * packet + 160] = UNWRITTEN
    predict = mock.Mock(wraps=across)
    monkeypatch.setattr("mixer.gaps.across", predict)
    whole, parts = Concealer(), Concealer()
    out = whole.conceal(raw, last=True)
    assert predict.call_count == predicted
    pieces = [parts.conceal(raw[i : i + 800], last=i == 39_200) for i in range(0, 40_000, 800)]
    assert np.array_equal(np.concatenate(pieces), out)
    assert predict.call_count == 2 * predicted


def test_a_gap_is_bridged_from_both_sides() -> None:
    """The pitch and loudness change in the gap, as in speech: only one side knows each."""
    pcm = np.concatenate([voice(0.5, 110.0) // 3, voice(0.5, 180.0)])
    start, count = 3840, 320
    raw = with_gap(pcm, start, count)
    out = Concealer().conceal(raw, last=True)
    loud = np.abs(out[start : start + count].astype(int)).reshape(4, 80).max(axis=1)
    assert loud[3] > 1.8 * loud[0]
    assert np.array_equal(out[start + count :], pcm[start + count :])
    alone = Concealer()
    end = alone.conceal(raw[: start + count], last=True)
    assert np.abs(end[-80:].astype(int)).max() < loud[3] / 2, "alone it fades"


def test_a_long_gap_fades_to_silence_of_its_true_length() -> None:
    pcm = voice()
    out = Concealer().conceal(with_gap(pcm, 2000, 4000), last=True)
    assert len(out) == len(pcm)
    assert out[2000 : 2000 + CONCEALED_SAMPLES].any()
    assert not out[2000 + CONCEALED_SAMPLES : 6000].any()
    assert np.array_equal(out[6000:], pcm[6000:]), "no overlap behind silence"
    envelope = np.abs(out[2000 : 2000 + CONCEALED_SAMPLES].astype(int)).reshape(6, 80).max(axis=1)
    assert (np.diff(envelope[1:]) < 0).all()


@pytest.mark.parametrize("rate", [RATE, 2 * RATE])
def test_a_gap_across_chunks_sounds_as_in_one(rate: int) -> None:
    pcm = voice()
    for start, count in ((3900, 160), (3900, 400), (4000, 160), (3840, 160), (3990, 3000)):
        raw = with_gap(pcm, start, count)
        whole, parts = Concealer(rate), Concealer(rate)
        joined = [parts.conceal(raw[:4000]), parts.conceal(raw[4000:], last=True)]
        assert np.array_equal(np.concatenate(joined), whole.conceal(raw, last=True))
        assert parts.concealed_samples == whole.concealed_samples
        assert parts.silent_samples == whole.silent_samples


def test_short_chunks_keep_the_history() -> None:
    pcm = voice()
    raw = with_gap(pcm, 4000, 160)
    parts = Concealer()
    pieces = [parts.conceal(raw[i : i + 40], last=i == 7960) for i in range(0, 8000, 40)]
    joined = np.concatenate(pieces)
    assert np.array_equal(joined[:4000], pcm[:4000])
    assert np.array_equal(joined[4160 + OVERLAP_SAMPLES :], pcm[4160 + OVERLAP_SAMPLES :])
    assert error_db(joined[4000:4160], pcm[4000:4160]) < -10


def test_twice_the_rate_is_concealed_as_well() -> None:
    time = np.arange(16000) / 16000
    waves = [np.sin(2 * np.pi * 125.0 * n * time + n) / n for n in range(1, 40)]
    pcm = np.asarray(np.sum(waves, axis=0) * 4000, dtype=np.int16)
    concealer = Concealer(16000)
    out = concealer.conceal(with_gap(pcm, 8000, 320), last=True)
    assert error_db(out[8000:8320], pcm[8000:8320]) < -10
    assert concealer.concealed_s == 0.02


def test_what_is_forgotten_is_not_heard() -> None:
    pcm = voice()
    concealer = Concealer()
    before = concealer.conceal(pcm[:4000])
    concealer.forget()
    out = concealer.conceal(pcm[4000:], last=True)
    assert np.array_equal(before, pcm[:3200])
    assert not out[:800].any()
    assert np.array_equal(out[800:], pcm[4000:])


def test_before_the_first_packet_there_is_silence() -> None:
    pcm = voice()
    raw = with_gap(pcm, 0, 500)
    out = Concealer().conceal(raw, last=True)
    assert not out[:500].any()
    assert np.array_equal(out[500:], pcm[500:])


def test_nothing_at_all_is_silence() -> None:
    concealer = Concealer()
    raw = np.full(8000, UNWRITTEN)
    assert not concealer.conceal(raw, last=True).any()
    assert concealer.silent_samples == 8000


def test_nothing_more_leaves_all_as_it_was() -> None:
    concealer = Concealer()
    assert not concealer.conceal(np.zeros(0, dtype=np.int16), last=True).size
    assert not concealer.conceal(with_gap(voice(), 0, 500), last=True)[:500].any()


def test_a_source_that_loses_nothing_is_silent_in_its_pauses() -> None:
    pcm = voice()
    silencer = Silencer(16000)
    out = silencer.conceal(with_gap(pcm, 2000, 160), last=False)
    assert not out[2000:2160].any()
    assert np.array_equal(np.delete(out, np.s_[2000:2160]), np.delete(pcm, np.s_[2000:2160]))
    assert (silencer.concealed_s, silencer.silent_s) == (0.0, 0.01)
