"""Two clocks: that of a phone, which counts its timestamps, and ours, which is the axis.

A phone's clock is off by up to 200 ppm (0.7 s an hour); soft phones are worse (1 % was
seen). Its stream is placed by timestamps, so it slowly leaves the instant at which it
arrived. The measure is the *least* delay of a chunk's packets, because the network can
only add to it; what is put right is what lasted for three measures, two seconds. Corrections
are few milliseconds long, at the place of the chunk where the cut is heard least: the jump that
changes the waveform least is one inside a pause, or by whole periods inside a sound.

Delays and corrections are in samples; positive means that the stream is behind the axis
and that samples have to be inserted.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.jitter_buffer import RATE

DEAD_BAND: Final = 5 * RATE // 1000
"Below this nothing is done: it is jitter, and it keeps a recording bit-identical."

URGENT: Final = 10 * RATE // 1000
"From here on a cut that can be heard is better than parties who drift apart."

STEEP: Final = 2 * RATE // 1000
"A measure: 2,800 ppm. No crystal is that bad, but programs that sleep between packets are."

STEADY: Final = 4 * RATE // 1000
"How much two slopes of one clock may differ, by jitter."

LARGEST_STEP: Final = 25 * RATE // 1000
SMALLEST_STEP: Final = 16

OVERLAP: Final = 8 * RATE // 1000
GRID: Final = 10 * RATE // 1000
"Places to cut are looked for this far apart."

INAUDIBLE: Final = 30.0
"Root mean square of the difference, about -60 dBFS: below the noise of the line."

SIMILAR: Final = 0.15
"The same, relative to the sound around."

Samples = NDArray[np.int16]


class DriftFilter:
    """One leg's delay, from measure to measure."""

    __slots__ = ("_delays", "corrected_samples")

    def __init__(self) -> None:
        self._delays: list[int] = []
        "The last three measures, newest last, less what was corrected since."
        self.corrected_samples = 0
        "Inserted and removed ones together."

    def measure(self, delay: int | None) -> int:
        """Take the least delay of the last chunk; return what is to be inserted (or removed).

        None (no packet came) begins anew: after a silence the network may be another.
        """
        if delay is None:
            self._delays.clear()
            return 0
        self._delays = [*self._delays[-2:], delay]
        if len(self._delays) < 2:
            return 0
        wanted = self._lasting()
        return wanted if abs(wanted) > DEAD_BAND else 0

    def _lasting(self) -> int:
        *oldest, older, last = self._delays
        slope = last - older
        if oldest and abs(slope) > STEEP and abs(slope - (older - oldest[0])) < STEADY:
            # A clock that is far off: by the end of the chunk it is that much further.
            return last + slope
        # An early packet is beyond doubt, a late one is not: the least of three.
        return min(self._delays) if oldest else min(last, older, 0)

    def corrected(self, samples: int) -> None:
        """Note that the stream was moved by `samples`."""
        self._delays = [delay - samples for delay in self._delays]
        self.corrected_samples += abs(samples)


def correct(pcm: Samples, wanted: int, *, per_place: int = 1) -> tuple[Samples, int]:
    """Return `pcm` with about `wanted` places inserted (negative: removed), and how many.

    At most `LARGEST_STEP`, and none at all (the same array) where every cut would be heard
    and there is no hurry. `per_place`: samples of `pcm` that belong to a place of 8 kHz.
    """
    if not wanted or len(pcm) < 4 * LARGEST_STEP * per_place:
        return pcm, 0
    largest = min(abs(wanted) * 3 // 2, LARGEST_STEP)
    steps = np.arange(max(SMALLEST_STEP, min(abs(wanted), largest) * 2 // 3), largest + 1)
    overlap = OVERLAP * per_place
    place, step, difference = _best_cut(
        pcm.astype(np.float32), steps * per_place, overlap, GRID * per_place
    )
    around = pcm[place : place + overlap].astype(np.float32)
    loudness = float(np.sqrt(np.mean(around * around)))
    if difference > max(INAUDIBLE, SIMILAR * loudness) and abs(wanted) < URGENT:
        return pcm, 0
    if wanted > 0:
        return _join(pcm, place + step, place, overlap), step // per_place
    return _join(pcm, place, place + step, overlap), -step // per_place


def _best_cut(
    pcm: NDArray[np.float32], steps: NDArray[np.int64], overlap: int, grid: int
) -> tuple[int, int, float]:
    """Return the place and the step where pcm[place:] is most like pcm[place + step:].

    Both over `overlap` samples, with the root mean square of their difference.
    """
    places = np.arange(0, len(pcm) - overlap - int(steps[-1]), grid)
    windows = np.lib.stride_tricks.sliding_window_view(pcm, overlap)
    power = np.einsum("ij,ij->i", windows, windows)
    here = windows[places]
    best = (0, 0, float("inf"))
    for step in steps.tolist():
        there = windows[places + step]
        likeness = np.einsum("ij,ij->i", here, there)
        difference = power[places] + power[places + step] - 2 * likeness
        index = int(np.argmin(difference))
        if difference[index] < best[2]:
            best = (int(places[index]), step, float(difference[index]))
    place, step, difference_power = best
    return place, step, float(np.sqrt(max(difference_power, 0.0) / overlap))


def _join(pcm: Samples, leave: int, enter: int, overlap: int) -> Samples:
    """Return pcm up to `leave`, crossfaded over `overlap` into what begins at `enter`."""
    weight = np.linspace(0, 1, overlap, dtype=np.float32)
    mixed = pcm[leave : leave + overlap] * (1 - weight) + pcm[enter : enter + overlap] * weight
    return np.concatenate((pcm[:leave], np.rint(mixed).astype(np.int16), pcm[enter + overlap :]))
