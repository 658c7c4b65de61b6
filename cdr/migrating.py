"""The migrations, in a process of their own (`cdr/store.py`): arguments are database and folder.

Ends with 0 where the tables are up to date, otherwise with the reason on standard error.
"""

import signal
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import SQLAlchemyError

from cdr.engines import migrating_engine, words_of


def migrate(database: Path, folder: Path) -> None:
    """Run the migrations, all in one transaction: a crash leaves the old tables."""
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    engine = migrating_engine(database)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def main() -> int:
    """Migrate; return the process's exit code."""
    # The terminal's Ctrl-C reaches the whole process group; the parent decides.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    database, folder = (Path(word) for word in sys.argv[1:])
    try:
        migrate(database, folder)
    except (OSError, SQLAlchemyError) as error:
        reason = words_of(error) if isinstance(error, SQLAlchemyError) else error
        sys.stderr.write(f"{reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
