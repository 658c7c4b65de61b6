"""Sounds as a stream of payloads, paced by a clock that the caller holds.

A player knows neither sockets nor sequence numbers: it says which payloads are due and how
far each lies from the beginning, in timestamp units. One timer can pace many of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ivr.sound import SAMPLES_PER_MS

MAX_BURST_MS: Final = 100
"""What a caller that came late may catch up with. After a longer stall the sound goes on
where it was, later, and the timestamps tell the hole.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what is played, in one law."""

    octets: bytes
    loop: bool = False
    "For ever: what comes after it is never heard."


class Frame(NamedTuple):
    """A payload whose time has come."""

    payload: bytes
    offset_ts: int
    "Distance of its timestamp from that of the first frame."


class Player:
    """One run through some parts. Times are monotonic seconds."""

    __slots__ = (
        "_due",
        "_filler",
        "_frame_s",
        "_number",
        "_octets",
        "_offset_ts",
        "_parts",
        "_played",
        "_position",
        "_size",
        "finished",
    )

    def __init__(
        self, parts: Sequence[Part], *, start_at: float, filler: int, ptime_ms: int = 20
    ) -> None:
        """`filler`: the octet of silence that makes the last packet a whole one."""
        self._parts = [part for part in parts if part.octets]
        self._size = ptime_ms * SAMPLES_PER_MS
        self._frame_s = ptime_ms / 1000
        self._filler = bytes([filler])
        self._due = start_at
        self._number = 0
        self._octets = self._parts[0].octets if self._parts else b""
        self._position = 0
        self._offset_ts = 0
        self._played = 0
        self.finished = not self._parts
        "All has been handed out."

    @property
    def played_ms(self) -> int:
        """How much has been handed out, in whole ms, filling not counted."""
        return self._played // SAMPLES_PER_MS

    def next_due(self) -> float | None:
        """Return when the next frame is due; None when all is played."""
        return None if self.finished else self._due

    @property
    def over_at(self) -> float:
        """When all that was handed out has been heard; after `finished`, the end."""
        return self._due

    def due(self, now: float) -> list[Frame]:
        """Return the frames whose time has come."""
        frames: list[Frame] = []
        late_s = now - self._due
        if late_s < 0:
            return frames
        if late_s > MAX_BURST_MS / 1000 and not self.finished:
            self._skip(late_s)
        while self._due <= now and not self.finished:
            frames.append(Frame(self._next_payload(), self._offset_ts))
            self._offset_ts += self._size
            self._due += self._frame_s
        return frames

    def _skip(self, late_s: float) -> None:
        """Move the schedule, by whole frames, to where the caller is."""
        frames = int(late_s / self._frame_s)
        if self._offset_ts:
            self._offset_ts += frames * self._size
        self._due += frames * self._frame_s

    def _next_payload(self) -> bytes:
        start, end = self._position, self._position + self._size
        if end < len(self._octets):
            self._position = end
            self._played += self._size
            return self._octets[start:end]
        payload = self._across_parts()
        self._played += len(payload)
        return payload + self._filler * (self._size - len(payload))

    def _across_parts(self) -> bytes:
        """Collect a frame that reaches the end of a part, or beyond."""
        payload = b""
        while not self.finished:
            piece = self._octets[self._position :][: self._size - len(payload)]
            payload += piece
            self._position += len(piece)
            if self._position < len(self._octets):
                break
            self._next_part()
            if len(payload) == self._size:
                break
        return payload

    def _next_part(self) -> None:
        self._position = 0
        if self._parts[self._number].loop:
            return
        self._number += 1
        if self._number < len(self._parts):
            self._octets = self._parts[self._number].octets
        else:
            self.finished = True
