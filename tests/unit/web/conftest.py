import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cdr.journal import Journal
from cdr.proofs import Proofs
from cdr.store import prepare
from tests.unit.web.house import QUICK, House


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("web") / "empty.db"
    prepare(path)
    return path


@pytest.fixture
async def house(empty_database: Path, tmp_path: Path) -> AsyncIterator[House]:
    database = Path(shutil.copy(empty_database, tmp_path / "mitschnitt.db"))
    folder = tmp_path / "recordings"
    folder.mkdir()
    async with Journal(database, QUICK) as journal, Proofs(database) as reader:
        yield House(database, journal, reader, folder)
