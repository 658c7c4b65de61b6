"""Recognise known sounds in what was heard or recorded, by normalised cross-correlation.

A sound is cut into pieces that are looked for one by one and have to stand in their order,
because on its way some samples are left out or put in: by a telephone's jitter buffer, by the
recorder where a telephone's clock is slow (pyVoIP's is, by 1 %).

Samples are `NDArray[int16]`, shape (n_samples,), 8 kHz; places are seconds since sample 0.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
Curve = NDArray[np.float64]

RATE: Final = 8000
"Hz."

PIECE_S: Final = 0.4
"Long enough to be like nothing else, short enough to hold no more than one cut."

SLACK_S: Final = 0.06
"How far a piece may lie from where the others say that it is."

BLOCK: Final = 16384
STEP: Final = BLOCK - 2 * round(PIECE_S * RATE)
"No piece is longer than what two blocks have in common."

QUIET: Final = 0.1
"A piece with less than this part of the loudest one's amplitude is a pause, and proves nothing."

ALIKE: Final = 0.7
"""Measured: what is there has 0.89 and more. What is not has 0.36 and less as a whole, and the
part of it that fits best 0.47 and less."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a sound fits best, whether it is there or not."""

    start: float
    "In seconds; negative where its beginning is cut off."
    likeness: float
    "0 to 1: the mean over the pieces, by their energy."

    @property
    def found(self) -> bool:
        """Tell whether the sound is there."""
        return self.likeness >= ALIKE


def best_match(pcm: Pcm, sound: Pcm) -> Match:
    """Return where in `pcm` the sound fits best, and how well."""
    return _Search(pcm, sound).best()


def best_part(pcm: Pcm, sound: Pcm) -> Match:
    """Return where any part of the sound, two pieces long, fits best: for what must not be there.

    The place is that where the whole sound would begin.
    """
    search = _Search(pcm, sound)
    count = len(search.pieces)
    parts = [search.best(slice(first, first + 2)) for first in range(max(count - 1, 1))]
    return max(parts, key=lambda match: match.likeness)


def find_sound(pcm: Pcm, sound: Pcm) -> float | None:
    """Return where in `pcm` the sound begins (s), or None where it is not."""
    match = best_match(pcm, sound)
    return match.start if match.found else None


def _loud_pieces(sound: Pcm) -> list[tuple[int, Curve]]:
    """Return the pieces that are no pauses: where each begins, and its samples without mean."""
    size = round(PIECE_S * RATE)
    edges = [*range(0, max(sound.size - size // 2, 1), size), sound.size]
    pieces = []
    for first, after in pairwise(edges):
        piece = sound[first:after].astype(np.float64)
        pieces.append((first, piece - piece.mean()))
    loudest = max(float(np.sqrt(np.mean(piece**2))) for _, piece in pieces)
    if not loudest:
        raise ValueError("silence can't be found")
    return [
        (first, piece)
        for first, piece in pieces
        if float(np.sqrt(np.mean(piece**2))) >= QUIET * loudest
    ]


class _Search:
    """The curve of every piece of a sound, all over the samples."""

    def __init__(self, pcm: Pcm, sound: Pcm) -> None:
        self.pieces = _loud_pieces(sound)
        self._slack = round(SLACK_S * RATE)
        # A sound may hang over either edge: its pieces there meet silence.
        self._beyond = sound.size + self._slack
        edge = np.zeros(self._beyond)
        surroundings = _Surroundings(np.concatenate((edge, pcm, edge)))
        self._length = pcm.size + sound.size
        self._curves = [surroundings.likeness(piece) for _, piece in self.pieces]
        self._energies = [float(np.sum(piece**2)) for _, piece in self.pieces]
        self._scores = [
            _widened(curve, 2 * self._slack + 1)[place : place + self._length] * energy
            for (place, _), curve, energy in zip(
                self.pieces, self._curves, self._energies, strict=True
            )
        ]

    def best(self, which: slice = slice(None)) -> Match:
        """Return where these pieces fit best together."""
        score = np.sum(self._scores[which], axis=0) / sum(self._energies[which])
        best = int(score.argmax())
        # The slack makes a plateau of the best place: where on it, says the piece that fits best.
        windows = [
            curve[place + best : place + best + 2 * self._slack + 1]
            for (place, _), curve in zip(self.pieces[which], self._curves[which], strict=True)
        ]
        clearest = max(windows, key=lambda window: float(window.max()))
        start = best + int(clearest.argmax()) - self._beyond
        return Match(start / RATE, float(score[best]))


class _Surroundings:
    """The samples in which pieces are looked for, transformed once, block by block.

    Blocks that fit into a processor's cache take a third of the time of one long transform.
    """

    def __init__(self, samples: Curve) -> None:
        self._length = samples.size
        count = -(-samples.size // STEP)
        padded = np.concatenate((samples, np.zeros(count * STEP + BLOCK - samples.size)))
        blocks = np.lib.stride_tricks.sliding_window_view(padded, BLOCK)[: count * STEP : STEP]
        self._spectra = np.fft.rfft(blocks)
        self._sums = np.concatenate(([0.0], np.cumsum(samples)))
        self._squares = np.concatenate(([0.0], np.cumsum(samples**2)))
        self._norms: dict[int, Curve] = {}

    def likeness(self, piece: Curve) -> Curve:
        """Return the correlation coefficient of the piece with every place of the samples."""
        length = piece.size
        spectra = self._spectra * np.conj(np.fft.rfft(piece, BLOCK))
        products = np.fft.irfft(spectra)[:, :STEP].ravel()[: self._length - length + 1]
        if length not in self._norms:
            # All pieces but the last have the same length.
            self._norms[length] = self._norm(length)
        likeness = products / (self._norms[length] * float(np.sqrt(np.sum(piece**2))))
        return np.asarray(likeness, dtype=np.float64)

    def _norm(self, length: int) -> Curve:
        """Return the magnitude of each `length` neighbouring samples, without their mean."""
        mean = (self._sums[length:] - self._sums[:-length]) / length
        energy = self._squares[length:] - self._squares[:-length] - length * mean**2
        # Where there is next to nothing, rounding would look like anything.
        return np.asarray(np.sqrt(np.maximum(energy, float(length))), dtype=np.float64)


def _widened(curve: Curve, width: int) -> Curve:
    """Return the greatest value within each `width` neighbouring ones."""
    reach = 1
    while reach < width:
        step = min(reach, width - reach)
        curve = np.maximum(curve[:-step], curve[step:])
        reach += step
    return curve
