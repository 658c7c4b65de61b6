"""Many files made durable by one call.

Each recording's file wants a sync a second. One by one that is a commit of the file system's
journal and a flush of the disk for each: 200 recordings ask more of a hard disk than it can
do, and the calls cost more than the writing. `syncfs(2)` does it once for all files of a
file system. It also writes what others left there, so:

- It is used for a few files at least, on file systems known to do by it all that `fdatasync`
  does (ext4, xfs), and from Linux 5.8 on, which tells of failed writes there.
- If it took longer than our files explain, somebody else writes much: they are then synced one
  by one for a while.
- If it fails, it does not say whose octets were lost: then each file is asked.
"""

import ctypes
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from recording.folder import Part

FEWEST_FILES: Final = 3

SLOW_S: Final = 0.25

SLOW_S_PER_FILE: Final = 0.01
"A hard disk has to move its heads for each."

ONE_BY_ONE_S: Final = 60.0

FIRST_KERNEL: Final = (5, 8)

FILE_SYSTEMS: Final = frozenset({"ext4", "xfs"})

_MOUNTS: Final = Path("/proc/self/mountinfo")


class JointSync:
    """Of one pool of writers, from any of its threads."""

    def __init__(
        self,
        *,
        syncfs: Callable[[int], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`syncfs`: in place of the system's, on whatever file system."""
        self._given = syncfs
        self._syncfs = syncfs if syncfs is not None else _system_syncfs()
        self._clock = clock
        self._suitable: dict[int, bool] = {}
        "By device; a folder has one, seldom more."
        self._not_before = 0.0

    def together(self, parts: Sequence[Part]) -> bool:
        """Make files durable at once; return False where each has to be synced by itself."""
        if len(parts) < FEWEST_FILES or self._syncfs is None:
            return False
        began = self._clock()
        device = os.fstat(parts[0].fd).st_dev
        if began < self._not_before or not self._is_suitable(device):
            return False
        if any(os.fstat(part.fd).st_dev != device for part in parts[1:]):
            return False
        try:
            self._syncfs(parts[0].fd)
        except OSError:
            return False
        finally:
            if self._clock() - began > SLOW_S + SLOW_S_PER_FILE * len(parts):
                self._not_before = self._clock() + ONE_BY_ONE_S
        return True

    def _is_suitable(self, device: int) -> bool:
        if self._given is not None:
            return True
        if device not in self._suitable:
            if len(self._suitable) > 16:
                self._suitable.clear()
            self._suitable[device] = file_system(device) in FILE_SYSTEMS
        return self._suitable[device]


def file_system(device: int, mounts: Path = _MOUNTS) -> str | None:
    """Return the type of the file system on a device (proc_pid_mountinfo(5)), if it is known."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        mount, _, source = line.partition(" - ")
        if source and mount.split()[2] == number:
            return source.split()[0]
    return None


def kernel(release: str) -> tuple[int, int]:
    """Return the first two numbers of a kernel's release; (0, 0) where there are none."""
    major, _, rest = release.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)


def _system_syncfs() -> Callable[[int], None] | None:
    """Return `syncfs(2)`, which Python does not have, where it can be relied on."""
    if kernel(os.uname().release) < FIRST_KERNEL:
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):
        return None

    def syncfs(fd: int) -> None:
        if call(fd):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    return syncfs
