"""The folder of installed prompts: a recording is laid beside the present one, then takes over.

The two steps are apart because a change of what callers are asked has to stand in the audit log
first: `stage` does everything that can fail, `Staged.take_over` only renames. Without numpy, for
the signalling process.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ivr.prompts import LANGUAGES, PromptError, PromptId, describe


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A recording that lies ready. It is not played before `take_over`."""

    wav: Path
    replaced: Path | None
    "A copy of the description of what is played now; its WAV file stays as well."
    _about: Path
    _new: Path

    def take_over(self) -> None:
        """Make it the one that is played."""
        self._new.replace(self._about)


def stage(
    folder: Path,
    prompt_id: PromptId,
    language: str,
    wav: bytes,
    *,
    sentence: str,
    counts_from_ms: int,
) -> Staged:
    """Write a ready WAV file and its description below `folder`; raises `PromptError`."""
    if language not in LANGUAGES:
        raise PromptError(f"no language {language!r}: {', '.join(LANGUAGES)}")
    sha256 = hashlib.sha256(wav).hexdigest()
    place = folder / language
    about = place / f"{prompt_id}.json"
    wav_path = place / f"{prompt_id}-{sha256[:12]}.wav"
    new = about.with_name(about.name + ".new")
    description = describe(
        file=wav_path.name, sentence=sentence, sha256=sha256, counts_from_ms=counts_from_ms
    )
    try:
        place.mkdir(parents=True, exist_ok=True)
        _write(wav_path, wav)
        replaced = _keep(about)
        _write_durably(new, description)
    except OSError as error:
        raise PromptError(f"{error.filename or place}: {error.strerror}") from None
    return Staged(wav=wav_path, replaced=replaced, _about=about, _new=new)


def _keep(about: Path) -> Path | None:
    """Keep the description of the present recording under the name of that recording."""
    try:
        octets = about.read_bytes()
    except FileNotFoundError:
        return None
    kept = about.with_name(f"{about.stem}-{hashlib.sha256(octets).hexdigest()[:12]}.json")
    _write(kept, octets)
    return kept


def _write(path: Path, octets: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    _write_durably(temporary, octets)
    temporary.replace(path)


def _write_durably(path: Path, octets: bytes) -> None:
    with path.open("wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
