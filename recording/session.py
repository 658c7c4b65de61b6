"""One recording: its axis, its parties, and why audio is missing.

Places are samples of 8 kHz since the first tap opened; time left out by pauses does not
count. `mixed` is the place up to which everything has been summed and handed to the
encoder.
"""

import logging
from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer import mix
from mixer.jitter_buffer import NS_PER_SAMPLE, RATE, JitterBuffer
from recording.checkpoint import RecordingState, TrackState
from recording.encoded_file import EncodedFile
from recording.encoder import FINE_RATE, FRAME_SAMPLES
from recording.masks import Masks
from recording.permit import RecordingPermit
from recording.spec import OURS, RecordingSpec, TapSpec
from recording.track import LOOK_AHEAD_SAMPLES, Track

logger = logging.getLogger("recording")

CHUNK_SAMPLES: Final = 10 * FRAME_SAMPLES
"""A recording is mixed and encoded every 0.72 s, ten frames of 8 kHz: a multiple of what LAME is
given at once. Each mixing has its price, and what lies between two of them takes memory: samples
here, and packets in the ring until the file has them."""

HOLD_BACK_SAMPLES: Final = 300 * RATE // 1000
"Packets that come later than this behind their time are lost."

LOST_PACKET_SAMPLES: Final = 160
"A packet that the ring could not take is counted with the usual 20 ms."

RATES: Final = {(8_000, 8_000), (16_000, 16_000), (8_000, FINE_RATE), (16_000, FINE_RATE)}
"Hz of the sum and of the file that there are."

_GOLDEN: Final = 0.6180339887
"Spreads the first chunks of recordings that open together evenly over a chunk's time."

_PACKETS_LOST: Final = "packets were lost: the recorder was too slow or away"

Samples = NDArray[np.int16]


class Recording:
    """An open recording. Not without the permit of the party that it begins with."""

    def __init__(
        self,
        permit: RecordingPermit,
        *,
        spec: RecordingSpec,
        ring: int,
        origin_ns: int,
        buffer: JitterBuffer,
        file: EncodedFile,
        mixed: int = 0,
    ) -> None:
        if (spec.mix_rate, spec.sample_rate) not in RATES:
            raise ValueError(f"no recording at {spec.mix_rate} and {spec.sample_rate} Hz")
        self.call_id = permit.call_id
        self.spec = spec
        self.ring = ring
        self.origin_ns = origin_ns
        self.file = file
        self.tracks: list[Track] = []
        self.mixed = mixed
        self.masks = Masks()
        self.paused_ns: int | None = None
        self.missing_samples = 0
        self.lost_packets = 0
        self.failure: str | None = None
        "The first reason why audio is missing."
        self.closing = False
        self._undecoded: set[str] = set()
        "Codecs of parties that are gone, which came and are silence in the file."
        self._buffer = buffer
        self._per_place = spec.mix_rate // RATE
        "Samples of the sum."
        phase = spec.recording_id * _GOLDEN % 1.0
        self._next = mixed + CHUNK_SAMPLES // 4 + int(phase * CHUNK_SAMPLES)
        "Where the next chunk ends."

    # --- the axis

    def place(self, at_ns: int) -> int:
        """Return the place of a monotonic instant; the pause at hand has one place."""
        if self.paused_ns is not None:
            at_ns = min(at_ns, self.paused_ns)
        return max(0, (at_ns - self.origin_ns) // NS_PER_SAMPLE)

    @property
    def due_ns(self) -> int:
        """Return when the next chunk can be mixed."""
        needed = self._next + LOOK_AHEAD_SAMPLES + HOLD_BACK_SAMPLES
        return self.origin_ns + needed * NS_PER_SAMPLE

    # --- marks

    def open_track(self, permit: RecordingPermit, tap: TapSpec, at_ns: int) -> Track:
        """Let a party in from `at_ns` on."""
        return self._add(permit, tap, floor=self.place(at_ns))

    def _add(
        self,
        permit: RecordingPermit,
        party: TapSpec | TrackState,
        *,
        floor: int,
        gain_db: float = 0.0,
    ) -> Track:
        """Let in what a party says behind `floor`."""
        track = Track(
            permit,
            recording_id=self.spec.recording_id,
            leg_id=party.leg_id,
            side=party.side,
            formats=party.formats,
            buffer=self._buffer,
            origin_ns=self.origin_ns,
            base=self.mixed,
            floor=floor,
            rate=self.spec.mix_rate,
            level=self.spec.level,
            gain_db=gain_db,
            blank_dtmf=self.spec.blank_dtmf,
        )
        track.muted = self.paused_ns is not None
        self.tracks.append(track)
        return track

    def close_track(self, track: Track, at_ns: int) -> None:
        """Keep out what the party says from `at_ns` on."""
        if track.until is None:
            track.until = self.place(at_ns)

    def mask(self, at_ns: int) -> None:
        """Silence from here on; the time goes on."""
        self.masks.begin(self.place(at_ns))

    def unmask(self, at_ns: int) -> None:
        """End a mask."""
        self.masks.end(self.place(at_ns))

    def pause(self, at_ns: int) -> None:
        """Leave out the time from here on."""
        if self.paused_ns is None:
            self.mix_up_to(self.place(at_ns), last=True)
            self.paused_ns = at_ns
            for track in self.tracks:
                track.muted = True

    def resume(self, at_ns: int) -> None:
        """Go on where the pause began."""
        if self.paused_ns is None:
            return
        place = self.place(self.paused_ns)
        left_out = max(0, (at_ns - self.paused_ns) // NS_PER_SAMPLE)
        self.origin_ns += left_out * NS_PER_SAMPLE
        self.paused_ns = None
        for track in self.tracks:
            track.leave_out(left_out, place)
            track.muted = False

    def lose(self, packets: int) -> None:
        """Note packets that the ring could not take."""
        self.lost_packets += packets
        self.missing_samples += packets * LOST_PACKET_SAMPLES
        self.fail(_PACKETS_LOST)

    # --- the sound

    def mix_due(self, edge_ns: int) -> None:
        """Mix the chunks that are complete when everything up to `edge_ns` was read."""
        while self.paused_ns is None and self.due_ns <= edge_ns:
            self.mix_up_to(self._next)

    def mix_up_to(self, place: int, *, last: bool = False) -> None:
        """Mix and encode everything before `place`; `last`: what is behind it does not count."""
        while self.mixed < place:
            start = self.mixed
            count = min(place - start, CHUNK_SAMPLES + CHUNK_SAMPLES // 2)
            ends = last and start + count == place
            parts = [(track.side, track.take(count, last=ends)) for track in self.tracks]
            pcm = mix.silence(
                self._sum(parts, count * self._per_place),
                start,
                self.masks.before(start + count),
                per_place=self._per_place,
            )
            self.mixed = start + count
            self.file.append(pcm)
        self._next = self.mixed + CHUNK_SAMPLES
        self.masks.forget(self.mixed)
        for track in [t for t in self.tracks if t.until is not None and t.until <= self.mixed]:
            self._drop(track)

    def _sum(self, parts: list[tuple[int, Samples]], count: int) -> Samples:
        if self.spec.channels == 1:
            return mix.saturating_sum([pcm for _, pcm in parts], count)
        left = [pcm for side, pcm in parts if side in {0, OURS}]
        right = [pcm for side, pcm in parts if side != 0]
        return mix.stereo(left, right, count)

    def _drop(self, track: Track) -> None:
        self._miss(track.undecoded)
        self.tracks.remove(track)
        track.close()

    # --- the end

    def stop(self, at_ns: int) -> None:
        """End the recording at `at_ns`; its writer tells the result."""
        if self.closing:
            return
        self.closing = True
        try:
            self.mix_up_to(self.place(at_ns), last=True)
        except Exception as error:
            logger.exception("mixing failed", extra={"recording_id": self.spec.recording_id})
            self.fail(f"mixing: {error}")
        for track in list(self.tracks):
            self._drop(track)
        self.file.finish(self.mixed * self.spec.sample_rate // RATE)

    def fail(self, reason: str) -> None:
        """Note the first reason why audio is missing."""
        if self.failure is None:
            self.failure = reason

    @property
    def undecoded(self) -> set[str]:
        """Return the codecs that came and are silence in the file."""
        return self._undecoded.union(*[track.undecoded for track in self.tracks])

    def _miss(self, codecs: Collection[str]) -> None:
        self._undecoded.update(codecs)
        if codecs:
            self.fail(f"a party's codec can't be decoded ({', '.join(sorted(codecs))})")

    @property
    def duration_s(self) -> float:
        """Return how long the recording is, as far as it was mixed."""
        return self.mixed / RATE

    # --- the successor's view

    def state(self, anchors: dict[str, list[int]], place: int) -> RecordingState:
        """Return what a checkpoint says; `place` as in `RecordingState`."""
        return RecordingState(
            spec=self.spec,
            ring=self.ring,
            origin_ns=self.origin_ns,
            place=place,
            tracks=tuple([_track_state(track, anchors) for track in self.tracks]),
            masks=tuple(self.masks.ranges),
            masked_since=self.masks.since,
            paused_ns=self.paused_ns,
            missing_samples=self.missing_samples,
            lost_packets=self.lost_packets,
            undecoded=tuple(sorted(self.undecoded)),
        )

    def restore(self, state: RecordingState, missing_samples: int) -> None:
        """Take over masks, pause and counts; what neither file nor ring holds is missing."""
        self.masks.ranges = list(state.masks)
        self.masks.since = state.masked_since
        self.paused_ns = state.paused_ns
        self.missing_samples = state.missing_samples + missing_samples
        self.lost_packets = state.lost_packets
        self._miss(state.undecoded)
        if self.missing_samples:
            self.fail(_PACKETS_LOST)

    def restore_track(self, permit: RecordingPermit, state: TrackState) -> None:
        """Take over a party and the anchor of its stream."""
        track = self._add(permit, state, floor=state.floor, gain_db=state.gain_db)
        track.until = state.until
        self._buffer.restore_anchor(
            track.row, offset=state.offset, newest=state.newest, ssrc=state.ssrc
        )


def _track_state(track: Track, anchors: dict[str, list[int]]) -> TrackState:
    row = track.row
    return TrackState(
        leg_id=track.leg_id,
        side=track.side,
        permit=track.encoded_permit,
        formats=track.formats,
        floor=track.floor,
        until=track.until,
        offset=anchors["offset"][row],
        newest=anchors["newest"][row],
        ssrc=anchors["ssrc"][row],
        gain_db=track.leveller.gain_db if track.leveller is not None else 0.0,
    )
