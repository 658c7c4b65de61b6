"""What search forms have in common: days, and the way to older and newer pages."""

from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from typing import Annotated, TypeAlias
from urllib.parse import urlencode

from fastapi import Query

from web.formats import start_of_day

MAX_CURSOR = 2**63 - 1

From: TypeAlias = Annotated[str, Query(alias="from", max_length=10)]
To: TypeAlias = Annotated[str, Query(alias="to", max_length=10)]
Before: TypeAlias = Annotated[int | None, Query(ge=1, le=MAX_CURSOR)]
"The cursor of the page before."


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Some days, as they stand in a form; the base of what a page can search for."""

    since: date | None = None
    until: date | None = None
    "The last day."

    @property
    def is_any(self) -> bool:
        return not self.query()

    @property
    def swapped(self) -> bool:
        return self.since is not None and self.until is not None and self.since > self.until

    def days(self) -> dict[str, str]:
        """Return the two fields of the form."""
        return {
            "from": self.since.isoformat() if self.since else "",
            "to": self.until.isoformat() if self.until else "",
        }

    def fields(self) -> dict[str, str]:
        """Return the form's fields; those that are empty say nothing."""
        return self.days()

    def query(self) -> str:
        """Return the query of a link to the same search; empty where nothing was asked for."""
        return urlencode({name: text for name, text in self.fields().items() if text})

    def bounds(self, zone: tzinfo | None) -> tuple[int | None, int | None]:
        """Return when the first day begins and the last one ends, as times are stored."""
        after = self.until + timedelta(days=1) if self.until else None
        return (
            start_of_day(self.since, zone) if self.since else None,
            start_of_day(after, zone) if after else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Links to other pages of a list; None where there is none."""

    older: str | None
    newest: str | None


def day_of(text: str) -> date | None:
    """Return the day of a date field; what is none counts as empty."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # The neighbouring days must exist too, in every time zone.
    return day if date(1971, 1, 1) <= day <= date(9000, 1, 1) else None


def turned(path: str, search: Period, before: int | None, cursor: int | None) -> Turn:
    """Return the links of a page that shows what is older than `before`."""
    query = search.query()
    older = f"{query}&before={cursor}" if query else f"before={cursor}"
    return Turn(
        older=address(path, older) if cursor is not None else None,
        newest=address(path, query) if before is not None else None,
    )


def address(path: str, query: str) -> str:
    """Return the path with its query, where there is one."""
    return f"{path}?{query}" if query else path
