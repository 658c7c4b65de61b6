"""Whom a media leg tells what happens to it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class LegObserver:
    """Whom a leg tells."""

    first_packet: Callable[[int, int], None]
    "The leg latched: leg id, time in ns."
    silent: Callable[[int, int], None]
    "The leg has been silent for the media timeout: leg id, for how many ns."
    heard_again: Callable[[int], None]
    "A silence that was told is over: leg id."
