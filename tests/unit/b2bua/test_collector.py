import gc

import pytest

from b2bua.collector import INTOLERABLE, WORTHWHILE, Collector


@pytest.mark.parametrize(
    ("grown", "idle", "does"),
    [
        (WORTHWHILE, True, []),
        (WORTHWHILE + 1, True, ["walk", "settle"]),
        (WORTHWHILE + 1, False, []),
        (INTOLERABLE, False, []),
        (INTOLERABLE + 1, False, ["walk"]),
    ],
)
def test_it_walks_while_nobody_waits_or_when_it_must(
    grown: int, *, idle: bool, does: list[str]
) -> None:
    done: list[str] = []
    Collector(lambda: grown, lambda: done.append("walk"), lambda: done.append("settle")).look(
        idle=idle
    )
    assert done == does


def test_it_never_walks_by_itself_and_finds_cycles_when_asked() -> None:
    try:
        Collector().begin()
        assert not gc.isenabled()
        for _ in range(WORTHWHILE + 1000):
            circle: list[object] = []
            circle.append(circle)
        assert gc.get_count()[0] > WORTHWHILE
        Collector().look(idle=True)
        assert gc.get_count()[0] < WORTHWHILE
    finally:
        gc.enable()
        gc.unfreeze()
