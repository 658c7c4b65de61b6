"""Bringing the database's tables up to date before anything else opens it.

Whether something is to be done is known without SQLAlchemy and Alembic. The migrations need
both, and run in a process of their own: the server, which looks here at each start, would
keep them in its memory for as long as it runs.
"""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from cdr.connection import database_file, open_writing
from cdr.errors import SchemaTooNewError, StoreError


def migrations_folder() -> Path:
    """Return the folder of the Alembic environment, which is packaged with the application."""
    return Path(str(files("b2bua") / "migrations"))


def revisions(migrations: Path) -> list[str]:
    """Return the known revisions, oldest first.

    They are numbered, and their number is in the file's name.
    """
    return sorted(path.name[1:5] for path in (migrations / "versions").glob("r[0-9]*_*.py"))


def prepare(database: str | Path, migrations: Path | None = None) -> bool:
    """Make the database or bring its tables up to date; return whether anything was done.

    Blocks: from a running loop, call it in a thread. The caller holds the data folder's lock.
    Raises `SchemaTooNewError` for tables of a newer version, `StoreError` where the database
    can't be opened or changed.
    """
    path = database_file(database)
    folder = migrations_folder() if migrations is None else migrations
    known = revisions(folder)
    try:
        _create_file(path)
        current = current_revision(path)
        if current == known[-1]:
            return False
        if current is not None and current not in known:
            raise SchemaTooNewError(
                f"the database has schema {current}, this version knows {known[-1]} at most: "
                "a newer version of mitschnitt has written it"
            )
        _migrate(path, folder)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{database}: {error}") from error
    return True


def current_revision(database: Path) -> str | None:
    """Return the revision of the tables, None where there are none; raises `sqlite3.Error`."""
    with closing(open_writing(database)) as connection:
        if not connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
        ).fetchone():
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])


def _create_file(database: Path) -> None:
    """Make an empty file that only its owner can read, where there is none yet."""
    os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _migrate(database: Path, folder: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "cdr.migrating", str(database), str(folder)],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        reason = done.stderr.strip() or f"the migrations ended with {done.returncode}"
        raise StoreError(f"{database}: {reason}")
