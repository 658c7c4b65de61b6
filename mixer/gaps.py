"""What to play where no packet came: up to 60 ms of the sound around, then silence.

The way of ITU-T G.711 Appendix I: the last pitch period is repeated. A recording may know
what Appendix I can't, the sound behind the gap: its first period is repeated backwards as
well, and the one goes over into the other. At 5 % loss that is worth 0.2 of PESQ
(`bench/quality.py`). Where a packet is missing by itself and the sound around is not as steady as a
tone, linear prediction from both sides takes their place (`mixer/prediction.py`), worth another
0.2. Where the gap is longer than 60 ms, or too little is known behind it, the last period is at
full level for 10 ms and then fades by a fifth each 10 ms, and overlaps with the next good samples
for 4 ms. A longer gap (DTX, hold, a phone that sends nothing) is silence of its true length.
Nothing of this has more information than what was heard around, so a concealed recording stays
one of what was said.

So that what is behind a gap is always known, samples are given out `LOOK_AHEAD_MS` after they
came in. How the stream is cut into pieces then changes no sample.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.jitter_buffer import RATE, UNWRITTEN
from mixer.prediction import CONTEXT_MS, LONGEST_MS, ORDER_MS, across

LOOK_AHEAD_MS: Final = 100
"A gap that can be bridged, and what of the sound behind it is looked at: 60 and 39 ms."

CONCEALED_MS: Final = 60
FULL_LEVEL_MS: Final = 10
OVERLAP_MS: Final = 4
WINDOW_MS: Final = 20
"Compared when the period is looked for."
LOWEST_HZ: Final = 66
HIGHEST_HZ: Final = 200
"Of the pitch; a higher voice is met by a multiple of its period."
STEADY: Final = 0.985
"""From this likeness of one period to the next on, 1 being equal, on either side of a gap,
repeated periods are as good as prediction in speech, and better in tones, which fade in it."""

Samples = NDArray[np.int16]
Floats = NDArray[np.float32]


@lru_cache(maxsize=64)
def _between_ends(count: int) -> Floats:
    """Return weights that stand between 0 and 1, at equal distances."""
    weights: Floats = (np.arange(1, count + 1) / (count + 1)).astype(np.float32)
    return weights


@dataclass(frozen=True, slots=True)
class Scale:
    """The lengths in samples of one rate."""

    rate: int
    concealed: int = field(init=False)
    overlap: int = field(init=False)
    window: int = field(init=False)
    shortest: int = field(init=False)
    longest: int = field(init=False)
    history: int = field(init=False)
    look_ahead: int = field(init=False)
    predicted: int = field(init=False)
    "The longest gap for which prediction is right."
    context: int = field(init=False)
    order: int = field(init=False)
    fade: Floats = field(init=False)
    "Over a gap and the overlap behind it."
    enter: Floats = field(init=False)
    "Of the good samples in the overlap."

    def __post_init__(self) -> None:
        rate = self.rate
        concealed, overlap = CONCEALED_MS * rate // 1000, OVERLAP_MS * rate // 1000
        window, full = WINDOW_MS * rate // 1000, FULL_LEVEL_MS * rate // 1000
        fade = np.concatenate(
            (
                np.ones(full, dtype=np.float32),
                np.linspace(1, 0, concealed - full, dtype=np.float32),
                np.zeros(overlap, dtype=np.float32),
            )
        )
        values = {
            "concealed": concealed,
            "overlap": overlap,
            "window": window,
            "shortest": rate // HIGHEST_HZ,
            "longest": rate // LOWEST_HZ,
            "history": window + rate // LOWEST_HZ + overlap,
            "look_ahead": LOOK_AHEAD_MS * rate // 1000,
            "predicted": LONGEST_MS * rate // 1000,
            "context": CONTEXT_MS * rate // 1000,
            "order": ORDER_MS * rate // 1000,
            "fade": fade,
            "enter": _between_ends(overlap),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)


SCALES: Final = {RATE: Scale(RATE), 2 * RATE: Scale(2 * RATE)}


class Concealer:
    """One leg's memory from piece to piece."""

    __slots__ = (
        "_gap_end",
        "_history",
        "_in_long_gap",
        "_pending",
        "_scale",
        "concealed_samples",
        "silent_samples",
    )

    def __init__(self, rate: int = RATE) -> None:
        """`rate`: Hz of the samples, `RATE` or twice that."""
        self._scale = SCALES[rate]
        self._history: Samples = np.zeros(self._scale.history, dtype=np.int16)
        "The last samples given out."
        self._pending: Samples = np.zeros(0, dtype=np.int16)
        "Not given out yet; what was filled in them is final."
        self._in_long_gap = True
        "What came last is missing, and nothing of it is played any more. A leg begins so."
        self._gap_end = 0
        "Where the last gap that was filled has its end, counted from the first sample pending."
        self.concealed_samples = 0
        "That were played in gaps."
        self.silent_samples = 0
        "Of gaps that are silence."

    @property
    def concealed_s(self) -> float:
        """Seconds that were played in gaps."""
        return self.concealed_samples / self._scale.rate

    @property
    def silent_s(self) -> float:
        """Seconds of gaps that are silence."""
        return self.silent_samples / self._scale.rate

    def conceal(self, raw: Samples, *, last: bool = False) -> Samples:
        """Take the next samples, shape (n,); return those that are ready, without `UNWRITTEN`.

        All but the look-ahead, so in the beginning none; `last`: nothing more comes, all are.
        """
        known = np.concatenate((self._pending, raw))
        ready = len(known) if last else max(0, len(known) - self._scale.look_ahead)
        # No sample is less than `UNWRITTEN`.
        if len(known) and np.minimum.reduce(known) == UNWRITTEN:
            self._fill(known, known == UNWRITTEN, ready)
        elif len(raw):
            self._in_long_gap = False
        out = known[:ready]
        # What is kept is copied: a view would keep the whole second.
        self._pending = known[ready:].copy()
        self._gap_end -= ready
        self._remember(out)
        return out

    def forget(self) -> None:
        """Let what is held back be silence: it must not be heard."""
        self._pending = np.zeros_like(self._pending)
        self._in_long_gap = True

    def _remember(self, out: Samples) -> None:
        if len(out) < self._scale.history:
            out = np.concatenate((self._history, out))
        self._history = out[len(out) - self._scale.history :].copy()

    def _fill(self, known: Samples, missing: NDArray[np.bool_], ready: int) -> None:
        """Fill the gaps that begin before `ready`, whole and in place."""
        borders = (np.flatnonzero(missing[1:] != missing[:-1]) + 1).tolist()
        if missing[0]:
            borders.insert(0, 0)
        if missing[-1]:
            borders.append(len(known))
        following = [*borders[2::2], len(known)]
        for start, end, behind in zip(borders[::2], borders[1::2], following, strict=True):
            if self._in_long_gap and start == len(self._pending):
                known[start:end] = 0
                self.silent_samples += end - start
                self._gap_end = end
            elif start < ready:
                self._fill_gap(known, start, end, behind)
                self._gap_end = end
            else:
                self._in_long_gap = False
                return
            self._in_long_gap = end == len(known)

    def _fill_gap(self, known: Samples, start: int, end: int, behind: int) -> None:
        """Fill one gap; `behind`: where what is known behind it ends."""
        scale, count = self._scale, end - start
        before = known[max(0, start - scale.history) : start]
        if len(before) < scale.history:
            before = np.concatenate((self._history, before))[-scale.history :]
        recent = before.astype(np.float32)
        played = min(count, scale.concealed)
        known[start:end] = 0
        if not recent.any():
            self.silent_samples += count
            return
        self.concealed_samples += played
        self.silent_samples += count - played
        good = known[end : min(behind, end + scale.history)]
        if count <= scale.concealed and len(good) >= scale.window and good.any():
            # At 20 % loss a gap takes the place of the next one's context: that bounds the price.
            unbroken = min(len(good), start - self._gap_end) >= scale.context
            alone = unbroken and count <= scale.predicted
            known[start:end] = _bridge(recent, good, count, scale, alone=alone)
            return
        sound = _repeated(recent, _period(recent, scale)[0], scale)
        faded = sound * scale.fade
        known[start : start + played] = faded[:played]
        if count <= scale.concealed:
            overlap = good[: scale.overlap]
            weight = scale.enter[: len(overlap)]
            overlap[:] = _blend(faded[count : count + len(overlap)], overlap, weight)


class Silencer:
    """In place of a `Concealer`, for a source of which nothing gets lost: its gaps are pauses."""

    __slots__ = ("_rate", "silent_samples")

    concealed_s = 0.0

    def __init__(self, rate: int = RATE) -> None:
        self._rate = rate
        self.silent_samples = 0

    @property
    def silent_s(self) -> float:
        """Seconds that are silence."""
        return self.silent_samples / self._rate

    def conceal(self, raw: Samples, *, last: bool = False) -> Samples:  # noqa: ARG002 - as above
        """Return `raw` at once, with silence for `UNWRITTEN`."""
        missing = raw == UNWRITTEN
        self.silent_samples += int(missing.sum())
        return np.where(missing, np.int16(0), raw)

    def forget(self) -> None:
        """Do nothing: nothing is held back."""


def _bridge(recent: Floats, good: Samples, count: int, scale: Scale, *, alone: bool) -> Floats:
    """Return what goes from the `recent` sound over into the `good` one behind the gap.

    `alone`: it is short, and there is enough on both sides for a prediction.
    """
    coming = np.zeros(scale.history, dtype=np.float32)
    coming[: len(good)] = good
    (before, before_alike), (behind, behind_alike) = (
        _period(each, scale) for each in (recent, coming[::-1])
    )
    if alone and max(before_alike, behind_alike) < STEADY:
        sides = recent[-scale.context :], coming[: scale.context]
        joined = across(*sides, count, scale.order).astype(np.float32)
    else:
        forwards = _repeated(recent, before, scale)[:count]
        backwards = _repeated(coming[::-1], behind, scale)[:count]
        joined = _blend(forwards, backwards[::-1], _between_ends(count))
    return np.minimum(np.maximum(joined, -32767), 32767)


def _period(recent: Floats, scale: Scale) -> tuple[int, float]:
    """Return the lag, in samples, at which the last 20 ms are most like what was before.

    And how like, 1 being equal.
    """
    window = recent[-scale.window :]
    earlier = recent[len(recent) - scale.window - scale.longest : -scale.shortest]
    # Column i of the result belongs to the lag `longest` - i.
    likeness = np.correlate(earlier, window, "valid")
    power = np.convolve(earlier * earlier, np.ones(scale.window, dtype=np.float32), "valid")
    score = likeness / np.sqrt(np.maximum(power, 1.0))
    best = int(np.argmax(score))
    own = max(1.0, float(np.dot(window, window)))
    return scale.longest - best, float(score[best]) / own**0.5


def _repeated(recent: Floats, period: int, scale: Scale) -> Floats:
    """Return the last period over and over, for the longest gap and its overlap."""
    cycle = recent[-period:].copy()
    # The end of the cycle goes over into what was before its beginning, so that the
    # joints between repetitions are smooth.
    overlap = min(scale.overlap, period // 4)
    before = recent[len(recent) - period - overlap : len(recent) - period]
    cycle[-overlap:] = _blend(cycle[-overlap:], before, _end_to_end(overlap))
    repeats = -(-len(scale.fade) // period)
    return np.concatenate([cycle] * repeats)[: len(scale.fade)]


def _blend(leave: Floats, enter: Floats | Samples, weight: Floats) -> Floats:
    """Return `leave` going over into `enter`, which has the `weight`."""
    blended: Floats = leave * (1 - weight) + enter * weight
    return blended


@lru_cache(maxsize=64)
def _end_to_end(count: int) -> Floats:
    """Return weights from 0 to 1."""
    return np.linspace(0, 1, count, dtype=np.float32)
