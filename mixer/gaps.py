"""What to play where no packet came: up to 60 ms of the sound around, then silence.

The way of ITU-T G.711 Appendix I: the last pitch period is repeated. A recording may know
what Appendix I can't, the sound behind the gap: where that is in the same chunk, its first
period is repeated backwards as well, and the one goes over into the other. At 5 % loss that
is worth 0.2 of PESQ (`bench/quality.py`). Where it is not, or the gap is longer than 60 ms,
the last period is at full level for 10 ms and then fades by a fifth each 10 ms, and overlaps
with the next good samples for 4 ms. A longer gap (DTX, hold, a phone that sends nothing) is
silence of its true length. What was repeated has no more information than what was heard
around, so a concealed recording stays one of what was said.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.jitter_buffer import RATE, UNWRITTEN

CONCEALED_SAMPLES: Final = 60 * RATE // 1000
FULL_LEVEL_SAMPLES: Final = 10 * RATE // 1000
OVERLAP_SAMPLES: Final = 4 * RATE // 1000
SHORTEST_PERIOD: Final = RATE // 200
LONGEST_PERIOD: Final = RATE // 66
"Pitch from 66 to 200 Hz; a higher voice is met by a multiple of its period."
WINDOW_SAMPLES: Final = 20 * RATE // 1000
"Compared when the period is looked for."
HISTORY_SAMPLES: Final = WINDOW_SAMPLES + LONGEST_PERIOD + OVERLAP_SAMPLES

Samples = NDArray[np.int16]

_FADE = np.concatenate(
    (
        np.ones(FULL_LEVEL_SAMPLES, dtype=np.float32),
        np.linspace(1, 0, CONCEALED_SAMPLES - FULL_LEVEL_SAMPLES, dtype=np.float32),
        np.zeros(OVERLAP_SAMPLES, dtype=np.float32),
    )
)
_IN = (np.arange(1, OVERLAP_SAMPLES + 1) / (OVERLAP_SAMPLES + 1)).astype(np.float32)


class Concealer:
    """One leg's memory from chunk to chunk."""

    __slots__ = ("_history", "_run", "_sound", "concealed_samples", "silent_samples")

    def __init__(self) -> None:
        self._history: Samples = np.zeros(HISTORY_SAMPLES, dtype=np.int16)
        "The last samples given out."
        self._sound: NDArray[np.float32] | None = None
        "What is played in the gap at hand, from its beginning; None: silence."
        self._run = CONCEALED_SAMPLES
        "Samples of the gap at hand so far; 0 outside. A leg begins in a long gap."
        self.concealed_samples = 0
        self.silent_samples = 0

    def conceal(self, raw: Samples) -> Samples:
        """Return `raw`, shape (n,), with every `UNWRITTEN` replaced; chunks in order."""
        missing = raw == UNWRITTEN
        if not missing.any():
            out = self._end_gap(raw) if self._run else raw
        elif self._run >= CONCEALED_SAMPLES and missing.all():
            out = np.zeros_like(raw)
            self.silent_samples += len(raw)
        else:
            out = self._fill(raw, missing)
        if len(out) >= HISTORY_SAMPLES:
            self._history = out[-HISTORY_SAMPLES:]
        else:
            self._history = np.concatenate((self._history, out))[-HISTORY_SAMPLES:]
        return out

    def _fill(self, raw: Samples, missing: NDArray[np.bool_]) -> Samples:
        out = raw.copy()
        borders = np.flatnonzero(np.diff(missing, prepend=False, append=False)).tolist()
        position = 0
        nexts = [*borders[2::2], len(out)]
        for start, end, following in zip(borders[::2], borders[1::2], nexts, strict=True):
            if start > position:
                self._close(out[position:start])
                self._begin_gap(out[:start])
            out[start:end] = self._play(end - start)
            if self._run == end - start <= CONCEALED_SAMPLES:
                self._bridge(out[start:end], out[end:following])
            position = end
        if position < len(out):
            self._close(out[position:])
        return out

    def _begin_gap(self, before: Samples) -> None:
        """Get ready for a gap behind `before`."""
        self._run = 0
        if len(before) < HISTORY_SAMPLES:
            before = np.concatenate((self._history, before))
        recent = before[-HISTORY_SAMPLES:].astype(np.float32)
        self._sound = _repeated(recent, _period(recent)) if recent.any() else None

    def _play(self, count: int) -> Samples:
        """Return the next `count` samples of the gap at hand."""
        if self._run == 0 and self._sound is None:
            # The gap begins with the chunk, or nothing was heard yet.
            recent = self._history.astype(np.float32)
            self._sound = _repeated(recent, _period(recent)) if recent.any() else None
        first, self._run = self._run, self._run + count
        out = np.zeros(count, dtype=np.int16)
        heard = min(self._run, CONCEALED_SAMPLES) - first
        if self._sound is not None and heard > 0:
            out[:heard] = (self._sound * _FADE)[first : first + heard]
            self.concealed_samples += heard
        self.silent_samples += count - max(heard, 0)
        return out

    def _bridge(self, gap: Samples, behind: Samples) -> None:
        """Let the sound before a whole gap go over into the one `behind` it, in place."""
        if self._sound is None or len(behind) < WINDOW_SAMPLES or not behind.any():
            return
        count = len(gap)
        coming = np.zeros(HISTORY_SAMPLES, dtype=np.float32)
        known = behind[:HISTORY_SAMPLES]
        coming[: len(known)] = known
        backwards = _repeated(coming[::-1], _period(coming[::-1]))[:count]
        weight = (np.arange(1, count + 1) / (count + 1)).astype(np.float32)
        gap[:] = self._sound[:count] * (1 - weight) + backwards[::-1] * weight
        # Nothing is left to overlap: it runs into what is behind.
        self._sound = None

    def _end_gap(self, good: Samples) -> Samples:
        out = good.copy()
        self._close(out)
        return out

    def _close(self, good: Samples) -> None:
        """Let the repeated sound go over into `good`, in place."""
        run, sound = self._run, self._sound
        self._run, self._sound = 0, None
        if not run or sound is None or run > CONCEALED_SAMPLES:
            return
        count = min(OVERLAP_SAMPLES, len(good))
        weight = _IN[:count]
        faded = (sound * _FADE)[run : run + count]
        good[:count] = good[:count] * weight + faded * (1 - weight)


def _period(recent: NDArray[np.float32]) -> int:
    """Return the lag, in samples, at which the last 20 ms are most like what was before."""
    window = recent[-WINDOW_SAMPLES:]
    earlier = recent[len(recent) - WINDOW_SAMPLES - LONGEST_PERIOD : -SHORTEST_PERIOD]
    # Column i of the result belongs to the lag LONGEST_PERIOD - i.
    likeness = np.correlate(earlier, window, "valid")
    power = np.convolve(earlier * earlier, np.ones(WINDOW_SAMPLES, dtype=np.float32), "valid")
    score = likeness / np.sqrt(np.maximum(power, 1.0))
    return LONGEST_PERIOD - int(np.argmax(score))


def _repeated(recent: NDArray[np.float32], period: int) -> NDArray[np.float32]:
    """Return the last period over and over, for the longest gap and its overlap."""
    cycle = recent[-period:].copy()
    # The end of the cycle goes over into what was before its beginning, so that the
    # joints between repetitions are smooth.
    overlap = min(OVERLAP_SAMPLES, period // 4)
    before = recent[len(recent) - period - overlap : len(recent) - period]
    weight = np.linspace(0, 1, overlap, dtype=np.float32)
    cycle[-overlap:] = cycle[-overlap:] * (1 - weight) + before * weight
    repeats = -(-len(_FADE) // period)
    return np.tile(cycle, repeats)[: len(_FADE)]
