"""One party in a recording: its row in the jitter buffer and what becomes of its samples."""

import numpy as np
from numpy.typing import NDArray

from mixer.drift import DriftFilter, correct
from mixer.gaps import Concealer
from mixer.jitter_buffer import RATE, JitterBuffer
from mixer.levelling import Leveller
from mixer.mix import silence
from recording.codecs import KEY, NOT_AUDIO, codec_of
from recording.in_order import InOrder
from recording.permit import RecordingPermit, encode
from recording.spec import StreamFormat

Samples = NDArray[np.int16]


def codec_table(
    formats: tuple[StreamFormat, ...], *, blank_dtmf: bool = False
) -> NDArray[np.uint8]:
    """Return the codec of each payload type, shape (128,)."""
    table = np.zeros(128, dtype=np.uint8)
    for each in formats:
        codec = codec_of(each)
        if blank_dtmf and codec == NOT_AUDIO and each.encoding.upper() != "CN":
            # Events on another clock than the audio's (RFC 4733 section 2.1) can't be placed.
            codec = KEY if each.clock_rate == RATE else NOT_AUDIO
        table[each.payload_type & 0x7F] = codec
    return table


class Track:
    """Lives from the tap's opening until everything up to its closing has been mixed."""

    def __init__(
        self,
        permit: RecordingPermit,
        *,
        recording_id: int,
        leg_id: int,
        side: int,
        formats: tuple[StreamFormat, ...],
        buffer: JitterBuffer,
        origin_ns: int,
        base: int,
        floor: int,
        leveller: Leveller | None = None,
        blank_dtmf: bool = False,
    ) -> None:
        self.encoded_permit = encode(permit)
        "For checkpoints."
        self.recording_id = recording_id
        self.leg_id = leg_id
        self.side = side
        self.formats = formats
        self.codecs = codec_table(formats, blank_dtmf=blank_dtmf)
        self.floor = floor
        "Place of the tap's opening (or of the last resumption): nothing before it enters."
        self.until: int | None = None
        "Place of the tap's closing: nothing from it on enters."
        self.muted = False
        "While the recording is paused."
        self.undecoded: set[str] = set()
        "Codecs of packets that came and are silence."
        self.row = buffer.open(origin_ns=origin_ns, base=base, floor=floor)
        self.in_order = InOrder(buffer, self.row)
        "Packets that can't be decoded yet."
        self.gaps = Concealer()
        self.drift = DriftFilter()
        self.leveller = leveller
        self._blank_dtmf = blank_dtmf
        self._blanks: dict[int, int] = {}
        "End by beginning, of places that are to be silent."
        self._buffer = buffer
        self._place = base
        "Of the next sample that `take` gives."
        self._ready: Samples = np.zeros(0, dtype=np.int16)
        "Given out of the buffer before their time, by a correction."

    def take(self, count: int) -> Samples:
        """Return the next `count` samples, shape (count,), without holes, in step."""
        need = count - len(self._ready)
        parts = [self._ready]
        if need > 0:
            pcm = self.gaps.conceal(self._fetch(need))
            pcm, moved = correct(pcm, self.drift.measure(self._buffer.take_delay(self.row)))
            if moved:
                self._buffer.move(self.row, moved)
                self.in_order.move(moved)
                self.drift.corrected(moved)
            parts.append(pcm)
            if moved < 0:
                parts.append(self.gaps.conceal(self._fetch(-moved)))
        out = np.concatenate(parts) if len(parts) > 2 or len(self._ready) else parts[-1]
        self._ready = out[count:]
        self._place += count
        inside = self._inside(out[:count])
        if self._blanks:
            inside = silence(inside, self._place - count, self._blanks.items())
            self._blanks = {a: b for a, b in self._blanks.items() if b > self._place}
        return inside if self.leveller is None else self.leveller.level(inside)

    def _fetch(self, count: int) -> Samples:
        """Return the next `count` samples of the buffer, with its holes."""
        self.in_order.decode_before(self._buffer.next_place(self.row) + count)
        return self._buffer.take(self.row, count)

    def change_formats(self, formats: tuple[StreamFormat, ...]) -> None:
        """From now on the party may send these.

        What it could send before stays known: packets may be on their way still, and within a
        session a payload number never changes its codec (:rfc:`3264#section-8.3.2`).
        """
        known = {each.payload_type: each for each in (*self.formats, *formats)}
        self.formats = tuple(known.values())
        self.codecs = codec_table(self.formats, blank_dtmf=self._blank_dtmf)

    def miss(self, payload_type: int) -> None:
        """Note a packet that can't be decoded."""
        names = {each.payload_type: each.encoding for each in self.formats}
        self.undecoded.add(names.get(payload_type, f"payload type {payload_type}"))

    def blank(self, first: int, end: int) -> None:
        """Be silent in these places; those of the same `first` are one key, told again."""
        self._blanks[first] = max(end, self._blanks.get(first, first))

    def leave_out(self, samples: int, place: int) -> None:
        """Go on at `place` after `samples` were left out of the axis (a pause)."""
        self._buffer.leave_out(self.row, samples, floor=place)
        self.in_order.clear()
        self.floor = max(self.floor, place)
        self._blanks.clear()

    def close(self) -> None:
        """Give the row back."""
        self._buffer.close(self.row)

    def _inside(self, pcm: Samples) -> Samples:
        """Return the samples with silence from the tap's closing on.

        Early packets lie ahead of the instant that closed it.
        """
        start = self._place - len(pcm)
        if self.until is None or self.until >= self._place:
            return pcm
        inside = pcm.copy()
        inside[max(self.until - start, 0) :] = 0
        return inside
