"""The data folder: its layout, its lock, its permissions.

The lock is a `flock` on one file description that every child inherits, so it is held until
the last process that writes here is gone: a new server can't adopt a `.part` that an old
recorder is still finishing.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from b2bua.errors import DataFolderError


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths below one folder."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / "mitschnitt.db"

    @property
    def control_socket(self) -> Path:
        return self.path / "control.sock"

    @property
    def lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def config_file(self) -> Path:
        return self.path / "mitschnitt.toml"

    @property
    def prompts(self) -> Path:
        """Where an operator's own prompts stand; made by the first one that is installed."""
        return self.path / "prompts"

    def recordings(self, configured: Path | None) -> Path:
        """Return the recordings' folder: the configured one, or one of our own.

        Only our own is made here: where a share is not mounted, a new folder in its place
        would fill the system's disk.
        """
        if configured is not None:
            return configured
        self.create()
        own = self.path / "recordings"
        own.mkdir(mode=0o700, exist_ok=True)
        return own

    def create(self) -> None:
        """Make the folder, readable by its owner only."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DataFolderError(f"{self.path}: {error.strerror}") from error

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the lock; yields its descriptor, for children to inherit."""
        self.create()
        try:
            fd = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataFolderError(f"{self.lock_file}: {error.strerror}") from error
        try:
            self._take(fd)
            yield fd
        finally:
            os.close(fd)

    def _take(self, fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataFolderError(
                f"{self.path}: another mitschnitt is using this data folder "
                "(or its recorder is still finishing files); stop it first"
            ) from None
