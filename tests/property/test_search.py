"""Whatever extensions and groups send where: a call comes to an end, and nobody is rung twice."""

from collections.abc import Collection
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.calls.call_over import CallOver, Unanswered, busy, no_answer
from b2bua.calls.exchange import Exchange
from b2bua.calls.hunting.search import MAX_DIVERSIONS, Search, Step
from b2bua.config import parse
from b2bua.directory import Directory, Forwards
from b2bua.routing import DialPlan, ToExtension, ToGroup, ToTrunk
from b2bua.trunks.trunk import Trunks
from recording.reasons import ReasonKey
from tests.unit.b2bua.calls.call_rig import TRUNK, extension

EXTENSIONS = tuple(str(number) for number in range(101, 107))
GROUPS = ("600", "601")
OUTSIDE = ("0170", "0171")
NOWHERE = ("999", "112", "0112", "*1")

targets = st.sampled_from(("", "", *EXTENSIONS, *GROUPS, *OUTSIDE, *NOWHERE))
forwards = st.builds(
    Forwards,
    always=st.one_of(st.just(""), targets),
    busy=targets,
    no_answer=targets,
    offline=targets,
)
outcomes = st.sampled_from((ReasonKey.BUSY, ReasonKey.NOT_ANSWERED, ReasonKey.UNREACHABLE))


class Board:
    """An exchange whose extensions are what the test says."""

    def __init__(self, away: Collection[str], full: Collection[str], busy: Collection[str]) -> None:
        self._away, self._full, self._busy = away, full, busy

    def is_registered(self, number: str) -> bool:
        return number not in self._away

    def is_full(self, number: str) -> bool:
        return number in self._full

    def is_busy(self, number: str) -> bool:
        return number in self._busy


def group(number: str, members: list[str], ring: str, otherwise: str) -> str:
    listed = ", ".join(f'"{member}"' for member in members)
    more = f'otherwise = "{otherwise}"\n' if otherwise else ""
    return f'[[group]]\nnumber = "{number}"\nmembers = [{listed}]\nring = "{ring}"\n{more}'


groups = st.tuples(
    st.lists(st.sampled_from(EXTENSIONS), min_size=1, max_size=4, unique=True),
    st.sampled_from(("all", "in_turn")),
    st.sampled_from(("", *EXTENSIONS, *GROUPS)),
)


def names(step: Step) -> list[str]:
    return [
        f"outside {station.destination.number}"
        if isinstance(station.destination, ToTrunk)
        else station.party.number
        for station in step.stations
    ]


def unanswered(key: ReasonKey) -> Unanswered:
    return busy("1") if key is ReasonKey.BUSY else no_answer(key, "1")


some = st.sets(st.sampled_from(EXTENSIONS), max_size=3)


@dataclass(frozen=True)
class House:
    """Who sends calls where, and who is there."""

    forwards: tuple[Forwards, ...]
    first: tuple[list[str], str, str]
    second: tuple[list[str], str, str]
    away: set[str]
    full: set[str]
    engaged: set[str]

    def search(self, dialled: str) -> Search:
        toml = TRUNK + group("600", *self.first) + group("601", *self.second)
        config, directory = parse(toml, "test"), Directory()
        for number, each in zip(EXTENSIONS, self.forwards, strict=True):
            directory._by_number[number] = extension(number, forwards=each)
        plan = DialPlan(config, directory, Trunks(config.trunk))
        board: Exchange = Board(self.away, self.full, self.engaged)  # type: ignore[assignment]
        wanted = plan.own(dialled)
        assert isinstance(wanted, ToExtension | ToGroup)
        return Search(plan, board, wanted, patience_s=60)


houses = st.builds(
    House,
    forwards=st.tuples(*[forwards for _ in EXTENSIONS]),
    first=groups,
    second=groups,
    away=some,
    full=some,
    engaged=some,
)


@given(
    house=houses,
    dialled=st.sampled_from((*EXTENSIONS, *GROUPS)),
    ends=st.lists(outcomes, min_size=12, max_size=12),
)
def test_every_search_ends_and_rings_nobody_twice(
    house: House, dialled: str, ends: list[ReasonKey]
) -> None:
    """There are six extensions and two numbers outside: a twelfth step would be one too many."""
    rung: list[str] = []
    with pytest.raises(CallOver) as caught:
        ring_all(house, house.search(dialled), ends, rung)
    assert caught.value.code in {480, 482, 486}
    assert caught.value.code != 482 or not rung


def ring_all(house: House, search: Search, ends: list[ReasonKey], rung: list[str]) -> None:
    """Ring whomever the search names, until it raises `CallOver`."""
    step = search.first()
    for end in ends:
        assert step.stations
        assert step.patience_s > 0
        assert len(step.diversions) <= MAX_DIVERSIONS
        rung += names(step)
        assert len(rung) == len(set(rung)), "somebody is rung twice"
        for station in step.stations:
            found = station.party.extension
            if found is not None:
                assert found.number not in house.away | house.full
                assert not found.forwards.always
        was_final = step.final
        step = search.after(unanswered(end))
        assert not was_final, "somebody is rung after the last one"
