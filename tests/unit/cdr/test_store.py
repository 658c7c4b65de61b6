import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from cdr.engines import database_url, reading_engine
from cdr.errors import SchemaTooNewError, StoreError
from cdr.journal import Journal
from cdr.queries import ReadOnly
from cdr.schema import metadata
from cdr.store import migrations_folder, prepare, revisions


def test_a_new_database_has_all_tables_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    assert prepare(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert {row[0] for row in rows} == {*metadata.tables, "alembic_version"}
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_second_start_changes_nothing(database: Path) -> None:
    assert not prepare(database)


def test_the_migrations_make_the_tables_of_the_schema(database: Path) -> None:
    engine = create_engine(database_url(database).set(drivername="sqlite"))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
            checks = {
                table.name: {
                    check["name"] for check in inspect(connection).get_check_constraints(table.name)
                }
                for table in metadata.tables.values()
            }
        assert {name: len(found) for name, found in checks.items() if found} == {
            "extensions": 4,
            "users": 1,
        }
    finally:
        engine.dispose()


def test_the_newest_revision_is_known_by_the_names_of_the_files() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    scripts = ScriptDirectory.from_config(config)
    assert revisions(migrations_folder())[-1] == scripts.get_current_head()
    assert len(revisions(migrations_folder())) == len(list(scripts.walk_revisions()))


def test_tables_of_a_newer_version_are_refused(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNewError, match="newer version of mitschnitt"):
        prepare(database)


FAILS = """
from alembic import op
import sqlalchemy as sa

revision = "9999"
down_revision = "{before}"


def upgrade() -> None:
    op.create_table("half", sa.Column("id", sa.Integer()))
    {fault}
"""


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise OSError('no space left')", r"\.db: no space left$"),
        ("op.execute('DELETE FROM nowhere')", r"\.db: no such table: nowhere$"),
        ("raise LookupError('a fault of ours')", r"\.db: Traceback(.|\n)*fault of ours$"),
        ("import os; os._exit(9)", r"\.db: the migrations ended with 9$"),
    ],
)
def test_a_migration_that_fails_leaves_the_tables_as_they_were(
    database: Path, tmp_path: Path, fault: str, words: str
) -> None:
    folder = shutil.copytree(migrations_folder(), tmp_path / "100% migrations")
    faulty = FAILS.format(before=revisions(folder)[-1], fault=fault)
    (folder / "versions" / "r9999_faulty.py").write_text(faulty)
    with pytest.raises(StoreError, match=words):
        prepare(database, folder)
    with pytest.raises(StoreError, match=words):
        prepare(tmp_path / "new.db", folder)
    assert not prepare(database)
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_tables_of_an_older_version_are_brought_up_to_date(tmp_path: Path) -> None:
    folder = shutil.copytree(migrations_folder(), tmp_path / "migrations")
    max((folder / "versions").glob("r*.py")).unlink()
    path = tmp_path / "old.db"
    assert prepare(path, folder)
    assert prepare(path)
    assert not prepare(path)


def test_users_of_an_older_version_are_kept(tmp_path: Path) -> None:
    folder = shutil.copytree(migrations_folder(), tmp_path / "migrations")
    for file in (folder / "versions").glob("r*.py"):
        if file.name >= "r0007":
            file.unlink()
    path = tmp_path / "old.db"
    prepare(path, folder)
    add = "INSERT INTO users VALUES (?, 'hash', ?, '101', 1, 'cli:root', 2, NULL)"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(add, ("ben", "listener"))
    prepare(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(add, ("cleo", "auditor"))
        with pytest.raises(sqlite3.IntegrityError, match="ck_users_role"):
            connection.execute(add, ("eve", "owner"))
        assert connection.execute("SELECT * FROM users").fetchall() == [
            ("ben", "hash", "listener", "101", 1, "cli:root", 2, None),
            ("cleo", "hash", "auditor", "101", 1, "cli:root", 2, None),
        ]


@pytest.mark.parametrize("name", ["missing/x.db", "."], ids=["no folder", "a folder"])
def test_what_cannot_be_opened_is_told_in_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match=r"x\.db: .*No such file|Is a directory"):
        prepare(tmp_path / name)


def test_a_file_that_is_no_database_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(StoreError, match="not a database"):
        prepare(path)


def test_a_postgresql_url_stays_as_it_is() -> None:
    url = database_url("postgresql+asyncpg://mitschnitt@db.example.com/cdr")
    assert (url.drivername, url.host) == ("postgresql+asyncpg", "db.example.com")
    with pytest.raises(StoreError, match="write to postgresql"):
        Journal("postgresql+asyncpg://mitschnitt@db.example.com/cdr")


async def test_a_reader_cannot_write(database: Path) -> None:
    engine = reading_engine(database)
    try:
        async with engine.connect() as connection:
            with pytest.raises(DBAPIError, match="readonly"):
                await connection.execute(text("DELETE FROM calls"))
    finally:
        await engine.dispose()


async def test_a_path_with_signs_of_a_uri_is_read(tmp_path: Path) -> None:
    path = tmp_path / "100% a?b#c.db"
    prepare(path)
    async with ReadOnly(path) as reader:
        assert (await reader.calls()).calls == ()


async def test_reading_what_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    async with ReadOnly(tmp_path / "nothing.db") as reader:
        with pytest.raises(StoreError, match="can't be read: unable to open"):
            await reader.calls()


async def test_one_reading_sees_one_moment(database: Path) -> None:
    engine = reading_engine(database)
    count = text("SELECT count(*) FROM meta")
    try:
        async with engine.connect() as connection:
            assert (await connection.execute(count)).scalar() == 0
            with closing(sqlite3.connect(database)) as writer, writer:
                writer.execute("INSERT INTO meta VALUES ('key', 'value')")
            assert (await connection.execute(count)).scalar() == 0
        async with engine.connect() as connection:
            assert (await connection.execute(count)).scalar() == 1
    finally:
        await engine.dispose()
