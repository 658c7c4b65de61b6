"""From the parties' samples to what the file holds."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


def saturating_sum(parts: Sequence[Samples], length: int) -> Samples:
    """Return the sum of `parts`, each of shape (length,), limited instead of wrapped.

    Every part has gain 1.0. No part at all is silence.
    """
    if not parts:
        return np.zeros(length, dtype=np.int16)
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        one, other = parts
        wrapped: Samples = one + other
        # A sum has wrapped where its sign is neither's; that is rare, and looking is cheap.
        if not length or np.minimum.reduce((one ^ wrapped) & (other ^ wrapped)) >= 0:
            return wrapped
    total = np.add(parts[0], parts[1], dtype=np.int32)
    for part in parts[2:]:
        total += part
    return np.clip(total, -32768, 32767, out=total).astype(np.int16)


def stereo(left: Sequence[Samples], right: Sequence[Samples], length: int) -> Samples:
    """Return shape (length, 2): the caller's side left, the callee's right."""
    both = np.empty((length, 2), dtype=np.int16)
    both[:, 0] = saturating_sum(left, length)
    both[:, 1] = saturating_sum(right, length)
    return both


def silence(
    pcm: Samples, start: int, ranges: Iterable[tuple[int, int]], *, per_place: int = 1
) -> Samples:
    """Return `pcm`, whose first sample has the place `start`, silent in the places `ranges`.

    `per_place`: samples of `pcm` that belong to a place.
    """
    silent = pcm
    end = start + len(pcm) // per_place
    for first, last in ranges:
        if first < end and last > start:
            if silent is pcm:
                silent = pcm.copy()
            silent[max(first - start, 0) * per_place : (min(last, end) - start) * per_place] = 0
    return silent
