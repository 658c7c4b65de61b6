"""The pages' view of the recordings' folder and of the reasons (`web/ports.py`).

What they ask of the running server goes over the control socket and is not here.
"""

import os
from collections.abc import Collection

from recording.folder import Folder, UnsafePathError
from recording.reasons import UnknownReasonError, decode, render
from recording.storage import check, free_space
from web.ports import Language, StorageFigures


class FolderRecordings:
    """Finished recordings, opened below the root without following a link."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def open(self, relative_path: str) -> int:
        """Return a descriptor; raises `OSError`, or `ValueError` for a path that leads out."""
        return self._folder.open_final(relative_path).fd

    def present(self, relative_paths: Collection[str]) -> frozenset[str]:
        """Return those that can be opened and are not empty; raises where the root is away."""
        self._folder.root.stat()
        return frozenset(path for path in relative_paths if self._is_present(path))

    def _is_present(self, relative_path: str) -> bool:
        try:
            descriptor = self.open(relative_path)
        except (OSError, UnsafePathError):
            return False
        try:
            return os.fstat(descriptor).st_size > 0
        finally:
            os.close(descriptor)


class ReasonSentences:
    """The sentences of `recording/reasons.py`."""

    def sentence(self, key: str, params: str, language: Language) -> str:
        """Return the sentence; empty for a key of another version."""
        try:
            return render(decode(key, params), language)
        except UnknownReasonError:
            return ""


class FolderStorage:
    """The file system of the recordings."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def figures(self) -> StorageFigures:
        """Return its size and what is free; raises `OSError`."""
        state = free_space(self._folder.root)
        return StorageFigures(
            folder=str(self._folder.root),
            total_octets=state.total_octets,
            free_octets=state.free_octets,
        )

    def test(self) -> str | None:
        """Write, sync and remove a small file."""
        return check(self._folder).trouble
