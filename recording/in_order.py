"""Packets of a party whose codec has a memory, until they are decoded in the order of their place.

Such a codec (G.722, Opus) needs every packet once, in the order of speech, while packets come as
the network likes. A recording knows the order when it mixes a second: what comes later than that is
lost for every codec. So a packet is placed at once, by the same arithmetic as all others
(`mixer/jitter_buffer.py`), but its octets wait here; right before the samples up to a place
are taken, everything that begins before it is decoded and written. Reordering and duplicates hence
change no sample, and loss is concealed like that of other codecs: a gap in the buffer stays a gap.

Bounded: what is too early for the buffer is refused, and beyond `MAX_PACKETS` everything.
A recorder that was killed loses nothing but the decoder's memory, because the ring still has all
packets that are not in the file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from codec import g722, opus
from mixer.jitter_buffer import CAPACITY, RATE, Integers, JitterBuffer
from recording.codecs import G722, OPUS

MAX_PACKETS: Final = 1024
"A chunk, the hold-back and the earliest possible packet are 1.8 s: 720 packets of 2.5 ms."


class Decoder(Protocol):
    """One stream of a codec with a memory."""

    def decode(self, payload: bytes) -> NDArray[np.int16]:
        """Return the samples of the packet that follows, never `UNWRITTEN`.

        None of a packet that is broken.
        """


DECODERS: Final[dict[int, Callable[[int], Decoder]]] = {
    G722: g722.G722Decoder,
    OPUS: opus.OpusDecoder,
}
"By codec; made for a rate in Hz, 8,000 or 16,000."


@dataclass(frozen=True, slots=True)
class Waiting:
    """A packet whose place is known."""

    codec: int
    ssrc: int
    payload: bytes


class InOrder:
    """One row of the buffer."""

    def __init__(self, buffer: JitterBuffer, row: int) -> None:
        self._buffer = buffer
        self._rows = np.array([row])
        self._between: Integers | None = None
        "The row that takes every other sample of 16 kHz."
        self._end: int | None = None
        "Everything before this place has been decoded."
        self._packets: dict[int, Waiting] = {}
        "By the place of the first sample."
        self._stream: tuple[int, int] | None = None
        "Codec and SSRC of `_decoder`."
        self._decoder: Decoder | None = None
        self._clock: tuple[int, int] | None = None
        "SSRC and unwrapped timestamp of the last packet, where the clock is not the buffer's."

    def measure(self, timestamp: int, packet: Waiting) -> tuple[int, int]:
        """Return a packet's timestamp and length by the clock of the buffer (8 kHz, 32 bits).

        Asked again for the same packet, it says the same.
        """
        if packet.codec != OPUS:
            return timestamp, len(packet.payload)
        newest = timestamp
        if self._clock is not None and self._clock[0] == packet.ssrc:
            newest = _unwrapped(timestamp, self._clock[1])
        self._clock = packet.ssrc, newest
        return newest // opus.TICKS_PER_SAMPLE & 0xFFFFFFFF, opus.samples_of(packet.payload)

    def measure_key(self, ssrc: int, timestamp: int) -> int | None:
        """Return the timestamp of a telephone event beside Opus by the clock of the buffer.

        None where there was no Opus of this stream: it is on no clock that is known.
        """
        if self._clock is None or self._clock[0] != ssrc:
            return None
        return _unwrapped(timestamp, self._clock[1]) // opus.TICKS_PER_SAMPLE & 0xFFFFFFFF

    def put(self, place: int, packet: Waiting) -> None:
        """Keep a packet until its time comes; one that is late or a duplicate has none."""
        if self._end is not None and place < self._end:
            self._buffer.late_packets += 1
        elif place >= self._limit or len(self._packets) >= MAX_PACKETS:
            self._buffer.early_packets += 1
        else:
            self._packets.setdefault(place, packet)

    def decode_before(self, end: int) -> None:
        """Decode what begins before the place `end`, into the buffer."""
        if self._packets:
            for place, parts in self._stretches_before(end):
                self._write(place, np.concatenate(parts))
        self._end = end

    def _stretches_before(self, end: int) -> Iterator[tuple[int, list[NDArray[np.int16]]]]:
        """Yield what is decoded, packets that follow one another without a gap together."""
        per_place = 1 if self._between is None else 2
        parts: list[NDArray[np.int16]] = []
        first = behind = 0
        for place in sorted(place for place in self._packets if place < end):
            packet = self._packets.pop(place)
            pcm = self._decoder_of(packet).decode(packet.payload)
            if parts and place != behind:
                yield first, parts
                parts = []
            if len(pcm):
                first = first if parts else place
                parts.append(pcm)
                behind = place + len(pcm) // per_place
        if parts:
            yield first, parts

    def _write(self, place: int, samples: NDArray[np.int16]) -> None:
        starts, pcm = np.array([place]), samples[np.newaxis]
        if self._between is None:
            self._buffer.write(self._rows, starts, pcm)
        else:
            self._buffer.write(self._rows, starts, pcm[:, ::2])
            self._buffer.write(self._between, starts, pcm[:, 1::2])

    def decode_wide(self, between: int) -> None:
        """Decode to 16 kHz from now on, every other sample into the row `between`."""
        self._between = np.array([between])
        self._decoder = None

    def move(self, samples: int) -> None:
        """Let everything lie `samples` later, as `JitterBuffer.move` does."""
        if self._end is not None:
            self._end += samples
        self._packets = {place + samples: each for place, each in self._packets.items()}

    def clear(self) -> None:
        """Forget the packets."""
        self._packets.clear()

    @property
    def _limit(self) -> int:
        return self._buffer.next_place(int(self._rows[0])) + CAPACITY

    def _decoder_of(self, packet: Waiting) -> Decoder:
        stream = (packet.codec, packet.ssrc)
        if self._decoder is None or stream != self._stream:
            rate = RATE if self._between is None else 2 * RATE
            self._decoder, self._stream = DECODERS[packet.codec](rate), stream
        return self._decoder


def _unwrapped(timestamp: int, newest: int) -> int:
    """Return the value nearest to `newest` with these low 32 bits.

    Those of 48 kHz wrap after a day, from any start.
    """
    return newest + (timestamp - newest + 0x80000000 & 0xFFFFFFFF) - 0x80000000
