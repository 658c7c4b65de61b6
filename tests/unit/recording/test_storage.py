import errno
from pathlib import Path

import pytest

from recording import storage
from recording.storage import SpaceLevel, StorageState
from tests.unit.recording.pool import SickFolder


def test_a_healthy_folder_has_figures_and_no_rest(tmp_path: Path) -> None:
    state = storage.check(SickFolder(tmp_path))
    assert state.trouble is None
    assert state.total_octets >= state.free_octets > 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    state = storage.check(SickFolder(tmp_path / "share"))
    assert state.trouble == "No such file or directory (ENOENT)"
    assert state.level is SpaceLevel.CRITICAL
    assert not (tmp_path / "share").exists()


@pytest.mark.parametrize("operation", ["create", "write", "sync"])
def test_every_refusal_is_told(tmp_path: Path, operation: str) -> None:
    folder = SickFolder(tmp_path)
    folder.failing[operation] = errno.EIO
    assert storage.check(folder).trouble == "Input/output error (EIO)"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("free", "level"),
    [(100, "ok"), (10, "ok"), (9, "low"), (5, "low"), (4, "critical"), (0, "critical")],
)
def test_levels(free: int, level: str) -> None:
    assert StorageState(trouble=None, total_octets=100, free_octets=free).level == level
