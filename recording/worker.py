"""A recorder without its process: rings in, files and events out.

Every 40 ms `tick` reads all rings, mixes the recordings whose chunk is complete, reports
what happened and lets the rings go on (`recording/safe_cursor.py`). It never waits: files
are written by `recording/writer.py` in threads of its own, and LAME runs in those of the
encoder pool.

**Marks are obeyed in ring order** and nothing else opens, cuts or ends a recording: a
party's samples enter between its TAP_OPENED and TAP_CLOSED only, and only with a permit.

**Bulkheads.** What goes wrong in one recording ends that recording with its reason.
"""

import heapq
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from mixer.jitter_buffer import RATE, JitterBuffer
from recording import permit as permits
from recording.checkpoint import Progress, RecordingState
from recording.encoder_pool import EncoderPool
from recording.events import Closed, Opened, closed, closed_before
from recording.factory import RecordingFactory, RefusedError
from recording.folder import Folder, UnsafePathError
from recording.lane import Lane
from recording.permit import InvalidPermitError, RecordingPermit
from recording.pressure import Backlog, Level, Pressure
from recording.safe_cursor import SafeCursor
from recording.session import Recording
from recording.spec import RecordingSpec, TapSpec, decode_formats, decode_tap
from recording.takeup import FinishedFile, look
from recording.track import Track
from recording.writer_pool import Kicker
from rtp.ring import Kind, RingLayout
from rtp.ring_reader import RingReader

logger = logging.getLogger("recording")

MAX_FORGOTTEN: Final = 4096
"Recordings whose end was told, and whose later marks mean nothing."

_REFUSALS: Final = (RefusedError, InvalidPermitError, UnsafePathError, OSError, ValueError)


class RecordingWorker:
    """All recordings of one recorder process."""

    def __init__(
        self,
        rings: Sequence[memoryview],
        state: memoryview,
        *,
        folder: Folder,
        writers: Kicker,
        quality: int,
        on_event: Callable[[Opened | Closed], None],
        encoder_threads: int = 1,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._on_event = on_event
        self._clock_ns = clock_ns
        self._encoders = EncoderPool(encoder_threads, clock=lambda: clock_ns() / 1e9)
        self._buffer = JitterBuffer()
        self._pressure = Pressure()
        self._factory = RecordingFactory(
            folder=folder,
            writers=writers,
            quality=quality,
            encoders=self._encoders,
            buffer=self._buffer,
            pressure=self._pressure,
        )
        self._lanes = [
            Lane(index, RingReader(ring), self._buffer, RingLayout.read(ring).for_packets)
            for index, ring in enumerate(rings)
        ]
        self._cursor = SafeCursor(self._lanes, self._buffer, state)
        self._due: list[list[tuple[int, int]]] = [[] for _ in rings]
        "Heaps of (instant, recording_id), one per lane."
        self._recordings: dict[int, Recording] = {}
        "Open and closing ones."
        self._forgotten: deque[int] = deque(maxlen=MAX_FORGOTTEN)
        self._replaying = False
        self._now_ns = 0
        self._sound = dict.fromkeys(("concealed_s", "silent_s", "corrected_s"), 0.0)
        "Of parties that are gone."
        self._totals = dict.fromkeys(
            ("recordings_opened", "recordings_closed", "recordings_failed", "marks_refused"), 0
        )

    # --- life

    def start(self) -> tuple[int, ...]:
        """Take up what a forerunner left and read the rings again; return its recordings."""
        checkpoint = self._cursor.load()
        self._replaying = any(lane.reader.head for lane in self._lanes)
        if checkpoint is not None:
            for lane, position in zip(self._lanes, checkpoint.positions, strict=True):
                lane.skip_to(position)
            for state in checkpoint.recordings:
                self._restore(state, checkpoint.progress[state.spec.recording_id])
        self._read(self._clock_ns())
        self._replaying = False
        resumed = tuple(self._recordings)
        self._report()
        return resumed

    def tick(self, now_ns: int) -> None:
        """Do what there is to do; call it about every 40 ms."""
        self._now_ns = now_ns
        unread = max((lane.unread for lane in self._lanes), default=0.0)
        self._read(now_ns)
        self._weigh(unread)
        self._report()
        self._cursor.tick(now_ns, self._recordings)

    def finish_all(self, now_ns: int) -> None:
        """End every recording as if it had been stopped now; go on with `tick` until `idle`."""
        for _ in range(2):
            self._read(now_ns)
        for recording in list(self._recordings.values()):
            self._guarded(recording, self._end, recording, now_ns)
        self._encoders.flush()

    def give_up(self, reason: str) -> None:
        """Report what is not finished as failed; its `.part` stays for the next start."""
        for recording in list(self._recordings.values()):
            recording.file.give_up(reason)
        self._report()

    def close(self) -> None:
        """Let the encoders' threads leave."""
        self._encoders.close()

    @property
    def idle(self) -> bool:
        """Tell whether no recording is open or being finished."""
        return not self._recordings

    @property
    def level(self) -> Level:
        """How hard pressed the recorder is."""
        return self._pressure.level

    @property
    def behind_s(self) -> float:
        """How far what was read is behind the clock, where anything is recorded."""
        edges = [lane.edge_ns for lane in self._lanes if lane.tracks]
        return max(0.0, (self._now_ns - min(edges)) / 1e9) if edges else 0.0

    def _weigh(self, unread: float) -> None:
        backlog = Backlog(behind_s=self.behind_s, encoding_s=self._encoders.lag_s, unread=unread)
        if self._pressure.update(backlog, self._now_ns / 1e9):
            logger.warning("the load is %s: %s", self.level.name.lower(), backlog)

    def counters(self) -> dict[str, float]:
        """Return totals since the start, how many recordings are open, and how late it is."""
        sound = dict(self._sound)
        for recording in self._recordings.values():
            for track in recording.tracks:
                _add_sound(sound, track)
        readers = [lane.reader for lane in self._lanes]
        return {
            **self._totals,
            **sound,
            "recordings_open": sum(not r.closing for r in self._recordings.values()),
            "samples": self._buffer.placed_samples,
            "packets": sum(lane.packets for lane in self._lanes),
            "packets_stray": sum(lane.stray_packets for lane in self._lanes),
            "packets_late": self._buffer.late_packets,
            "packets_early": self._buffer.early_packets,
            "stream_jumps": self._buffer.jumps,
            "ring_lost_packets": sum(reader.lost_packets for reader in readers),
            "ring_gaps": sum(reader.gaps for reader in readers),
            "checkpoints_forced": self._cursor.forced,
            "encoder_s": self._encoders.busy_s,
            "encoder_lag_s": self._encoders.lag_s,
            "lag_s": self.behind_s,
            "pressure": float(self.level),
        }

    # --- reading

    def _read(self, now_ns: int) -> None:
        for lane in self._lanes:
            for _ in lane.read(now_ns, self._obey):
                self._mix_due(lane)
        self._encoders.flush()

    def _mix_due(self, lane: Lane) -> None:
        due = self._due[lane.index]
        while due and due[0][0] <= lane.edge_ns:
            _, recording_id = heapq.heappop(due)
            recording = self._recordings.get(recording_id)
            if recording is None or recording.closing or recording.paused_ns is not None:
                continue
            self._guarded(recording, recording.mix_due, lane.edge_ns)
            if (broken := recording.file.broken) is not None:
                self._break(recording, broken)
            if not recording.closing:
                heapq.heappush(due, (recording.due_ns, recording_id))

    def _obey(self, lane: Lane, kind: Kind, leg: int, at_ns: int, data: bytes) -> None:
        if kind is Kind.TAP_OPENED:
            self._open_tap(lane, leg, at_ns, data)
        elif kind in {Kind.TAP_CLOSED, Kind.GAP, Kind.FORMAT_CHANGED}:
            track = lane.tracks.get(leg)
            if track is not None:
                recording = self._recordings[track.recording_id]
                self._guarded(recording, self._obey_leg, lane, track, kind, at_ns, data)
        else:
            found = self._recordings.get(int.from_bytes(data[:4], "little"))
            if found is not None and not found.closing:
                self._guarded(found, self._obey_recording, found, kind, at_ns)

    def _obey_leg(self, lane: Lane, track: Track, kind: Kind, at_ns: int, data: bytes) -> None:
        recording = self._recordings[track.recording_id]
        if kind is Kind.TAP_CLOSED:
            recording.close_track(track, at_ns)
            lane.remove(track)
        elif kind is Kind.GAP:
            recording.lose(int.from_bytes(data[:4], "little"))
        else:
            track.change_formats(decode_formats(data))
            lane.refresh()

    def _obey_recording(self, recording: Recording, kind: Kind, at_ns: int) -> None:
        lane = self._lanes[recording.ring]
        if kind is Kind.STOPPED:
            self._end(recording, at_ns)
        elif kind is Kind.MASKED:
            recording.mask(at_ns)
        elif kind is Kind.UNMASKED:
            recording.unmask(at_ns)
        elif kind is Kind.PAUSED:
            recording.pause(at_ns)
            lane.refresh()
        elif kind is Kind.RESUMED:
            recording.resume(at_ns)
            lane.refresh()
            self._schedule(recording)

    def _schedule(self, recording: Recording) -> None:
        heapq.heappush(self._due[recording.ring], (recording.due_ns, recording.spec.recording_id))

    # --- opening

    def _open_tap(self, lane: Lane, leg: int, at_ns: int, data: bytes) -> None:
        try:
            tap = decode_tap(data)
            permit = permits.decode(tap.permit)
        except (msgspec.MsgspecError, InvalidPermitError):
            self._refuse_mark(leg)
            return
        spec = tap.recording
        if tap.leg_id != leg:
            self._refuse_mark(leg)
            return
        if spec.recording_id in self._forgotten:
            return
        recording = self._recordings.get(spec.recording_id)
        if recording is None:
            recording = self._begin(lane, permit, spec, at_ns)
        if recording is not None and not recording.closing:
            self._guarded(recording, self._let_in, lane, recording, permit, tap, at_ns)

    def _refuse_mark(self, leg: int) -> None:
        self._totals["marks_refused"] += 1
        logger.error("tap without a valid permit refused", extra={"leg_id": leg})

    def _begin(
        self, lane: Lane, permit: RecordingPermit, spec: RecordingSpec, at_ns: int
    ) -> Recording | None:
        """Open a recording at its first tap; None where it can't be, which is reported."""
        try:
            found = None
            if self._replaying:
                found = look(
                    self._factory.folder, Progress(path=spec.relative_path, octets=0, frames=0)
                )
            if isinstance(found, FinishedFile):
                self._forget(closed_before(spec, found))
                return None
            recording = self._factory.begin(permit, spec, ring=lane.index, at_ns=at_ns, file=found)
        except _REFUSALS as error:
            logger.exception("not recorded", extra={"recording_id": spec.recording_id})
            self._forget(Closed(recording_id=spec.recording_id, failure=str(error)))
            return None
        self._recordings[spec.recording_id] = recording
        self._totals["recordings_opened"] += 1
        self._schedule(recording)
        self._on_event(Opened(recording_id=spec.recording_id, at=at_ns / 1e9))
        return recording

    def _let_in(
        self,
        lane: Lane,
        recording: Recording,
        permit: RecordingPermit,
        tap: TapSpec,
        at_ns: int,
    ) -> None:
        """Open the tap of a party; one that is open (an older permit) ends here."""
        earlier = lane.tracks.get(tap.leg_id)
        if earlier is not None:
            self._obey_leg(lane, earlier, Kind.TAP_CLOSED, at_ns, b"")
        lane.add(recording.open_track(permit, tap, at_ns))

    def _restore(self, state: RecordingState, progress: Progress) -> None:
        """Go on with a forerunner's recording where its file ends."""
        spec = state.spec
        try:
            found = look(self._factory.folder, progress)
            if isinstance(found, FinishedFile):
                self._forget(closed_before(spec, found))
                return
            recording = self._factory.resume(state, found)
        except _REFUSALS as error:
            logger.exception("not resumed", extra={"recording_id": spec.recording_id})
            self._forget(Closed(recording_id=spec.recording_id, failure=f"not resumed: {error}"))
            return
        self._recordings[spec.recording_id] = recording
        for track in recording.tracks:
            if track.until is None:
                self._lanes[recording.ring].add(track)
        self._schedule(recording)

    # --- ending

    def _end(self, recording: Recording, at_ns: int) -> None:
        lane = self._lanes[recording.ring]
        for track in recording.tracks:
            lane.remove(track)
            _add_sound(self._sound, track)
        recording.stop(at_ns)

    def _break(self, recording: Recording, reason: str) -> None:
        """End a recording that can't go on, with what it has."""
        if recording.closing:
            return
        logger.error(
            "recording failed: %s", reason, extra={"recording_id": recording.spec.recording_id}
        )
        recording.fail(reason)
        self._end(recording, recording.origin_ns)

    def _guarded(
        self, recording: Recording, action: Callable[..., None], *arguments: object
    ) -> None:
        """Do something for one recording: if it fails, only that recording does."""
        try:
            action(*arguments)
        except Exception as error:
            logger.exception(
                "recording failed", extra={"recording_id": recording.spec.recording_id}
            )
            self._break(recording, f"{type(error).__name__}: {error}")

    def _report(self) -> None:
        """Tell the results that the writers have."""
        while not self._factory.done.empty():
            recording = self._recordings.get(self._factory.done.get())
            result = recording.file.result if recording is not None else None
            if recording is None or result is None:
                continue
            if not recording.closing:
                self._break(recording, result.failure or "the file is gone")
            del self._recordings[recording.spec.recording_id]
            self._forget(closed(recording, result))

    def _forget(self, event: Closed) -> None:
        self._forgotten.append(event.recording_id)
        self._totals["recordings_closed"] += 1
        self._totals["recordings_failed"] += event.failure is not None
        self._on_event(event)


def _add_sound(values: dict[str, float], track: Track) -> None:
    values["concealed_s"] += track.gaps.concealed_s
    values["silent_s"] += track.gaps.silent_s
    values["corrected_s"] += track.drift.corrected_samples / RATE
