import subprocess
import sys
from pathlib import Path

import pytest

from cdr.errors import StoreError
from cdr.own_reading import every_extension, living_bindings, open_calls, open_segments, read
from cdr.store import prepare


def test_a_new_database_has_nothing(tmp_path: Path) -> None:
    database = tmp_path / "100% a?b#c.db"
    prepare(database)
    queries = (every_extension(), living_bindings(0), open_calls(), open_segments())
    assert [read(database, query) for query in queries] == [(), (), (), ()]


def test_what_can_t_be_read_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be read: unable to open"):
        read(tmp_path / "nothing.db", every_extension())
    assert not (tmp_path / "nothing.db").exists()


def test_reading_loads_no_object_mapper(tmp_path: Path) -> None:
    database = tmp_path / "cdr.db"
    prepare(database)
    code = (
        "import sys\n"
        "from cdr.own_reading import every_extension, read\n"
        "read(sys.argv[1], every_extension())\n"
        "sys.exit('sqlalchemy.orm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(database)], check=False)
    assert done.returncode == 0
