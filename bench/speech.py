"""Known speech: deterministic, speech-like, and separable in a mono mix.

Harmonic bursts with a gliding pitch and three formants, two syllables long. In each second
the caller speaks from 0.05 to 0.45 s and the callee from 0.55 to 0.95 s: never both, so that
each second of each leg can be found again in the mix by correlation. Every leg speaks its
own order of utterances, so audio of another call doesn't pass for its own.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bench import alaw

RATE = 8000
"Samples a second."
SPEAKING_SAMPLES = 3200
"Length of the spoken part of each second."
SPEAKING_FROM = (400, 4400)
"First spoken sample of each second: caller, callee."
UTTERANCES = 128
"Different seconds of speech per side."
PEAK = 11000.0


def _syllable(rng: np.random.Generator, samples: int) -> NDArray[np.float64]:
    start, end = rng.uniform(95, 230), rng.uniform(0.8, 1.25)
    pitch = start * np.linspace(1.0, end, samples)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = (rng.uniform(300, 750), rng.uniform(900, 2100), rng.uniform(2300, 2900))
    widths = (90.0, 130.0, 180.0)
    weights = (1.0, 0.45, 0.2)
    sound = np.zeros(samples)
    for harmonic in range(1, int(3400 / pitch.max()) + 1):
        frequency = harmonic * start
        gain = sum(
            weight / (1 + ((frequency - formant) / width) ** 2)
            for formant, width, weight in zip(formants, widths, weights, strict=True)
        )
        sound += gain * np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi))
    return sound * np.hanning(samples) ** 0.5


def _utterance(side: int, number: int) -> NDArray[np.int16]:
    rng = np.random.default_rng((20, side, number))
    cut = int(rng.integers(1200, 2000))
    spoken = np.concatenate([_syllable(rng, cut), _syllable(rng, SPEAKING_SAMPLES - cut)])
    second = np.zeros(RATE)
    second[SPEAKING_FROM[side] :][:SPEAKING_SAMPLES] = spoken * (PEAK / np.abs(spoken).max())
    return second.astype(np.int16)


@cache
def utterances(side: int) -> NDArray[np.uint8]:
    """All seconds of a side as A-law, shape (UTTERANCES, RATE)."""
    return alaw.encode(np.stack([_utterance(side, number) for number in range(UTTERANCES)]))


def order(leg: int, seconds: int) -> NDArray[np.intp]:
    """Which utterance a leg speaks in each of its seconds."""
    rng = np.random.default_rng((21, leg))
    return rng.integers(0, UTTERANCES, seconds)
