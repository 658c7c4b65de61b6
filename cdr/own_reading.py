"""What the server's own process reads: at its start, and when an announcement is replaced.

With a plain connection, in a thread. The asynchronous engine, with which pages and commands read
(`cdr/queries.py`), brings SQLAlchemy's object mapper along: 7 MB that the process of the calls
would keep for as long as it runs, and 50 ms of importing while calls wait.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, Table, select
from sqlalchemy.exc import SQLAlchemyError

from cdr.errors import StoreError
from cdr.rows import BindingRow, CallRow, ExtensionRow, PromptRow, SegmentRow, columns, value
from cdr.schema import bindings, calls, extensions, prompts, segments
from cdr.store import plain_reading_engine, words_of

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Query(Generic[Value]):
    """What is asked for, and the kind of value that comes back for each row."""

    kind: type[Value]
    select: Select[Any]


def _of(kind: type[Value], table: Table) -> Select[Any]:
    return select(*columns(kind, table))


def every_extension() -> Query[ExtensionRow]:
    """Ask for all extensions by number, with their HA1 values."""
    return Query(ExtensionRow, _of(ExtensionRow, extensions).order_by(extensions.c.number))


def living_bindings(now: int) -> Query[BindingRow]:
    """Ask for the registrations that have not expired at `now`."""
    living = _of(BindingRow, bindings).where(bindings.c.expires_at > now)
    return Query(BindingRow, living.order_by(bindings.c.aor, bindings.c.registered_at))


def every_prompt() -> Query[PromptRow]:
    """Ask for all versions of all announcements."""
    order = prompts.c.name, prompts.c.language, prompts.c.version
    return Query(PromptRow, _of(PromptRow, prompts).order_by(*order))


def open_calls() -> Query[CallRow]:
    """Ask for the calls that were never closed, oldest first: after a crash, its victims."""
    left = _of(CallRow, calls).where(calls.c.state == "open")
    return Query(CallRow, left.order_by(calls.c.ledger))


def open_segments() -> Query[SegmentRow]:
    """Ask for the recordings that were never closed, oldest first."""
    left = _of(SegmentRow, segments).where(segments.c.state == "open")
    return Query(SegmentRow, left.order_by(segments.c.started_at))


def read(database: str | Path, query: Query[Value]) -> tuple[Value, ...]:
    """Return what a query finds; raises `StoreError`.

    Blocks: from a running loop, call it in a thread.
    """
    engine = plain_reading_engine(database)
    try:
        with engine.connect() as connection:
            return tuple(value(query.kind, row) for row in connection.execute(query.select))
    except SQLAlchemyError as error:
        raise StoreError(f"the database can't be read: {words_of(error)}") from error
    finally:
        engine.dispose()
