import os
from pathlib import Path

import pytest

from b2bua.datadir import DataFolder
from b2bua.errors import DataFolderError


def test_a_second_holder_is_refused_with_a_clear_message(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with (
        folder.locked(),
        pytest.raises(DataFolderError, match="another mitschnitt is using"),
        DataFolder(tmp_path / "data").locked(),
    ):
        pass


def test_the_lock_is_free_again_after_use(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with folder.locked():
        pass
    with folder.locked() as fd:
        assert fd > 0


def test_an_inherited_descriptor_keeps_the_lock(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with folder.locked() as fd:
        child = os.dup(fd)
    try:
        with pytest.raises(DataFolderError), folder.locked():
            pass
    finally:
        os.close(child)


def test_the_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "new")
    folder.create()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_path_that_is_a_file_is_named_in_the_error(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(DataFolderError, match="file"), DataFolder(taken).locked():
        pass
