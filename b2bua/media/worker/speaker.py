"""A party's outgoing stream while we are its source: announcements, tones, fresh digits.

SSRC, sequence numbers and timestamps go on where the last source left them, and the next
source goes on from ours. Several may speak at once (a digit into a tone): they share the
numbers, and the clock that makes timestamps of time.
"""

import random
from collections.abc import Callable, Mapping
from typing import Final

from recording.spec import OUR_VOICE
from rtp.fast_path import Sink
from rtp.header import HEADER
from rtp.io.leg import Leg
from rtp.outgoing import OutgoingStream
from rtp.statistics import NO_SSRC

CLOCK_RATE: Final = 8000
"Hz, of G.711, of G.722 and of the telephone events beside them."

WRAP: Final = 0xFFFFFFFF

Randbits = Callable[[int], int]

_unpredictable: Final = random.SystemRandom().getrandbits
"As of `secrets`, without the megabyte of OpenSSL that comes along with that."


class Speaker:
    """The one source of a leg's outgoing stream, from its first user to its last."""

    __slots__ = ("_base_ns", "_base_ts", "_leg", "_stream", "_taps", "clock_rate", "users")

    def __init__(
        self,
        leg: Leg,
        now_ns: int,
        taps: Mapping[int, Sink],
        clock_rate: int = CLOCK_RATE,
        randbits: Randbits = _unpredictable,
    ) -> None:
        """`taps`: by leg, who records what we say to it; `clock_rate`: Hz of the timestamps."""
        self._leg = leg
        self._taps = taps
        self.clock_rate = clock_rate
        self._stream: OutgoingStream = leg.speak()
        self.users = 0
        stream = self._stream
        if stream.ssrc == NO_SSRC:
            # Unpredictable, :rfc:`3550#section-5.1`.
            stream.ssrc, stream.sequence = randbits(32), randbits(16)
            self._base_ts = randbits(32)
        else:
            self._base_ts = stream.timestamp_at(now_ns, clock_rate)
        self._base_ns = now_ns

    def timestamp_at(self, now_ns: int) -> int:
        """Return the RTP timestamp of an instant (not yet wrapped)."""
        return self._base_ts + (now_ns - self._base_ns) * self.clock_rate // 1_000_000_000

    def say(
        self,
        payload: bytes,
        payload_type: int,
        timestamp: int,
        *,
        marker: bool,
        length_ts: int = 0,
    ) -> None:
        """Send one packet.

        `length_ts`: of a sound that may be recorded; 0 for keys, and for what is not to be kept.
        """
        leg, stream = self._leg, self._stream
        sequence = stream.sequence = stream.sequence + 1 & 0xFFFF
        word = marker << 7 | payload_type
        packet = HEADER.pack(0x80, word, sequence, timestamp & WRAP, stream.ssrc) + payload
        # The next source must go on behind the newest timestamp; an event's is an old one.
        samples = timestamp - self._base_ts
        sent_ns = self._base_ns + samples * 1_000_000_000 // self.clock_rate
        if sent_ns >= stream.sent_ns:
            stream.timestamp, stream.sent_ns = timestamp & WRAP, sent_ns
        tap = self._taps.get(leg.leg_id) if length_ts else None
        if tap is not None:
            # As a telephone's packet would: when its last sample has been spoken.
            spoken_ns = sent_ns + length_ts * 1_000_000_000 // self.clock_rate
            tap(packet, len(packet), leg.leg_id | OUR_VOICE, spoken_ns)
        send = leg.send
        try:
            send(memoryview(packet))
        except OSError:
            leg.relay.drops.unsent += 1
        else:
            stream.packets += 1
            stream.octets += len(payload)

    def end(self) -> None:
        """Give the stream back to a joined leg."""
        self._leg.fall_silent()


class Speakers:
    """The speakers of all legs that something is being said to."""

    def __init__(self) -> None:
        self._speakers: dict[int, Speaker] = {}
        self.taps: dict[int, Sink] = {}
        "By leg, who records what we say to it."

    def take(self, leg: Leg, now_ns: int, clock_rate: int = CLOCK_RATE) -> Speaker:
        """Return the leg's speaker for one more user; whoever came first has set its clock."""
        speaker = self._speakers.get(leg.leg_id)
        if speaker is None:
            speaker = self._speakers[leg.leg_id] = Speaker(leg, now_ns, self.taps, clock_rate)
        speaker.users += 1
        return speaker

    def leave(self, leg_id: int) -> None:
        """Say that one user has finished."""
        speaker = self._speakers[leg_id]
        speaker.users -= 1
        if speaker.users == 0:
            del self._speakers[leg_id]
            speaker.end()
