"""The recordings' folder on disk: making, opening and publishing files in it.

Everything goes through directory descriptors and without following symbolic links below
the root (the root itself may be one, or a mount): a link planted in the folder can't lead
a recording elsewhere. Files are readable by the owner only, since they are other people's
words. Nothing here overwrites a file that exists.

These calls wait for the disk, for ever if it hangs: they belong in the writer's threads,
never on a call's path.
"""

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PART_SUFFIX = ".part"
"""Behind the final name while a recording is open."""

_MAX_SAME_NAMES = 1_000

_NO_HARD_LINKS = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
)

_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafePathError(ValueError):
    """The path is absolute, empty, or leads out of the folder."""


def checked_parts(relative_path: str) -> tuple[str, ...]:
    """Return the components of a path below the folder, or raise `UnsafePathError`."""
    parts = tuple(relative_path.split("/"))
    if any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise UnsafePathError(relative_path)
    return parts


@dataclass(frozen=True, slots=True)
class Part:
    """An open `.part` file."""

    fd: int
    relative_path: str
    "Of the finished file: what stands before `.part`."

    @property
    def part_path(self) -> str:
        """Return the path of the file while it is open, below the folder."""
        return self.relative_path + PART_SUFFIX


class Folder:
    """The recordings' folder. Has no state; tests replace single operations to break them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, relative_path: str) -> Part:
        """Make the `.part` of a new recording, with the folders above it.

        Where a recording of that name, or its `.part`, exists already, the next free name
        is taken: `name-2.mp3` and so on.
        """
        *folders, name = checked_parts(relative_path)
        with self._directory(folders, create=True) as directory:
            for candidate in _candidates(name):
                if _exists(candidate, directory):
                    continue
                try:
                    fd = os.open(
                        candidate + PART_SUFFIX,
                        _FILE_FLAGS | os.O_CREAT | os.O_EXCL,
                        0o600,
                        dir_fd=directory,
                    )
                except FileExistsError:
                    continue
                return Part(fd, "/".join([*folders, candidate]))
        raise FileExistsError(relative_path)

    def reopen(self, relative_path: str) -> Part:
        """Open the `.part` of a recording that another process began."""
        *folders, name = checked_parts(relative_path)
        with self._directory(folders) as directory:
            return Part(os.open(name + PART_SUFFIX, _FILE_FLAGS, dir_fd=directory), relative_path)

    def write(self, part: Part, data: bytes | memoryview, offset: int) -> int:
        """Write at `offset`, unbuffered; return how many octets the disk took."""
        return os.pwrite(part.fd, data, offset)

    def sync(self, part: Part) -> None:
        """Return when what was written would survive a power cut."""
        os.fdatasync(part.fd)

    def cut(self, part: Part, octets: int) -> None:
        """Shorten the file."""
        os.ftruncate(part.fd, octets)

    def publish(self, part: Part) -> str:
        """Give the file its final name, durably; return its path below the folder."""
        os.fsync(part.fd)
        path = self.rename(part)
        self.sync_name(path)
        return path

    def rename(self, part: Part) -> str:
        """Give the file, which is durable, its final name; return its path below the folder.

        The name differs from `part.relative_path` where that was taken in the meantime. It is
        durable after `sync_name`.
        """
        *folders, name = checked_parts(part.relative_path)
        with self._directory(folders) as directory:
            if not _same_file(part.fd, name + PART_SUFFIX, directory):
                raise FileNotFoundError(f"{part.part_path} was moved or removed")
            for candidate in _candidates(name):
                if _move(name + PART_SUFFIX, candidate, directory):
                    return "/".join([*folders, candidate])
        raise FileExistsError(part.relative_path)

    def sync_name(self, relative_path: str) -> None:
        """Return when the name of a file would survive a power cut."""
        *folders, _ = checked_parts(relative_path)
        with self._directory(folders) as directory:
            os.fsync(directory)

    def open_final(self, relative_path: str) -> Part:
        """Open a file that has its final name, for reading."""
        return self._open_to_read(relative_path, "")

    def open_growing(self, relative_path: str) -> Part:
        """Open a recording that is being written, for reading; or what has just been finished."""
        try:
            return self._open_to_read(relative_path, PART_SUFFIX)
        except FileNotFoundError:
            return self._open_to_read(relative_path, "")

    def is_growing(self, part: Part) -> bool:
        """Tell whether the open file is still a `.part`: once it is none, it is complete."""
        *folders, name = checked_parts(part.relative_path)
        try:
            with self._directory(folders) as directory:
                return _same_file(part.fd, name + PART_SUFFIX, directory)
        except FileNotFoundError:
            return False

    def _open_to_read(self, relative_path: str, suffix: str) -> Part:
        *folders, name = checked_parts(relative_path)
        # Without O_NONBLOCK a pipe in the place of a recording would hold us for ever.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        with self._directory(folders) as directory:
            return Part(os.open(name + suffix, flags, dir_fd=directory), relative_path)

    def clear_way(self, part: Part) -> bool:
        """Finish a `publish` that a crash cut in two; return True where that was all.

        With hard links the file then has both names, and the `.part` is removed; without
        them an empty file reserves the final name, and that is removed.
        """
        *folders, name = checked_parts(part.relative_path)
        with self._directory(folders) as directory:
            if _same_file(part.fd, name, directory):
                os.unlink(name + PART_SUFFIX, dir_fd=directory)
                os.fsync(directory)
                return True
            with contextlib.suppress(FileNotFoundError):
                if os.stat(name, dir_fd=directory, follow_symlinks=False).st_size == 0:
                    os.unlink(name, dir_fd=directory)
        return False

    def discard(self, part: Part) -> None:
        """Remove the `.part`; it is no error when it is gone already."""
        *folders, name = checked_parts(part.relative_path)
        with contextlib.suppress(FileNotFoundError), self._directory(folders) as directory:
            if _same_file(part.fd, name + PART_SUFFIX, directory):
                os.unlink(name + PART_SUFFIX, dir_fd=directory)
                os.fsync(directory)

    def close(self, part: Part) -> None:
        """Close the descriptor; an error here has nothing left to spoil."""
        with contextlib.suppress(OSError):
            os.close(part.fd)

    @contextlib.contextmanager
    def _directory(self, folders: Sequence[str], *, create: bool = False) -> Iterator[int]:
        """Open a folder below the root, component by component."""
        fd = os.open(self.root, _DIRECTORY_FLAGS)
        try:
            for name in folders:
                child = _open_child(fd, name, create=create)
                os.close(fd)
                fd = child
            yield fd
        finally:
            os.close(fd)


def _open_child(directory: int, name: str, *, create: bool) -> int:
    flags = _DIRECTORY_FLAGS | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=directory)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=directory)
        os.fsync(directory)
    return os.open(name, flags, dir_fd=directory)


def _candidates(name: str) -> Iterator[str]:
    yield name
    path = PurePosixPath(name)
    for number in range(2, _MAX_SAME_NAMES):
        yield f"{path.stem}-{number}{path.suffix}"


def _exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _same_file(fd: int, name: str, directory: int) -> bool:
    """Tell whether `name` is the open file: someone may have moved or replaced it."""
    try:
        there = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), there)


def _move(source: str, target: str, directory: int) -> bool:
    """Rename within a folder; return False where `target` exists.

    `rename` replaces what is there, `link` doesn't. File systems without hard links (FAT,
    some network shares) get an empty file that reserves the name, which is then replaced.
    """
    try:
        os.link(source, target, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
    else:
        os.unlink(source, dir_fd=directory)
        return True
    try:
        os.close(os.open(target, _FILE_FLAGS | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory))
    except FileExistsError:
        return False
    os.rename(source, target, src_dir_fd=directory, dst_dir_fd=directory)
    return True
