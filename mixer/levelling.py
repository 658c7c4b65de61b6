"""A quiet party and a loud one, brought to about the same level: slowly, and speech only.

A phone beside a speaker's mouth and a loudspeaker in a car differ by 20 dB and more. Each
party has a gain of its own, between `-MOST_DB` and `+MOST_DB`, that moves towards what
brings its *speech* to `TARGET_DB`. It moves only by frames that are speech, that is
louder than what the party sends in its pauses: a pause, a hold and the noise of a line
change nothing, so nothing swells up in them. Sample n of the input is sample n of the
output.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.jitter_buffer import RATE
from mixer.levels import levels_db, peak

TARGET_DB: Final = -22.0
"Of speech, in dBFS: a little above the nominal -26 of ITU-T P.830."

MOST_DB: Final = 12.0
"More than that is a fault to be mended, and lifts the noise of the line as well."

STEP_DB: Final = 0.04
"A frame of speech, at most: 2 dB for each second that somebody speaks."

ENOUGH_DB: Final = 1.0
"So near to the target the gain stays."

FRAME_MS: Final = 20

QUIETEST_DB: Final = -50.0
"What is below is no speech."

ABOVE_NOISE_DB: Final = 10.0

HASTE_MS: Final = 5
"For a shout the gain goes down within 5 ms, to where nothing is cut off."

SHARE: Final = 0.01
"Weight of a frame in the mean: that of the last two seconds of speech."

PAUSES: Final = 5
"So many chunks are remembered by the level of their pauses: nobody speaks 5 s without one."

Samples = NDArray[np.int16]


class Leveller:
    """One party's gain, from chunk to chunk (of less than a second)."""

    __slots__ = ("_noise_db", "_power", "_rate", "gain_db")

    def __init__(self, gain_db: float = 0.0, *, rate: int = RATE) -> None:
        """`rate`: Hz of the samples."""
        self._rate = rate
        self.gain_db = gain_db
        "At the end of what was given out."
        self._power = 10 ** ((TARGET_DB - gain_db) / 10)
        "Of the party's speech before the gain, in the mean; full scale is 1."
        self._noise_db: list[float] = []
        "Levels of the pauses in the last chunks."

    def level(self, pcm: Samples) -> Samples:
        """Return `pcm`, shape (n,), with the party's gain; the same array where that is 0 dB."""
        before = self.gain_db
        for speech_db in self._speech(pcm):
            self._power += SHARE * (10 ** (speech_db / 10) - self._power)
            missing_db = TARGET_DB - 10 * math.log10(self._power)
            wanted = min(max(missing_db, -MOST_DB), MOST_DB) - self.gain_db
            if abs(wanted) > ENOUGH_DB:
                self.gain_db += min(max(wanted, -STEP_DB), STEP_DB)
        if before == self.gain_db == 0.0 or not pcm.any():
            return pcm
        self.gain_db = min(self.gain_db, _room_db(pcm))
        return _amplified(pcm, before, self.gain_db, HASTE_MS * self._rate // 1000)

    def _speech(self, pcm: Samples) -> list[float]:
        """Return the levels of the frames that are speech; what no packet brought is none."""
        frame = FRAME_MS * self._rate // 1000
        heard = levels_db(pcm[: len(pcm) // frame * frame].reshape(-1, frame))
        heard = heard[heard > 2 * QUIETEST_DB]
        if not heard.size:
            return []
        self._noise_db = [*self._noise_db[1 - PAUSES :], float(np.percentile(heard, 10))]
        least = max(QUIETEST_DB, min(self._noise_db) + ABOVE_NOISE_DB)
        speech: list[float] = heard[heard > least].tolist()
        return speech


def _amplified(pcm: Samples, before_db: float, after_db: float, haste: int) -> Samples:
    """Return `pcm` with a gain that goes from the one to the other; limited."""
    gain = np.full(len(pcm), _factor(after_db), dtype=np.float32)
    ramp = min(haste if before_db > _room_db(pcm) else len(pcm), len(pcm))
    gain[:ramp] = np.linspace(_factor(before_db), _factor(after_db), ramp, dtype=np.float32)
    loud: Samples = np.clip(np.rint(pcm * gain), -32768, 32767).astype(np.int16)
    return loud


def _room_db(pcm: Samples) -> float:
    """Return how much `pcm` may be amplified before its peak is cut off."""
    return max(0.0, 20 * math.log10(32767 / max(peak(pcm), 1)))


def _factor(decibel: float) -> float:
    return float(10 ** (decibel / 20))
