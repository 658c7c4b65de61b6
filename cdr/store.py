"""Where the records are: the database's URL, its engines, and bringing its tables up to date.

SQLite runs in WAL mode: one writer, any number of readers that never wait for it. With
`synchronous=NORMAL` a commit survives the death of the process at once and a power cut from
the next checkpoint on; it costs a twentieth of `FULL`.
"""

import os
import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from cdr.errors import SchemaTooNewError, StoreError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

BUSY_TIMEOUT_MS = 250
"How long a writer waits for another process's lock before it says so; the journal tries again."


def database_url(database: str | Path) -> URL:
    """Return the URL of a path; a URL (with `sqlite+aiosqlite:`, say) is taken as it is."""
    if isinstance(database, str) and "://" in database:
        return make_url(database)
    return URL.create("sqlite+aiosqlite", database=str(Path(database).absolute()))


def writing_engine(database: str | Path) -> Engine:
    """Return the engine of the one writer."""
    url = database_url(database)
    if url.get_backend_name() != "sqlite":
        raise StoreError(f"the journal can't write to {url.get_backend_name()} yet")
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), poolclass=NullPool)
    event.listen(engine, "connect", _on_writing_connect)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def reading_engine(database: str | Path) -> "AsyncEngine":
    """Return an engine whose connections can't write."""
    # Brings the object mapper along: see `cdr/own_reading.py`.
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - 7 MB

    url = _read_only(database_url(database))
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url)
    engine = create_async_engine(url, pool_size=2, max_overflow=2)
    event.listen(engine.sync_engine, "connect", _on_reading_connect)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def plain_reading_engine(database: str | Path) -> Engine:
    """Return an engine whose connections can't write, for one short reading in a thread."""
    url = _read_only(database_url(database))
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), poolclass=NullPool)
    event.listen(engine, "connect", _on_reading_connect)
    event.listen(engine, "begin", _begin)
    return engine


def _read_only(url: URL) -> URL:
    """Return the URL that opens a file for reading; one of a server stays as it is."""
    if url.get_backend_name() != "sqlite" or url.database is None:
        return url
    # A path may hold characters that mean something in a URI.
    uri = Path(url.database).absolute().as_uri()
    return url.set(database=uri, query={"mode": "ro", "uri": "true"})


def words_of(error: SQLAlchemyError) -> object:
    """Return the database's own words, without statement and values."""
    return error.orig if isinstance(error, DBAPIError) else error


def _on_writing_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions begin too late (at the first change), and not at all for DDL.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
    finally:
        cursor.close()


def _on_reading_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver would begin no transaction for a SELECT: each would see its own moment.
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    """All that follows sees one moment."""
    connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a lock that is upgraded later can't wait, it fails."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


# --- tables


def migrations_folder() -> Path:
    """Return the folder of the Alembic environment, which is packaged with the application."""
    return Path(str(files("b2bua") / "migrations"))


def revisions(migrations: Path) -> list[str]:
    """Return the known revisions, oldest first.

    They are numbered, and their number is in the file's name: so the newest one is known
    without Alembic, whose import costs more than all the rest of a start.
    """
    return sorted(path.name[1:5] for path in (migrations / "versions").glob("r[0-9]*_*.py"))


def prepare(database: str | Path, migrations: Path | None = None) -> bool:
    """Make the database or bring its tables up to date; return whether anything was done.

    Blocks: from a running loop, call it in a thread. The caller holds the data folder's lock.
    Raises `SchemaTooNewError` for tables of a newer version, `StoreError` where the database
    can't be opened.
    """
    folder = migrations_folder() if migrations is None else migrations
    known = revisions(folder)
    try:
        _create_file(database_url(database))
        engine = writing_engine(database)
        try:
            with engine.connect() as connection:
                return _bring_up_to_date(connection, folder, known)
        finally:
            engine.dispose()
    except (OSError, SQLAlchemyError) as error:
        reason = words_of(error) if isinstance(error, SQLAlchemyError) else error
        raise StoreError(f"{database}: {reason}") from error


def _create_file(url: URL) -> None:
    """Make an empty file that only its owner can read, where there is none yet."""
    if url.database is not None:
        os.close(os.open(url.database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _bring_up_to_date(connection: Connection, folder: Path, known: list[str]) -> bool:
    with connection.begin():
        current = _current_revision(connection)
    if current == known[-1]:
        return False
    if current is not None and current not in known:
        raise SchemaTooNewError(
            f"the database has schema {current}, this version knows {known[-1]} at most: "
            "a newer version of mitschnitt has written it"
        )
    with connection.begin():
        _upgrade(connection, folder)
    return True


def _current_revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    revision: Any = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision  # type: ignore[no-any-return] # text() has no types


def _upgrade(connection: Connection, folder: Path) -> None:
    """Run the migrations, all in the caller's transaction: a crash leaves the old tables."""
    from alembic import command  # noqa: PLC0415 - slow, and needed only when the schema differs
    from alembic.config import Config  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
