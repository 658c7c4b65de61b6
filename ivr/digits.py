"""Digits as telephone events, received and sent (:rfc:`4733#section-2`), without I/O.

The receiver belongs to one leg. It is given only packets that the leg's latch has let
through; that its SSRC is the leg's is the caller's business as well. A digit counts from
its first packet, which makes the rest cheap to lose: three end packets are one end, and a
lost end is noticed by the next digit or by the silence.

Durations of the peer are not trusted and volumes not read. The marker bit is not needed:
a new timestamp is a new event.
"""

import struct
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from rtp.header import timestamp_distance

KEYS: Final = "0123456789*#ABCD"
"By event code, :rfc:`4733#section-3.2`."

EVENT: Final = struct.Struct("!BBH")
"Event code; E, R and volume; duration in timestamp units."

END: Final = 0x80
LONGEST_SEGMENT_TS: Final = 0xFFFF
"A longer event goes on in a segment with a timestamp of its own (section 2.5.1.3)."

LATE_TS: Final = 2 * LONGEST_SEGMENT_TS
"A segment that began up to 16 s (at 8 kHz) before the newest one is a late packet."

SILENT_S: Final = 0.2
"An event of which nothing is heard for so long has ended: senders repeat every 50 ms or less."

MAX_QUEUE: Final = 64
"Digits that wait for their turn to be sent; more are dropped and counted."


@dataclass(frozen=True, slots=True, kw_only=True)
class Digit:
    """A key, told once when it goes down and once when it has gone up."""

    key: str
    ssrc: int
    timestamp: int
    "Of the event, that is of its first segment."
    started_at: float
    "Arrival of the first packet, monotonic seconds."
    ended: bool


class DigitReceiver:
    """What one leg's telephone events mean."""

    __slots__ = ("_current", "_heard_at", "_segment_ts", "_types", "malformed")

    def __init__(self, payload_types: Collection[int]) -> None:
        """Only packets of these negotiated payload types count."""
        self._types = frozenset(payload_types)
        self._current: Digit | None = None
        self._segment_ts = 0
        self._heard_at = 0.0
        self.malformed = 0
        "Payloads too short to be an event."

    def with_types(self, payload_types: Collection[int]) -> "DigitReceiver":
        """Return a receiver for other payload types that knows what this one has heard."""
        other = DigitReceiver(payload_types)
        other._current, other._segment_ts = self._current, self._segment_ts
        other._heard_at, other.malformed = self._heard_at, self.malformed
        return other

    def receive(
        self, payload: bytes, *, payload_type: int, ssrc: int, timestamp: int, now: float
    ) -> tuple[Digit, ...]:
        """Take a packet; return which digits begin or end with it."""
        if payload_type not in self._types:
            return ()
        if len(payload) < EVENT.size:
            self.malformed += 1
            return ()
        code, flags, _ = EVENT.unpack_from(payload)
        if code >= len(KEYS):
            return ()  # flash and other signals
        key, end = KEYS[code], bool(flags & END)
        current = self._current
        if current is not None and current.ssrc == ssrc:
            ahead = timestamp_distance(self._segment_ts, timestamp)
            goes_on = ahead == LONGEST_SEGMENT_TS and not current.ended
            if key == current.key and (ahead == 0 or goes_on):
                self._segment_ts = timestamp
                return self._go_on(current, now, end=end)
            if -LATE_TS < ahead <= 0:
                return ()  # a late packet, or another key at the same time: no such event
        return self._begin(key, ssrc, timestamp, now, end=end)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due, if at all."""
        if self._current is None or self._current.ended:
            return None
        return self._heard_at + SILENT_S

    def handle_timeout(self, now: float) -> tuple[Digit, ...]:
        """Return the digit whose end was lost."""
        due = self.next_timeout()
        return self._end() if due is not None and now >= due else ()

    def _begin(
        self, key: str, ssrc: int, timestamp: int, now: float, *, end: bool
    ) -> tuple[Digit, ...]:
        ended_before = self._end()
        digit = Digit(key=key, ssrc=ssrc, timestamp=timestamp, started_at=now, ended=False)
        self._current = digit
        self._segment_ts = timestamp
        self._heard_at = now
        return (*ended_before, digit, *(self._end() if end else ()))

    def _go_on(self, current: Digit, now: float, *, end: bool) -> tuple[Digit, ...]:
        if current.ended:
            return ()
        self._heard_at = now
        return self._end() if end else ()

    def _end(self) -> tuple[Digit, ...]:
        current = self._current
        if current is None or current.ended:
            return ()
        self._current = replace(current, ended=True)
        return (self._current,)


@dataclass(frozen=True, slots=True)
class EventPacket:
    """A packet to send."""

    payload: bytes
    marker: bool
    offset_ts: int
    "Timestamp of the event, counted from the beginning of the sender's run."


class DigitSender:
    """Sends queued digits one after the other, as fresh events.

    A run begins with `queue` on an idle sender and ends when the pause after the last
    digit is over; `busy` tells. Offsets of packets count from the beginning of the run.
    """

    __slots__ = ("_began", "_gap_ms", "_interval_ms", "_plan", "_queue", "_tone_ms", "dropped")

    def __init__(self, *, tone_ms: int = 100, gap_ms: int = 50, interval_ms: int = 20) -> None:
        """`interval_ms`: between two packets of one digit; the tone lasts a multiple of it."""
        self._tone_ms = tone_ms
        self._gap_ms = gap_ms
        self._interval_ms = interval_ms
        self._queue: deque[str] = deque()
        self._plan: deque[tuple[float, EventPacket | None]] = deque()
        self._began = 0.0
        self.dropped = 0
        "Digits that found the queue full, or were none."

    @property
    def busy(self) -> bool:
        """Whether digits are being sent, or the pause after them is not over."""
        return bool(self._plan or self._queue)

    def queue(self, keys: str, now: float) -> None:
        """Send `keys` after those that are being sent."""
        if not self.busy:
            self._began = now
        for key in keys:
            if key not in KEYS or len(self._queue) >= MAX_QUEUE:
                self.dropped += 1
            else:
                self._queue.append(key)
        if not self._plan and self._queue:
            self._next_digit(now)

    def next_due(self) -> float | None:
        """Return when `due` is to be called next."""
        return self._plan[0][0] if self._plan else None

    def due(self, now: float) -> list[EventPacket]:
        """Return the packets whose time has come."""
        packets = []
        while self._plan and self._plan[0][0] <= now:
            at, packet = self._plan.popleft()
            if packet is not None:
                packets.append(packet)
            elif self._queue:
                # However late the caller is, the pause before the next digit is kept.
                self._next_digit(max(at, now - self._interval_ms / 1000))
        return packets

    def _next_digit(self, start: float) -> None:
        """Plan the packets of the next digit, and the end of the pause after it."""
        code = KEYS.index(self._queue.popleft())
        offset_ts = round((start - self._began) * 8000)
        interval_s, steps = self._interval_ms / 1000, self._tone_ms // self._interval_ms
        for number in range(steps + 2):  # the last three are the same
            step = min(number + 1, steps)
            flags = (END if step == steps else 0) | VOLUME
            payload = EVENT.pack(code, flags, step * self._interval_ms * 8)
            packet = EventPacket(payload, number == 0, offset_ts)
            self._plan.append((start + number * interval_s, packet))
        pause_ends = start + (self._tone_ms + self._gap_ms) / 1000
        self._plan.append((max(pause_ends, self._plan[-1][0]), None))


VOLUME: Final = 10
"Sent as -10 dBm0 (section 2.3.5)."
