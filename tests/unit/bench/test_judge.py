"""The judge must find every way in which a recording can be wrong."""

import numpy as np
import pytest

from bench import judge, speech, traffic

SECONDS = 4
ANSWERED = 1000.0
FIRST = (1001.0, 1001.01)
HUNG_UP = FIRST[1] + SECONDS
RATE = speech.RATE
OCTETS = 3000 * (SECONDS + 1)

CASE = judge.Case(
    call=3,
    path="unused",
    seconds=SECONDS,
    answered_at=ANSWERED,
    hung_up_at=HUNG_UP,
    speech_at=FIRST,
)


def place(leg: int) -> int:
    return round((FIRST[leg % 2] - ANSWERED) * RATE)


def leg_track(leg: int, shift: int = 0) -> judge.Samples:
    track = np.zeros(round((HUNG_UP - ANSWERED) * RATE) + 2000)
    said = judge.spoken(leg, SECONDS)
    track[place(leg) + shift :][: len(said)] += said
    return track


def recording(shifts: tuple[int, int] = (0, 0)) -> judge.Samples:
    noise = np.random.default_rng(1).normal(0, 20, len(leg_track(6)))
    return leg_track(6, shifts[0]) + leg_track(7, shifts[1]) + noise


def verdict(audio: judge.Samples, octets: int = OCTETS) -> judge.Finding:
    return judge.examine_audio(CASE, audio, octets)


def test_a_true_recording_is_ok() -> None:
    finding = verdict(recording())
    assert finding.why == ""
    assert finding.ok
    assert finding.worst_correlation > 0.99
    assert abs(finding.start_error_ms) < 1
    assert abs(finding.worst_shift_ms) < 0.2


def test_a_start_some_ms_after_the_answer_is_ok() -> None:
    finding = verdict(recording()[800:])
    assert finding.ok, finding.why
    assert finding.start_error_ms == pytest.approx(100, abs=1)


def test_a_start_far_from_the_answer_is_bad() -> None:
    assert "from the answer" in verdict(recording()[4000:]).why


@pytest.mark.parametrize("leg", [6, 7])
@pytest.mark.parametrize("second", [0, 1, SECONDS - 1])
def test_each_missing_second_of_each_leg_is_found(leg: int, second: int) -> None:
    audio = recording()
    begin = place(leg) + second * RATE + speech.SPEAKING_FROM[leg % 2]
    audio[begin : begin + speech.SPEAKING_SAMPLES] = 0
    finding = verdict(audio)
    assert not finding.ok
    side = "callee" if leg % 2 else "caller"
    assert finding.why.startswith(f"{side} second {second + 1}:")


def test_half_a_lost_syllable_is_found() -> None:
    audio = recording()
    begin = place(6) + RATE + speech.SPEAKING_FROM[0]
    audio[begin : begin + speech.SPEAKING_SAMPLES // 2] = 0
    assert not verdict(audio).ok


def test_a_cut_end_is_found() -> None:
    audio = recording()
    finding = verdict(audio[: place(7) + (SECONDS - 1) * RATE])
    assert "callee second 4" in finding.why


def test_a_leg_that_is_not_there_is_found() -> None:
    finding = verdict(leg_track(6))
    assert "callee second 1" in finding.why
    assert "caller" not in finding.why


def test_speech_of_another_call_does_not_pass() -> None:
    finding = judge.examine_audio(CASE, leg_track(8) + leg_track(9), OCTETS)
    assert not finding.ok


@pytest.mark.parametrize(("shift", "good"), [(200, True), (480, False), (-480, False)])
def test_a_leg_out_of_place_against_the_other_is_found(shift: int, *, good: bool) -> None:
    finding = verdict(recording((0, shift)))
    assert finding.ok is good


def test_a_gap_that_was_squeezed_out_is_found() -> None:
    audio = recording()
    cut = place(6) + 2 * RATE
    squeezed = np.concatenate([audio[:cut], audio[cut + 800 :], np.zeros(800)])
    finding = verdict(squeezed)
    assert not finding.ok


def test_a_file_that_is_too_long_or_too_large_is_found() -> None:
    audio = recording()
    assert "s long" in verdict(np.concatenate([audio, np.zeros(RATE)])).why
    assert "KB a minute" in verdict(audio, 2 * OCTETS).why


def test_next_to_no_audio_is_found() -> None:
    assert "less than a second" in verdict(np.zeros(100)).why


def test_level_does_not_matter() -> None:
    assert verdict(0.1 * recording()).ok


def test_correlation_finds_its_place_and_is_bounded() -> None:
    reference = np.sin(np.arange(500) / 3.0) * np.hanning(500)
    audio = np.zeros(4000)
    audio[1000:1500] = 3 * reference
    correlation, shift = judge.best_match(audio, reference, 1010)
    assert shift == -10
    assert correlation == pytest.approx(1.0, abs=1e-6)
    assert judge.best_match(np.zeros(4000), reference, 1000)[0] == 0.0


def test_matching_near_both_ends_of_the_audio_does_not_fail() -> None:
    reference = judge.spoken(0, 1)[400:3600]
    assert judge.best_match(reference, reference, 0)[0] == pytest.approx(1.0, abs=1e-6)
    assert judge.best_match(reference, reference, 10_000)[0] == 0.0
    assert judge.best_match(reference, reference, -10_000)[0] == 0.0


def test_only_one_leg_speaks_at_a_time() -> None:
    caller, callee = judge.spoken(0, 2), judge.spoken(1, 2)
    loud = (np.abs(caller) > 100) & (np.abs(callee) > 100)
    assert not loud.any()
    assert traffic.PAYLOAD * traffic.FRAMES_PER_SECOND == RATE
