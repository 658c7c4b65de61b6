"""SQLAlchemy's engines: for pages and commands that read, and for the migrations.

The server's own process does without (`cdr/connection.py`).
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from cdr.connection import open_writing, read_only_uri


def database_url(database: str | Path) -> URL:
    """Return the URL of a path; a URL (with `sqlite+aiosqlite:`, say) is taken as it is."""
    if isinstance(database, str) and "://" in database:
        return make_url(database)
    return URL.create("sqlite+aiosqlite", database=str(Path(database).absolute()))


def reading_engine(database: str | Path) -> AsyncEngine:
    """Return an engine whose connections can't write."""
    url = database_url(database)
    if url.get_backend_name() != "sqlite" or url.database is None:
        return create_async_engine(url)
    url = url.set(database=read_only_uri(Path(url.database)), query={"uri": "true"})
    engine = create_async_engine(url, pool_size=2, max_overflow=2)
    event.listen(engine.sync_engine, "connect", _on_connect)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def migrating_engine(database: Path) -> Engine:
    """Return an engine over connections like the writer's."""
    engine = create_engine(
        "sqlite+pysqlite://", creator=lambda: open_writing(database), poolclass=NullPool
    )
    event.listen(engine, "begin", _begin_immediate)
    return engine


def words_of(error: SQLAlchemyError) -> object:
    """Return the database's own words, without statement and values."""
    return error.orig if isinstance(error, DBAPIError) else error


def _on_connect(connection: object, _record: object) -> None:
    # The driver would begin no transaction for a SELECT: each would see its own moment.
    connection.isolation_level = None  # type: ignore[attr-defined] # aiosqlite's, as SQLAlchemy adapts it


def _begin(connection: Connection) -> None:
    """All that follows sees one moment."""
    connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
