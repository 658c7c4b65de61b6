import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixer.prediction import across
from tests.support import audio

Floats = NDArray[np.float32]

CONTEXT, ORDER = 192, 64


def power(samples: NDArray[np.floating]) -> float:
    return float(np.mean(samples.astype(float) ** 2))


def plainly(before: Floats, count: int) -> NDArray[np.float64]:
    """The same from one side, step by step: Levinson's recursion, then sample by sample."""
    rise = CONTEXT - CONTEXT // 12
    fall = CONTEXT - rise
    taper = np.concatenate(
        (
            np.sin(np.pi / 2 * np.arange(1, rise + 1) / rise),
            np.cos(np.pi / 2 * np.arange(1, fall + 1) / (fall + 1)),
        )
    )
    tapered = before.astype(float) * taper
    likeness = [float(np.dot(tapered[: CONTEXT - n], tapered[n:])) for n in range(ORDER + 1)]
    likeness[0] += 1e-9 * likeness[0] + 1
    taps, error = [1.0], likeness[0]
    for n in range(1, ORDER + 1):
        mirror = -sum(tap * likeness[n - k] for k, tap in enumerate(taps)) / error
        padded = [*taps, 0.0]
        taps = [a + mirror * b for a, b in zip(padded, reversed(padded), strict=True)]
        error *= 1 - mirror**2
    samples = before.astype(float).tolist()
    for _ in range(count):
        samples.append(-sum(taps[k] * samples[-k] for k in range(1, ORDER + 1)))
    return np.array(samples[CONTEXT:])


def sides(seed: int, at: int, count: int = 160) -> tuple[Floats, Floats, Floats]:
    """Speech before, within and behind a gap."""
    speech = audio.speech(3.0, seed=seed).astype(np.float32)
    return (
        speech[at - CONTEXT : at],
        speech[at : at + count],
        speech[at + count : at + count + CONTEXT],
    )


@pytest.mark.parametrize("count", [80, 160, 240])
def test_each_side_goes_on_as_its_filter_says(count: int) -> None:
    before, _, behind = sides(3, 8000, count)
    angle = np.pi / 2 * np.arange(1, count + 1) / (count + 1)
    forwards = plainly(before, count) * np.cos(angle)
    backwards = plainly(behind[::-1], count)[::-1] * np.sin(angle)
    joined = across(before, behind, count, ORDER)
    assert joined == pytest.approx(forwards + backwards, abs=0.5)


def test_backwards_it_is_the_same() -> None:
    before, _, behind = sides(5, 9000)
    one = across(before, behind, 160, ORDER)
    other = across(behind[::-1].copy(), before[::-1].copy(), 160, ORDER)
    assert one == pytest.approx(other[::-1], abs=1e-6)


def test_what_is_lost_of_speech_is_met_better_than_by_silence() -> None:
    missed = heard = 0.0
    for at in range(2000, 20_000, 450):
        before, lost, behind = sides(4, at)
        missed += power(across(before, behind, 160, ORDER) - lost)
        heard += power(lost)
    assert missed < heard / 3


@pytest.mark.parametrize("order", [ORDER, 2 * ORDER])
def test_between_two_silences_there_is_silence(order: int) -> None:
    nothing = np.zeros(3 * order, dtype=np.float32)
    assert not across(nothing, nothing, 160, order).any()


@given(
    before=st.lists(st.integers(-32767, 32767), min_size=CONTEXT, max_size=CONTEXT),
    pitch=st.integers(1, CONTEXT),
    loud=st.integers(0, 32767),
    count=st.integers(1, 240),
)
def test_whatever_stands_around_it_does_not_grow(
    before: list[int], pitch: int, loud: int, count: int
) -> None:
    noise = np.array(before, dtype=np.float32)
    wave = (loud * np.sin(2 * np.pi * np.arange(CONTEXT) / pitch)).astype(np.float32)
    for one, other in ((noise, wave), (wave, noise), (wave, wave)):
        joined = across(one, other, count, ORDER)
        loudest = max(np.abs(one).max(), np.abs(other).max())
        assert np.isfinite(joined).all()
        assert np.abs(joined).max() <= 3 * loudest + 1
