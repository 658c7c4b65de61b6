"""The ledger: every call has a number, and no number is missing.

A gap proves that a row was taken away. The one writer gives the numbers at the insert, so a
call that could not be written uses none up.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerReport:
    """What a look over the ledger found."""

    checked: int
    gaps: tuple[tuple[int, int], ...]
    "First and last missing number of each gap."

    @property
    def complete(self) -> bool:
        return not self.gaps


def last_number(connection: sqlite3.Connection) -> int:
    """Return the number of the newest call, 0 in an empty table."""
    (number,) = connection.execute("SELECT coalesce(max(ledger), 0) FROM calls").fetchone()
    return int(number)


def check_ledger(numbers: Iterable[int]) -> LedgerReport:
    """Check the numbers, in ascending order from the first call on."""
    expected, checked = 1, 0
    gaps: list[tuple[int, int]] = []
    for number in numbers:
        if number > expected:
            gaps.append((expected, number - 1))
        expected, checked = number + 1, checked + 1
    return LedgerReport(checked=checked, gaps=tuple(gaps))
