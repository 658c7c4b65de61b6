"""Whether the recordings' folder can be written, and how much of it is left.

Everything here waits for the disk (a share that hangs, hangs it): run it in a thread with
a time limit, never on a call's path.
"""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from recording.folder import Folder
from recording.writer import describe

LOW_SHARE = 0.10
CRITICAL_SHARE = 0.05

_PROBE = b"Mitschnitt checks whether it can write here.\n"


class SpaceLevel(StrEnum):
    """How much of the file system is left."""

    OK = "ok"
    LOW = "low"
    "Below 10 %: the operator is warned."

    CRITICAL = "critical"
    "Below 5 %: no new recordings; calls go on."


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageState:
    """What the check found."""

    trouble: str | None
    "Why nothing can be written, in words; None where it can."

    total_octets: int = 0
    free_octets: int = 0
    "What a process without privileges may use."

    @property
    def level(self) -> SpaceLevel:
        """Return how much is left; a folder without figures counts as critical."""
        if self.free_octets < CRITICAL_SHARE * self.total_octets or not self.total_octets:
            return SpaceLevel.CRITICAL
        if self.free_octets < LOW_SHARE * self.total_octets:
            return SpaceLevel.LOW
        return SpaceLevel.OK


def check(folder: Folder) -> StorageState:
    """Write, sync and remove a small file, and ask for the figures.

    The folder is not made here: where a share is not mounted, a new folder in its place
    would fill the system's disk.
    """
    try:
        part = folder.create(f".mitschnitt-check-{os.getpid()}")
        try:
            folder.write(part, _PROBE, 0)
            folder.sync(part)
        finally:
            folder.discard(part)
            folder.close(part)
        return free_space(folder.root)
    except OSError as error:
        return StorageState(trouble=describe(error))


def free_space(root: Path) -> StorageState:
    """Return the figures of the file system that holds `root`; raises `OSError`."""
    figures = os.statvfs(root)
    return StorageState(
        trouble=None,
        total_octets=figures.f_blocks * figures.f_frsize,
        free_octets=figures.f_bavail * figures.f_frsize,
    )
