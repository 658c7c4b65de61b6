import gc

import pytest

from b2bua.collector import INTOLERABLE, WORTHWHILE, Collector


@pytest.mark.parametrize(
    ("grown", "idle", "walks"),
    [
        (WORTHWHILE, True, 0),
        (WORTHWHILE + 1, True, 1),
        (WORTHWHILE + 1, False, 0),
        (INTOLERABLE, False, 0),
        (INTOLERABLE + 1, False, 1),
    ],
)
def test_it_walks_while_nobody_waits_or_when_it_must(grown: int, *, idle: bool, walks: int) -> None:
    walked: list[None] = []
    Collector(lambda: grown, lambda: walked.append(None)).look(idle=idle)
    assert len(walked) == walks


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
