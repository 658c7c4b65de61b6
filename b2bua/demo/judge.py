"""The judge: decodes the recordings and compares them with what was said, and when.

It knows nothing of the server but the files and the row of the call.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from b2bua.demo import dialogue
from b2bua.demo.dialogue import Line
from b2bua.demo.hearing import RATE, Match, Pcm, best_match, best_part
from b2bua.demo.report import Check, RecordedFile

MP3_DELAY: Final = 1105
"""Samples that LAME (576) and every decoder (529) put before the first one of a file without an
Info tag."""

OCTETS_PER_MINUTE: Final = 200_000
EDGE_S: Final = 0.2
"Of a file: a frame and the codec's delay."


def decode(path: Path) -> Pcm:
    """Return the samples of an MP3 file of 8 kHz mono, without the codec's delay."""
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    if (rate, samples.shape[1]) != (RATE, 1):
        raise ValueError(f"{path} has {rate} Hz and {samples.shape[1]} channels")
    return np.asarray(samples[MP3_DELAY:, 0], dtype=np.int16)


def describe(path: Path, pcm: Pcm) -> RecordedFile:
    """Return what is told about a file."""
    return RecordedFile(path, path.stat().st_size, round(pcm.size / RATE, 2))


@dataclass(frozen=True, slots=True)
class Sound:
    """Something that may have been recorded or heard."""

    name: str
    pcm: Pcm


def sound_of(line: Line) -> Sound:
    """Return a line of the dialogue as something to look for."""
    return Sound(f"{line.speaker.value}: {line.text}", line.pcm)


def row_checks(row: dict[str, Any], *, src: str, dst: str) -> list[Check]:
    """Return what the call's row has to say."""
    wanted = {"src": src, "dst": dst, "disposition": "ANSWERED", "outcome": "recorded"}
    return [
        Check(f"the row says {name} = {value}", row.get(name) == value, _unless(row, name, value))
        for name, value in wanted.items()
    ]


def _unless(row: dict[str, Any], name: str, value: str) -> str:
    return "" if row.get(name) == value else f"it says {row.get(name)}"


def segment_checks(
    number: int, pcm: Pcm, *, said: Sequence[Line], never: Iterable[Sound]
) -> list[Check]:
    """Return what has to be in one file, in which order, and what must not be there."""
    name = f"file {number}"
    matches = [(line, best_match(pcm, line.pcm)) for line in said]
    checks = [_is_there(f"{name} has {sound_of(line).name}", match) for line, match in matches]
    places = [match.start for _, match in matches]
    in_order = all(before < after for before, after in pairwise(places))
    found = all(match.found for _, match in matches)
    checks.append(
        Check(
            f"{name} has them in the order in which they were said",
            found and in_order,
            ", ".join(f"{place:.1f} s" for place in places),
        )
    )
    return [*checks, *(_is_not_there(f"{name} has no {each.name}", pcm, each) for each in never)]


def heard_checks(who: str, heard: Pcm, sounds: Iterable[Sound]) -> list[Check]:
    """Return what a party has to have heard in the call."""
    return [_is_there(f"{who} heard {each.name}", best_match(heard, each.pcm)) for each in sounds]


def size_check(files: Sequence[RecordedFile]) -> Check:
    """Return whether the files are as small as promised."""
    octets, seconds = sum(f.octets for f in files), sum(f.duration_s + EDGE_S for f in files)
    rate = octets * 60 / seconds if seconds else 0.0
    return Check(
        f"a minute takes less than {OCTETS_PER_MINUTE // 1000} kB",
        bool(files) and rate < OCTETS_PER_MINUTE,
        f"{rate / 1000:.0f} kB",
    )


def _is_there(name: str, match: Match) -> Check:
    return Check(name, match.found, f"at {match.start:.1f} s, likeness {match.likeness:.2f}")


def _is_not_there(name: str, pcm: Pcm, sound: Sound) -> Check:
    """Not even a part of it: a second of what must not be recorded is too much."""
    match = best_part(pcm, sound.pcm)
    return Check(name, not match.found, f"likeness {match.likeness:.2f}")


MARKER: Final = Sound("tone from before the key", dialogue.marker())
