"""One sync for many files, and when each has its own."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from recording.folder import Folder, Part
from recording.sync import (
    FEWEST_FILES,
    ONE_BY_ONE_S,
    SLOW_S,
    JointSync,
    file_system,
    kernel,
)
from recording.writer import Writer
from tests.unit.recording.pool import ManualPool, SickFolder

MOUNTS = """\
22 28 0:20 / /sys rw,nosuid - sysfs sysfs rw
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
31 28 259:3 /a\\040b /srv/a\\040b rw - xfs /dev/nvme0n1p3 rw
damaged
"""


class System:
    """`syncfs` and the clock, played."""

    def __init__(self) -> None:
        self.now = 100.0
        self.takes_s = 0.01
        self.error: int | None = None
        self.calls = 0

    def syncfs(self, fd: int) -> None:
        assert fd >= 0
        self.calls += 1
        self.now += self.takes_s
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))

    def joint(self) -> JointSync:
        return JointSync(syncfs=self.syncfs, clock=lambda: self.now)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[list[Part]]:
    folder = Folder(tmp_path)
    made = [folder.create(f"{number}.mp3") for number in range(FEWEST_FILES)]
    yield made
    for part in made:
        folder.close(part)


def test_many_files_are_one_call(parts: list[Part]) -> None:
    system = System()
    assert system.joint().together(parts)
    assert system.calls == 1


def test_few_files_have_their_own(parts: list[Part]) -> None:
    system = System()
    assert not system.joint().together(parts[1:])
    assert not system.joint().together([])
    assert not system.calls


def test_what_fails_is_asked_of_each(parts: list[Part]) -> None:
    system = System()
    system.error = errno.EIO
    assert not system.joint().together(parts)


def test_a_disk_that_others_keep_busy_is_asked_file_by_file_for_a_while(parts: list[Part]) -> None:
    system = System()
    joint = system.joint()
    system.takes_s = 2 * SLOW_S
    assert joint.together(parts), "it was slow, but it is done"
    system.takes_s = 0.01
    system.now += ONE_BY_ONE_S / 2
    assert not joint.together(parts)
    system.now += ONE_BY_ONE_S
    assert joint.together(parts)
    assert system.calls == 2


def test_the_systems_own(parts: list[Part]) -> None:
    """Whether it is used depends on where the test runs; that it is no error does not."""
    assert JointSync().together(parts) in {True, False}


def test_the_file_system_of_a_device(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert file_system(os.makedev(254, 1), mounts) == "ext4"
    assert file_system(os.makedev(259, 3), mounts) == "xfs"
    assert file_system(os.makedev(8, 1), mounts) is None
    assert file_system(os.makedev(8, 1), tmp_path / "none") is None


@pytest.mark.parametrize(
    ("release", "numbers"),
    [("6.1.0-18-amd64", (6, 1)), ("5.8", (5, 8)), ("5.10-rc1", (5, 10)), ("odd", (0, 0))],
)
def test_the_kernel(release: str, numbers: tuple[int, int]) -> None:
    assert kernel(release) == numbers


def test_writers_of_a_batch_are_durable_by_one_call(tmp_path: Path) -> None:
    system, pool, folder = System(), ManualPool(), SickFolder(tmp_path)
    pool.joint = system.joint()
    writers = [Writer(f"{number}.mp3", folder=folder, pool=pool) for number in range(5)]
    pool.run(1.0)
    for writer in writers:
        writer.append(b"x" * 216)
    pool.run()
    assert [writer.durable_octets for writer in writers] == [216] * 5
    assert (system.calls, folder.calls["sync"]) == (1, 0)


def test_a_joint_sync_that_fails_finds_the_file_at_fault(tmp_path: Path) -> None:
    system, pool, folder = System(), ManualPool(), SickFolder(tmp_path)
    pool.joint = system.joint()
    system.error = errno.EIO
    writers = [Writer(f"{number}.mp3", folder=folder, pool=pool) for number in range(5)]
    pool.run(1.0)
    for writer in writers:
        writer.append(b"x" * 216)
    pool.run()
    assert [writer.durable_octets for writer in writers] == [216] * 5
    assert (system.calls, folder.calls["sync"]) == (1, 5)
    assert [writer.failure for writer in writers] == [None] * 5


def test_files_that_end_together_are_named_together(tmp_path: Path) -> None:
    system, pool, folder = System(), ManualPool(), SickFolder(tmp_path)
    pool.joint = system.joint()
    writers = [Writer(f"{number}.mp3", folder=folder, pool=pool) for number in range(5)]
    for writer in writers:
        writer.append(b"x" * 216)
        writer.finish()
    pool.run()
    assert [writer.result.result(timeout=0).relative_path for writer in writers] == [
        f"{number}.mp3" for number in range(5)
    ]
    assert system.calls == 2, "the contents, then the names"
    assert (folder.calls["sync"], folder.calls["rename"], folder.calls["sync_name"]) == (0, 5, 0)
