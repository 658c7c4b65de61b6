"""Finishing what a dead process left: every `.part` becomes a playable file, or is named.

Runs at the start of the server, under the lock of the data folder, before any recorder
works; and for a single recording whose recorder died without a result. A `.part` is cut
to whole frames, synced and given its final name: no frame that reached the disk is lost.
What is too short to be opened by a player (less than two frames) is removed. A `.part`
that no row knows is adopted all the same, and reported, so that nothing lies in the folder
unlisted.

Everything is idempotent: a crash in here is finished by the next start.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from recording.folder import PART_SUFFIX, Folder, Part, UnsafePathError
from recording.mp3 import Scan, scan
from recording.writer import describe

_AUDIO_SUFFIX = ".mp3"
_SIDE_SUFFIX = ".json"
_MIN_FRAMES = 2


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """A recording that the database holds for unfinished."""

    segment_id: int
    relative_path: str
    "As it was asked for; the file may have got a number behind its name."


class Status(StrEnum):
    """What became of one file."""

    ADOPTED = "adopted"
    "The `.part` was cut and got its final name."

    FINAL = "final"
    "The file had its final name already; only the row is behind."

    REMOVED = "removed"
    "Too short to be played."

    MISSING = "missing"
    "The row names a file that is not there."

    FAILED = "failed"
    "The disk refused; the next start tries again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """The result for one segment, or for one file that no segment knows."""

    status: Status
    segment_id: int | None
    "None: no row knows this file."

    relative_path: str
    "Of the finished file where there is one, else what was looked for."

    octets: int = 0
    sha256: str = ""
    duration_s: float = 0.0
    "As a player shows it (whole frames; 0.14 s of it is the codec's delay)."

    sample_rate: int = 0
    channels: int = 0
    cut_octets: int = 0
    "Behind the last whole frame, cut off."

    damaged_octets: int = 0
    "Between frames, left where they are."

    detail: str = ""
    "What the disk said."

    @property
    def playable(self) -> bool:
        """Tell whether there is a file with its final name."""
        return self.status in {Status.ADOPTED, Status.FINAL}


def recover(folder: Folder, segments: Iterable[OpenSegment]) -> tuple[Recovered, ...]:
    """Finish all that is open below the folder. Waits for the disk."""
    results = [recover_one(folder, segment) for segment in segments]
    refused = {result.relative_path for result in results if result.status is Status.FAILED}
    for path in list(_parts(folder.root)):
        if path in refused:
            continue
        if path.endswith(_AUDIO_SUFFIX):
            result = _recover(folder, path, None)
            if result.status is not Status.MISSING:
                results.append(result)
        elif path.endswith(_AUDIO_SUFFIX + _SIDE_SUFFIX):
            # A side file in the making: the audio is there, it is written again.
            with contextlib.suppress(OSError):
                (folder.root / (path + PART_SUFFIX)).unlink()
    return tuple(results)


def recover_one(folder: Folder, segment: OpenSegment) -> Recovered:
    """Finish one recording whose recorder is gone. Waits for the disk."""
    return _recover(folder, segment.relative_path, segment.segment_id)


def _recover(folder: Folder, relative_path: str, segment_id: int | None) -> Recovered:
    result = Recovered(status=Status.MISSING, segment_id=segment_id, relative_path=relative_path)
    try:
        return _adopt(folder, result) or _inspect(folder, result)
    except FileNotFoundError:
        return result
    except UnsafePathError as error:
        return replace(result, status=Status.FAILED, detail=f"unsafe path: {error}")
    except OSError as error:
        return replace(result, status=Status.FAILED, detail=describe(error))


def _adopt(folder: Folder, result: Recovered) -> Recovered | None:
    """Finish the `.part`; None where there is none (any more)."""
    try:
        part = folder.reopen(result.relative_path)
    except FileNotFoundError:
        return None
    try:
        if folder.clear_way(part):
            return None
        data = _contents(part)
        found = scan(data)
        if found.frames < _MIN_FRAMES:
            folder.discard(part)
            return replace(result, status=Status.REMOVED, cut_octets=len(data))
        if found.end < len(data):
            folder.cut(part, found.end)
        path = folder.publish(part)
    finally:
        folder.close(part)
    adopted = replace(
        result, status=Status.ADOPTED, relative_path=path, cut_octets=len(data) - found.end
    )
    return _measured(adopted, data[: found.end], found)


def _inspect(folder: Folder, result: Recovered) -> Recovered:
    """Measure a file that has its final name; raises `FileNotFoundError`."""
    part = folder.open_final(result.relative_path)
    try:
        data = _contents(part)
    finally:
        folder.close(part)
    return _measured(replace(result, status=Status.FINAL), data, scan(data))


def _measured(result: Recovered, data: bytes, found: Scan) -> Recovered:
    return replace(
        result,
        octets=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        duration_s=found.duration_s,
        sample_rate=found.sample_rate,
        channels=found.channels,
        damaged_octets=found.damaged_octets,
    )


def _contents(part: Part) -> bytes:
    """Return the whole file: an hour is 11 MB. Not mapped: a sick disk would be a signal."""
    status = os.fstat(part.fd)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{part.part_path} is no regular file")
    with open(part.fd, "rb", closefd=False) as file:
        file.seek(0)
        return file.read()


def _parts(root: Path) -> Iterator[str]:
    """Yield the path, without `.part`, of every open file; links are not followed."""
    for directory, _, names in os.walk(root):
        for name in names:
            if name.endswith(PART_SUFFIX):
                path = Path(directory, name.removesuffix(PART_SUFFIX))
                yield path.relative_to(root).as_posix()
