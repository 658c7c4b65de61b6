"""Keys as tones in the sound, made (ITU-T Q.23): for parties who know no telephone events."""

import math
import sys
from functools import lru_cache
from typing import Final

from codec.linear import TABLES, Law
from ivr.digits import KEYS, MAX_QUEUE, EventPacket
from ivr.sound import SAMPLE_RATE, SAMPLES_PER_MS
from ivr.tone_keys import HIGH_HZ, LOW_HZ, PAD
from ivr.tones import FULL_SCALE_DBM0

TONE_MS: Final = 100
PAUSE_MS: Final = 80
"Of silence behind each key: whoever hears it has filters of its own."

RAMP_MS: Final = 2

PACKET_MS: Final = 20

LEVELS_DBM0: Final = (-9.0, -7.0)
"Low and high: the high one loses more on its way."


class ToneSender:
    """Sends queued keys one after the other; for `ivr.digits.DigitSender` where tones are wanted.

    A run begins with `queue` on an idle sender. Offsets of packets count from its beginning.
    """

    __slots__ = ("_began", "_law", "_octets", "_sent")

    def __init__(self, law: Law) -> None:
        self._law: Law = law
        self._octets = b""
        "Still to be sent."
        self._sent = 0
        "Samples since the run began."
        self._began = 0.0

    @property
    def busy(self) -> bool:
        """Whether keys are being sent, or the pause after them is."""
        return bool(self._octets)

    def queue(self, keys: str, now: float) -> None:
        """Send `keys` after those that are being sent; what would be too many is dropped."""
        if not self.busy:
            self._began, self._sent = now, 0
        longest = MAX_QUEUE * (TONE_MS + PAUSE_MS) * SAMPLES_PER_MS
        for key in keys:
            if key in KEYS and len(self._octets) < longest:
                self._octets += tone_of(key, self._law)

    def due(self, now: float) -> list[EventPacket]:
        """Return the packets whose time has come."""
        packets = []
        size = PACKET_MS * SAMPLES_PER_MS
        while self._octets and self._began + self._sent / SAMPLE_RATE <= now:
            packets.append(EventPacket(self._octets[:size], self._sent == 0, self._sent))
            self._octets = self._octets[size:]
            self._sent += size
        return packets


@lru_cache(maxsize=2 * len(KEYS))
def tone_of(key: str, law: Law) -> bytes:
    """Return the octets of a pressed key, the pause behind it included."""
    row = next(row for row in range(len(PAD)) if key in PAD[row])
    pair = (LOW_HZ[row], HIGH_HZ[PAD[row].index(key)])
    peaks = [32767 * 10 ** ((dbm0 - FULL_SCALE_DBM0) / 20) for dbm0 in LEVELS_DBM0]
    length, pause, ramp = (ms * SAMPLES_PER_MS for ms in (TONE_MS, PAUSE_MS, RAMP_MS))
    pcm = bytearray()
    for n in range(length):
        level = min(1.0, (n + 1) / ramp, (length - n) / ramp)
        sample = sum(
            peak * math.sin(2 * math.pi * frequency * n / SAMPLE_RATE)
            for peak, frequency in zip(peaks, pair, strict=True)
        )
        pcm += round(level * sample).to_bytes(2, sys.byteorder, signed=True)
    return TABLES[law].encode(bytes(pcm + bytes(2 * pause)))
