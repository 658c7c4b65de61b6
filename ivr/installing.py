"""Put an operator's own recording in the place of a prompt. With numpy, for the command line."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ivr import conditioning, hold_music
from ivr.prompt_folder import stage
from ivr.prompts import LONGEST_S, QUESTIONS, PromptError, PromptId
from ivr.sound import SAMPLE_RATE, SAMPLES_PER_MS

MAX_OCTETS: Final = 64 << 20
"Of a file that is looked at: 30 s in 192 kHz, 8 channels and 32 bits don't fit, and needn't."

CLIPPED_RUN: Final = 4
"Samples in a row at full scale: that is no voice any more."

CLIPPED_RUNS: Final = 3
"So many such runs are too many."

SHORTEST_MS: Final = 200
QUIETEST_DBFS: Final = -45.0

MUSIC_PEAK_DBFS: Final = -9.0
"One waits to it, and may be spoken to in the middle of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A recording as it will be played, for the operator to look at."""

    wav: bytes
    duration_ms: int
    level_dbfs: float
    "As recorded, before it was brought to the peak of all prompts."
    counts_from_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What was installed."""

    path: Path
    sha256: str
    duration_ms: int
    level_dbfs: float
    counts_from_ms: int
    replaced: Path | None
    "The description of what was there before; kept with its WAV file."


def prepare(prompt_id: PromptId, octets: bytes, counts_from_ms: int | None = None) -> Prepared:
    """Check and convert a WAV file.

    `counts_from_ms`: from where a key counts; without it, a question counts keys only once
    it has been played to its end, since nobody else knows where it says what it is about.
    Raises `PromptError`.
    """
    audio, level = convert(octets)
    duration_ms = len(audio) // SAMPLES_PER_MS
    if counts_from_ms is None:
        counts_from_ms = duration_ms if prompt_id in QUESTIONS else 0
    if not 0 <= counts_from_ms <= duration_ms:
        raise PromptError(f"the prompt lasts {duration_ms} ms: keys can't count from there")
    return Prepared(
        wav=conditioning.to_wav(audio),
        duration_ms=duration_ms,
        level_dbfs=level,
        counts_from_ms=counts_from_ms,
    )


def install(
    folder: Path,
    prompt_id: PromptId,
    language: str,
    octets: bytes,
    *,
    sentence: str = "",
    counts_from_ms: int | None = None,
) -> Installed:
    """Check and convert a WAV file, and make it the one that is played.

    Raises `PromptError`; what was there is untouched then.
    """
    ready = prepare(prompt_id, octets, counts_from_ms)
    staged = stage(
        folder,
        prompt_id,
        language,
        ready.wav,
        sentence=sentence,
        counts_from_ms=ready.counts_from_ms,
    )
    staged.take_over()
    return Installed(
        path=staged.wav,
        sha256=hashlib.sha256(ready.wav).hexdigest(),
        duration_ms=ready.duration_ms,
        level_dbfs=ready.level_dbfs,
        counts_from_ms=ready.counts_from_ms,
        replaced=staged.replaced,
    )


def convert(octets: bytes) -> tuple[conditioning.Audio, float]:
    """Return a recording as a prompt's samples, and the level that it had in dBFS."""
    if len(octets) > MAX_OCTETS:
        raise PromptError(f"the file is larger than {MAX_OCTETS >> 20} MB")
    audio, rate = conditioning.read(octets)
    if len(audio) > LONGEST_S * rate:
        raise PromptError(f"the recording is longer than {LONGEST_S} s")
    level = conditioning.level_dbfs(audio) if len(audio) else -120.0
    if level < QUIETEST_DBFS:
        raise PromptError("the recording is empty or much too quiet")
    if _clipped_runs(audio) >= CLIPPED_RUNS:
        raise PromptError("the recording is clipped: record it again at a lower level")
    band = conditioning.telephone_band(conditioning.resample(audio, rate))
    audio = conditioning.normalise(conditioning.trim(conditioning.normalise(band)))
    if len(audio) < SHORTEST_MS * SAMPLE_RATE // 1000:
        raise PromptError(f"the recording is shorter than {SHORTEST_MS} ms")
    return audio, level


def convert_music(octets: bytes) -> bytes:
    """Return a piece of music as `ivr.hold_music` takes it, no louder than the shipped one.

    Its ends stay as they are: it may have been cut so that it loops. Raises `PromptError`.
    """
    if len(octets) > MAX_OCTETS:
        raise PromptError(f"the file is larger than {MAX_OCTETS >> 20} MB")
    audio, rate = conditioning.read(octets)
    if len(audio) > hold_music.LONGEST_S * rate:
        raise PromptError(f"the piece is longer than {hold_music.LONGEST_S} s")
    if not len(audio) or conditioning.level_dbfs(audio) < QUIETEST_DBFS:
        raise PromptError("the piece is empty or much too quiet")
    band = conditioning.telephone_band(conditioning.resample(audio, rate))
    return conditioning.to_wav(conditioning.normalise(band, MUSIC_PEAK_DBFS))


def _clipped_runs(audio: conditioning.Audio) -> int:
    """Return how often several samples in a row are at full scale."""
    full = np.abs(audio) >= 0.999
    together = full[CLIPPED_RUN - 1 :].copy()
    for shift in range(CLIPPED_RUN - 1):
        together &= full[shift : len(full) - CLIPPED_RUN + 1 + shift]
    starts = together & ~np.concatenate(([False], together[:-1]))
    return int(starts.sum())
