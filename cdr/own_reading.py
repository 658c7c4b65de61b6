"""What the server's own process reads: at its start, and when an announcement is replaced.

With a plain connection, in a thread: SQLAlchemy, with which pages and commands read
(`cdr/queries.py`), would stay in the memory of the process of the calls.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from cdr.connection import Query, fetch, open_reading
from cdr.errors import StoreError
from cdr.rows import BindingRow, CallRow, ExtensionRow, PromptRow, SegmentRow

Value = TypeVar("Value")


def every_extension() -> Query[ExtensionRow]:
    """Ask for all extensions by number, with their HA1 values."""
    return Query(ExtensionRow, "FROM extensions ORDER BY number")


def living_bindings(now: int) -> Query[BindingRow]:
    """Ask for the registrations that have not expired at `now`."""
    living = "FROM bindings WHERE expires_at > :now ORDER BY aor, registered_at"
    return Query(BindingRow, living, {"now": now})


def every_prompt() -> Query[PromptRow]:
    """Ask for all versions of all announcements."""
    return Query(PromptRow, "FROM prompts ORDER BY name, language, version")


def open_calls() -> Query[CallRow]:
    """Ask for the calls that were never closed, oldest first: after a crash, its victims."""
    return Query(CallRow, "FROM calls WHERE state = 'open' ORDER BY ledger")


def open_segments() -> Query[SegmentRow]:
    """Ask for the recordings that were never closed, oldest first."""
    return Query(SegmentRow, "FROM segments WHERE state = 'open' ORDER BY started_at")


def read(database: str | Path, query: Query[Value]) -> tuple[Value, ...]:
    """Return what a query finds; raises `StoreError`.

    Blocks: from a running loop, call it in a thread.
    """
    try:
        with closing(open_reading(Path(database))) as connection:
            return fetch(connection, query)
    except sqlite3.Error as error:
        raise StoreError(f"the database can't be read: {error}") from error
