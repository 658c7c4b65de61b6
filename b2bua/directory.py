"""The extensions, in memory: what routing, authentication and policy ask on the call path.

A copy of the database's rows, loaded at start and renewed after each committed change, so a
call never waits for the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sip.digest import Ha1


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """One own number and its settings."""

    number: str
    name: str
    mode: str
    "`off`, `manual`, `automatic` or `never`."
    opt_in_at: str | None
    "When the extension's own side agreed to be recorded; None: it did not."
    opt_in_by: str | None
    ha1: Ha1
    sha256_only: bool = False

    @property
    def opted_in(self) -> bool:
        """Whether the stored opt-in stands."""
        return self.opt_in_at is not None


class Directory:
    """Extensions by number."""

    def __init__(self, extensions: Iterable[Extension] = ()) -> None:
        self._by_number: dict[str, Extension] = {}
        self.replace(extensions)

    def replace(self, extensions: Iterable[Extension]) -> None:
        """Take the rows as they stand in the database now."""
        self._by_number = {extension.number: extension for extension in extensions}

    def get(self, number: str) -> Extension | None:
        """Return the extension of `number`, if it is one of ours."""
        return self._by_number.get(number)

    def __len__(self) -> int:
        return len(self._by_number)
