import numpy as np
import pytest

from mixer import levels, mix


def samples(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.array(values, dtype=np.int16)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], [0, 0]),
        ([samples(5, -5)], [5, -5]),
        ([samples(5, -5), samples(1, 1)], [6, -4]),
        ([samples(30000, -30000), samples(30000, -30000)], [32767, -32768]),
        ([samples(30000, 0), samples(30000, 0), samples(-30000, 1)], [30000, 1]),
    ],
)
def test_the_sum_is_limited_and_never_wraps(
    parts: list[np.ndarray[tuple[int], np.dtype[np.int16]]], expected: list[int]
) -> None:
    before = [part.copy() for part in parts]
    total = mix.saturating_sum(parts, 2)
    assert total.dtype == np.int16
    assert total.tolist() == expected
    for part, same in zip(parts, before, strict=True):
        assert part.tolist() == same.tolist(), "no argument is changed"


def test_stereo_keeps_the_sides_apart() -> None:
    both = mix.stereo([samples(1, 2)], [samples(3, 4), samples(10, 10)], 2)
    assert both.tolist() == [[1, 13], [2, 14]]
    assert mix.stereo([], [samples(3, 4)], 2).tolist() == [[0, 3], [0, 4]]


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([], [1, 2, 3, 4]),
        ([(0, 100)], [1, 2, 3, 4]),
        ([(100, 101)], [0, 2, 3, 4]),
        ([(90, 102)], [0, 0, 3, 4]),
        ([(103, 200)], [1, 2, 3, 0]),
        ([(101, 102), (103, 103)], [1, 0, 3, 4]),
        ([(0, 300)], [0, 0, 0, 0]),
    ],
)
def test_a_mask_is_exact_to_the_sample(ranges: list[tuple[int, int]], expected: list[int]) -> None:
    pcm = samples(1, 2, 3, 4)
    assert mix.silence(pcm, 100, ranges).tolist() == expected
    assert pcm.tolist() == [1, 2, 3, 4]


def test_levels() -> None:
    frames = np.array([[0, 0], [-32768, -32768], [3277, -3277]], dtype=np.int16)
    assert levels.levels_db(frames).tolist() == pytest.approx(
        [levels.SILENT_DB, 0.0, -20.0], abs=0.01
    )
    assert levels.levels_db(frames[:0]).size == 0
    assert levels.peak(samples()) == 0
    assert levels.peak(samples(3, -32768)) == 32768
