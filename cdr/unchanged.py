"""The sign for a column that a change leaves as it is."""

from enum import Enum
from typing import Final


class Unchanged(Enum):
    """The type of `UNCHANGED`."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED
"Leave this column as it is (None would empty it)."
