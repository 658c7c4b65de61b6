"""Plain connections to SQLite, their transactions, and questions in SQL.

The journal writes, and the server's own process reads, with the standard library's driver.
SQLAlchemy would be 12 MB that the process of the calls keeps for as long as it runs; pages,
commands and migrations use it, each in a process of its own (`cdr/engines.py`).

SQLite runs in WAL mode: one writer, any number of readers that never wait for it. With
`synchronous=NORMAL` a commit survives the death of the process at once and a power cut from
the next checkpoint on; it costs a twentieth of `FULL`.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from cdr.errors import StoreError
from cdr.rows import column_names, value

Value = TypeVar("Value")

BUSY_TIMEOUT_S = 0.25
"How long a writer waits for another process's lock before it says so; the journal tries again."

CACHE_KIB = 500
"""What the writer remembers of the file, several times what a group touches. SQLite would fill
2 MB with pages of calls long over, and write no faster."""


def database_file(database: str | Path) -> Path:
    """Return the file to write; a URL, which a reader could be given, is a `StoreError`."""
    if isinstance(database, str) and "://" in database:
        raise StoreError(f"the journal can't write to {database.partition(':')[0]} yet")
    return Path(database).absolute()


def open_writing(database: Path) -> sqlite3.Connection:
    """Return a connection for the one writer, whose transactions are `transaction`'s."""
    # The driver's own transactions begin too late (at the first change), and not at all for DDL.
    connection = sqlite3.connect(database, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def open_reading(database: Path) -> sqlite3.Connection:
    """Return a connection that can't write."""
    return sqlite3.connect(read_only_uri(database), uri=True, isolation_level=None)


def read_only_uri(database: Path) -> str:
    """Return what opens a file for reading; a path may hold signs that mean something there."""
    return f"{database.absolute().as_uri()}?mode=ro"


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the body writes, or nothing.

    Takes the write lock at once: a lock that is upgraded later can't wait, it fails.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


@contextmanager
def attempt(connection: sqlite3.Connection) -> Iterator[None]:
    """Within a transaction, keep what the body writes, or nothing of it."""
    connection.execute("SAVEPOINT attempt")
    try:
        yield
    except BaseException:
        # Some errors (a full disk, say) have ended the transaction, and the savepoint with it.
        if connection.in_transaction:
            connection.execute("ROLLBACK TO attempt")
            connection.execute("RELEASE attempt")
        raise
    connection.execute("RELEASE attempt")


# --- questions and rows


@dataclass(frozen=True, slots=True)
class Query(Generic[Value]):
    """What is asked for, and the kind of value that comes back for each row."""

    kind: type[Value]
    source: str
    "From FROM on; `:name` stands for a parameter."
    parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def sql(self) -> str:
        """The whole statement; its columns are those of `kind`."""
        return f"SELECT {', '.join(column_names(self.kind))} {self.source}"


def fetch(connection: sqlite3.Connection, query: Query[Value]) -> tuple[Value, ...]:
    """Return what a query finds."""
    rows = connection.execute(query.sql, query.parameters)
    return tuple(value(query.kind, row) for row in rows)


def insert_row(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    """Insert one row; columns that it doesn't name have their default."""
    names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", row)  # noqa: S608 - names of our own schema


def update_row(
    connection: sqlite3.Connection, table: str, key: str, row: Mapping[str, Any]
) -> None:
    """Change the columns that `row` names, in the row whose `key` is the one in `row`."""
    changed = ", ".join(f"{name} = :{name}" for name in row if name != key)
    connection.execute(f"UPDATE {table} SET {changed} WHERE {key} = :{key}", row)  # noqa: S608 - names of our own schema
