"""One party in a recording: its row in the jitter buffer and what becomes of its samples."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.drift import DriftFilter, correct
from mixer.gaps import Concealer
from mixer.jitter_buffer import RATE, JitterBuffer
from mixer.levelling import Leveller
from mixer.mix import silence
from recording.permit import RecordingPermit, encode
from recording.spec import StreamFormat

UNKNOWN: Final = 0
PCMA: Final = 1
PCMU: Final = 2
NOT_AUDIO: Final = 3
"Telephone events, comfort noise: silence in the file, and no fault."
KEY: Final = 4
"Telephone events that blank what is heard meanwhile (`recording/pressed_keys.py`)."

_CODECS: Final = {"PCMA": PCMA, "PCMU": PCMU, "TELEPHONE-EVENT": NOT_AUDIO, "CN": NOT_AUDIO}

Samples = NDArray[np.int16]


def codec_table(
    formats: tuple[StreamFormat, ...], *, blank_dtmf: bool = False
) -> NDArray[np.uint8]:
    """Return the codec of each payload type, shape (128,)."""
    table = np.zeros(128, dtype=np.uint8)
    for each in formats:
        codec = _CODECS.get(each.encoding.upper(), UNKNOWN)
        if codec in {PCMA, PCMU} and (each.clock_rate, each.channels) != (8000, 1):
            codec = UNKNOWN
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
        self.undecodable_packets = 0
        self.row = buffer.open(origin_ns=origin_ns, base=base, floor=floor)
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
            pcm = self.gaps.conceal(self._buffer.take(self.row, need))
            pcm, moved = correct(pcm, self.drift.measure(self._buffer.take_delay(self.row)))
            if moved:
                self._buffer.move(self.row, moved)
                self.drift.corrected(moved)
            parts.append(pcm)
            if moved < 0:
                parts.append(self.gaps.conceal(self._buffer.take(self.row, -moved)))
        out = np.concatenate(parts) if len(parts) > 2 or len(self._ready) else parts[-1]
        self._ready = out[count:]
        self._place += count
        inside = self._inside(out[:count])
        if self._blanks:
            inside = silence(inside, self._place - count, self._blanks.items())
            self._blanks = {a: b for a, b in self._blanks.items() if b > self._place}
        return inside if self.leveller is None else self.leveller.level(inside)

    def change_formats(self, formats: tuple[StreamFormat, ...]) -> None:
        """From now on the party may send these."""
        self.formats = formats
        self.codecs = codec_table(formats, blank_dtmf=self._blank_dtmf)

    def blank(self, first: int, end: int) -> None:
        """Be silent in these places; those of the same `first` are one key, told again."""
        self._blanks[first] = max(end, self._blanks.get(first, first))

    def leave_out(self, samples: int, place: int) -> None:
        """Go on at `place` after `samples` were left out of the axis (a pause)."""
        self._buffer.leave_out(self.row, samples, floor=place)
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
