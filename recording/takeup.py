"""What a recorder finds on the disk of the recordings that its forerunner had open."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recording.checkpoint import Progress
from recording.encoder import ENCODER_DELAY_SAMPLES
from recording.folder import PART_SUFFIX, Folder, checked_parts
from recording.mp3 import iter_frames, scan

_MAX_TAIL: Final = 4 << 20
"Octets behind the checkpoint that are looked at: 20 minutes, where seconds are expected."


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFile:
    """A `.part` to go on with: so many octets of it are whole frames."""

    path: str
    octets: int
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedFile:
    """The forerunner had finished the file already."""

    path: str
    octets: int
    duration_s: float
    "Without the codec's delay."
    sha256: str


def look(folder: Folder, progress: Progress) -> OpenFile | FinishedFile | None:
    """Return what became of a recording's file; None where there is none.

    The file may be further than `progress`: what was written behind it counts as well.
    Reads a few KB that were just written; raises `OSError` where the disk refuses.
    """
    checked_parts(progress.path)
    final = folder.root / progress.path
    part = folder.root / (progress.path + PART_SUFFIX)
    try:
        with part.open("rb") as file:
            file.seek(progress.octets)
            tail = file.read(_MAX_TAIL)
            size = file.seek(0, 2)
    except FileNotFoundError:
        return _finished(final, progress.path)
    if size < progress.octets:
        return OpenFile(path=progress.path, octets=0, frames=0)
    octets = frames = 0
    if progress.octets:
        for offset, header in iter_frames(tail):
            if offset != octets:
                break
            octets += header.octets
            frames += 1
    return OpenFile(
        path=progress.path, octets=progress.octets + octets, frames=progress.frames + frames
    )


def _finished(final: Path, path: str) -> FinishedFile | None:
    try:
        data = final.read_bytes()
    except FileNotFoundError:
        return None
    found = scan(data)
    rate = found.sample_rate or 1
    return FinishedFile(
        path=path,
        octets=len(data),
        duration_s=max(0, found.samples - ENCODER_DELAY_SAMPLES) / rate,
        sha256=hashlib.sha256(data).hexdigest(),
    )
