"""One party in a recording: its row in the jitter buffer and what becomes of its samples."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.drift import DriftFilter, correct
from mixer.gaps import LOOK_AHEAD_MS, Concealer, Silencer
from mixer.jitter_buffer import RATE, JitterBuffer
from mixer.levelling import Leveller
from mixer.mix import silence
from mixer.resample import LOOK_AHEAD, Widener
from recording.codecs import IS_WIDE, KEY, KEY_48, NOT_AUDIO, codec_of
from recording.in_order import InOrder
from recording.permit import RecordingPermit, encode
from recording.spec import OURS, StreamFormat

Samples = NDArray[np.int16]


NOTHING: Final[Samples] = np.zeros(0, dtype=np.int16)

LOOK_AHEAD_SAMPLES: Final = LOOK_AHEAD_MS * RATE // 1000 + LOOK_AHEAD
"What is taken out of the buffer before its time, at most: 101.5 ms."


KEY_CLOCKS: Final = {RATE: KEY, 48000: KEY_48}
"Hz of telephone events that stand beside sound on the same clock."


def codec_table(
    formats: tuple[StreamFormat, ...], *, blank_dtmf: bool = False
) -> NDArray[np.uint8]:
    """Return the codec of each payload type, shape (128,)."""
    table = np.zeros(128, dtype=np.uint8)
    for each in formats:
        codec = codec_of(each)
        if blank_dtmf and codec == NOT_AUDIO and each.encoding.upper() != "CN":
            # Events on another clock than the audio's (RFC 4733 section 2.1) can't be placed.
            codec = KEY_CLOCKS.get(each.clock_rate, NOT_AUDIO)
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
        rate: int = RATE,
        level: bool = False,
        gain_db: float = 0.0,
        blank_dtmf: bool = False,
    ) -> None:
        """`rate`: Hz of what `take` gives, `RATE` or twice that."""
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
        self._between: int | None = None
        "Row of what a wideband codec says between two samples of `row`."
        self.in_order = InOrder(buffer, self.row)
        "Packets that can't be decoded yet."
        self.gaps: Concealer | Silencer = Silencer(rate) if side == OURS else Concealer(rate)
        self.drift = DriftFilter()
        self.leveller = Leveller(gain_db, rate=rate) if level and side != OURS else None
        self._widener = Widener() if rate != RATE else None
        self._per_place = rate // RATE
        self._look_ahead = LOOK_AHEAD_MS * RATE // 1000 + (0 if rate == RATE else LOOK_AHEAD)
        self._ahead = 0
        "Places that were taken out of the buffer and not given out."
        self._blank_dtmf = blank_dtmf
        self._blanks: dict[int, int] = {}
        "End by beginning, of places that are to be silent."
        self._buffer = buffer
        self._place = base
        "Of the next sample that `take` gives."
        self._ready = NOTHING
        "Complete before their time, by a correction."
        self._widen()

    def take(self, count: int, *, last: bool = False) -> Samples:
        """Return the samples of the next `count` places, without holes, in step.

        `last`: what is behind them has nothing to do with them (a pause, the end).
        """
        if last:
            need = count - len(self._ready) // self._per_place - self._ahead
        else:
            need = count - len(self._ready) // self._per_place + self._look_ahead - self._ahead
        parts = [self._ready] if len(self._ready) else []
        pcm = self._complete(max(0, need), last=last)
        pcm, moved = correct(
            pcm,
            self.drift.measure(self._buffer.take_delay(self.row)),
            per_place=self._per_place,
        )
        parts.append(pcm)
        if moved:
            self._move(moved)
        if moved < 0:
            parts.append(self._complete(-moved, last=last))
        out = parts[0] if len(parts) == 1 else np.concatenate(parts)
        size = count * self._per_place
        self._ready = out[size:].copy() if len(out) > size else NOTHING
        self._place += count
        inside = self._inside(out[:size])
        if self._blanks:
            inside = silence(
                inside, self._place - count, self._blanks.items(), per_place=self._per_place
            )
            self._blanks = {a: b for a, b in self._blanks.items() if b > self._place}
        return inside if self.leveller is None else self.leveller.level(inside)

    def _complete(self, count: int, *, last: bool) -> Samples:
        """Take `count` places more out of the buffer; return what is complete with them."""
        self.in_order.decode_before(self._buffer.next_place(self.row) + count)
        pcm = self._buffer.take(self.row, count)
        between = None if self._between is None else self._buffer.take(self._between, count)
        if self._widener is not None:
            pcm = self._widener.widen(pcm, between, last=last)
        pcm = self.gaps.conceal(pcm, last=last)
        self._ahead += count - len(pcm) // self._per_place
        return pcm

    def _move(self, samples: int) -> None:
        """Let all that was not taken yet lie `samples` later."""
        for row in self._rows:
            self._buffer.move(row, samples)
        self.in_order.move(samples)
        self.drift.corrected(samples)

    @property
    def _rows(self) -> tuple[int, ...]:
        return (self.row,) if self._between is None else (self.row, self._between)

    def _widen(self) -> None:
        """Lend a second row as soon as the party may speak a wideband codec into a wide file."""
        if self._widener is None or self._between is not None:
            return
        if any(IS_WIDE[codec] for codec in self.codecs.tolist()):
            self._between = self._buffer.open_beside(self.row)
            self.in_order.decode_wide(self._between)

    def change_formats(self, formats: tuple[StreamFormat, ...]) -> None:
        """From now on the party may send these.

        What it could send before stays known: packets may be on their way still, and within a
        session a payload number never changes its codec (:rfc:`3264#section-8.3.2`).
        """
        known = {each.payload_type: each for each in (*self.formats, *formats)}
        self.formats = tuple(known.values())
        self.codecs = codec_table(self.formats, blank_dtmf=self._blank_dtmf)
        self._widen()

    def miss(self, payload_type: int) -> None:
        """Note a packet that can't be decoded."""
        names = {each.payload_type: each.encoding for each in self.formats}
        self.undecoded.add(names.get(payload_type, f"payload type {payload_type}"))

    def blank(self, first: int, end: int) -> None:
        """Be silent in these places; those of the same `first` are one key, told again."""
        self._blanks[first] = max(end, self._blanks.get(first, first))

    def leave_out(self, samples: int, place: int) -> None:
        """Go on at `place` after `samples` were left out of the axis (a pause)."""
        for row in self._rows:
            self._buffer.leave_out(row, samples, floor=place)
        self.in_order.clear()
        # Nothing is left of it, unless the pause began in what was taken already.
        self._ready = np.zeros_like(self._ready)
        self.gaps.forget()
        if self._widener is not None:
            self._widener.forget()
        self.floor = max(self.floor, place)
        self._blanks.clear()

    def close(self) -> None:
        """Give the rows back."""
        for row in self._rows:
            self._buffer.close(row)

    def _inside(self, pcm: Samples) -> Samples:
        """Return the samples with silence from the tap's closing on.

        Early packets lie ahead of the instant that closed it.
        """
        start = self._place - len(pcm) // self._per_place
        if self.until is None or self.until >= self._place:
            return pcm
        inside = pcm.copy()
        inside[max(self.until - start, 0) * self._per_place :] = 0
        return inside
