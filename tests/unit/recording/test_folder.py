"""What the folder refuses, and file systems that can't do everything."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from recording.folder import Folder, Part, UnsafePathError, checked_parts


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def names(folder: Folder) -> list[str]:
    return [path.name for path in (folder.root / "2026").iterdir()]


@pytest.fixture
def part(folder: Folder) -> Iterator[Part]:
    made = folder.create("2026/a.mp3")
    folder.write(made, b"words", 0)
    yield made
    folder.close(made)


@pytest.fixture
def no_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no hard links on this share")

    monkeypatch.setattr(os, "link", link)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../a", "a/../b", "a//b", "./a", "a/", "a\0b", "."]
)
def test_paths_that_lead_elsewhere_are_refused(folder: Folder, path: str) -> None:
    with pytest.raises(UnsafePathError):
        checked_parts(path)
    with pytest.raises(UnsafePathError):
        folder.create(path)


@pytest.mark.usefixtures("no_hard_links")
def test_publishes_without_hard_links(folder: Folder, part: Part) -> None:
    assert folder.publish(part) == "2026/a.mp3"
    assert (folder.root / "2026/a.mp3").read_bytes() == b"words"
    assert names(folder) == ["a.mp3"]


@pytest.mark.usefixtures("no_hard_links")
def test_overwrites_nothing_without_hard_links(folder: Folder, part: Part) -> None:
    (folder.root / "2026/a.mp3").write_bytes(b"older")
    assert folder.publish(part) == "2026/a-2.mp3"
    assert (folder.root / "2026/a.mp3").read_bytes() == b"older"


def test_an_error_that_is_not_about_links_comes_through(
    folder: Folder, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "sick")

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(OSError, match="sick"):
        folder.publish(part)
    assert (folder.root / "2026/a.mp3.part").exists()


def test_does_not_publish_what_was_put_in_its_place(folder: Folder, part: Part) -> None:
    path = folder.root / "2026/a.mp3.part"
    path.unlink()
    path.write_bytes(b"forged")
    with pytest.raises(FileNotFoundError):
        folder.publish(part)
    folder.discard(part)
    assert path.read_bytes() == b"forged"


def test_discards_once_and_again(folder: Folder, part: Part) -> None:
    folder.discard(part)
    folder.discard(part)
    assert names(folder) == []
    (folder.root / "2026").rmdir()
    folder.discard(part)


def test_reopens_no_link(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "a.mp3.part").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic"):
        folder.reopen("a.mp3")


def test_clears_the_way_after_a_crash_between_the_two_names(folder: Folder, part: Part) -> None:
    os.link(folder.root / "2026/a.mp3.part", folder.root / "2026/a.mp3")
    assert folder.clear_way(part)
    assert names(folder) == ["a.mp3"]


def test_clears_a_name_that_was_only_reserved(folder: Folder, part: Part) -> None:
    (folder.root / "2026/a.mp3").touch()
    assert not folder.clear_way(part)
    assert folder.publish(part) == "2026/a.mp3"


def test_leaves_a_real_file_in_the_way(folder: Folder, part: Part) -> None:
    (folder.root / "2026/a.mp3").write_bytes(b"older")
    assert not folder.clear_way(part)
    assert (folder.root / "2026/a.mp3").read_bytes() == b"older"


def test_gives_up_after_a_thousand_of_the_same_name(
    folder: Folder, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recording.folder._MAX_SAME_NAMES", 3)
    for name in ("a.mp3", "a-2.mp3"):
        (folder.root / "2026" / name).write_bytes(b"x")
    with pytest.raises(FileExistsError):
        folder.publish(part)
    with pytest.raises(FileExistsError):
        folder.create("2026/a.mp3")
