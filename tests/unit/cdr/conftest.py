import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cdr.journal import Journal, JournalSettings
from cdr.proofs import Proofs
from cdr.store import prepare

QUICK = JournalSettings(group_s=0.001, retry_min_s=0.005, retry_max_s=0.02, close_s=5.0)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables; copied, because making it anew costs a second."""
    path = tmp_path_factory.mktemp("cdr") / "empty.db"
    prepare(path)
    return path


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty_database, tmp_path / "mitschnitt.db"))


@pytest.fixture
async def journal(database: Path) -> AsyncIterator[Journal]:
    async with Journal(database, QUICK) as journal:
        yield journal


@pytest.fixture
async def reader(database: Path) -> AsyncIterator[Proofs]:
    async with Proofs(database) as reader:
        yield reader


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait for something that another thread or process brings about."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - no event crosses a process
            await asyncio.sleep(0.002)
