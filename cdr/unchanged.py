"""The sign for a column that a change leaves as it is."""

from collections.abc import Callable
from enum import Enum
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Unchanged(Enum):
    """The type of `UNCHANGED`."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED
"Leave this column as it is (None would empty it)."


def wanted(value: T | None) -> T | Unchanged:
    """Return what a request says of a column; None: it says nothing."""
    return UNCHANGED if value is None else value


def wanted_as(value: T | None, make: Callable[[T], R]) -> R | Unchanged:
    """Return what `make` makes of what a request says; None: it says nothing."""
    return UNCHANGED if value is None else make(value)
