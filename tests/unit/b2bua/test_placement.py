"""Who gets the next leg or recording."""

import pytest

from b2bua.media.members import Counted
from b2bua.media.placement import Candidate, Load, choose


def child(share: float = 0.0, count: int = 0, *, level: int = 0, taking: bool = True) -> Candidate:
    return Candidate(share=share, count=count, level=level, taking=taking)


@pytest.mark.parametrize(
    ("candidates", "best"),
    [
        ([child(count=3), child(count=2)], 1),
        ([child(count=2), child(count=2)], 0),
        ([child(0.62, 1), child(0.31, 9)], 1),
        ([child(0.33, 9), child(0.31, 8), child(0.34, 1)], 2),
        ([child(0.1, 1, level=1), child(0.9, 50)], 1),
        ([child(taking=False), child(0.9, 50, level=1)], 1),
        ([child(taking=False), child(taking=False)], None),
    ],
)
def test_the_one_with_least_to_do_is_chosen(candidates: list[Candidate], best: int | None) -> None:
    assert choose(candidates) == best


def test_the_share_is_that_between_two_reports() -> None:
    load = Load()
    load.report(5.0, 100.0)
    assert load.share == 0.0
    load.report(5.4, 101.0)
    assert load.share == pytest.approx(0.4)
    load.report(5.5, 103.0)
    assert load.share == pytest.approx(0.05)


def test_two_reports_at_one_instant_and_a_new_life_are_no_trouble() -> None:
    load = Load()
    load.report(5.0, 100.0)
    load.report(5.5, 100.0)
    load.report(0.1, 101.0)
    assert load.share == 0.0


async def test_totals_live_on_and_gauges_end_with_a_life() -> None:
    counted = Counted()
    counted.count({"packets": 5.0, "pressure": 2.0}, cpu_s=1.0)
    counted.died()
    counted.count({"packets": 3.0, "pressure": 0.0}, cpu_s=0.1)
    assert counted.carried == {"packets": 5.0}
    assert counted.counters == {"packets": 3.0, "pressure": 0.0}
    assert counted.load.share == 0.0
