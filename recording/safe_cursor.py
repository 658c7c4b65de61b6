"""How far the rings may be overwritten, and what a successor is told before that.

Three times a second the open recordings are described as they are at the rings' present
places. In the first tick in which each file holds everything that arrived before those places,
and beyond it what a new encoder must hear again before it goes on (`recording/splice.py`), the
description becomes the checkpoint, and only then the `safe` cursors move there.

A disk that stands still must not fill the rings: from `FULL_SHARE` on the cursors move all
the same. What the dead process had queued for the disk is then lost with it, and counted.
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from mixer.jitter_buffer import RATE, JitterBuffer
from recording.checkpoint import Checkpoint, CheckpointError, CheckpointStore, RecordingState
from recording.encoder import FRAME_SAMPLES
from recording.lane import Lane
from recording.session import Recording
from recording.splice import DEFAULT_PRIMING_FRAMES

logger = logging.getLogger("recording")

SNAPSHOT_NS: Final = 360_000_000
"Half the time of a chunk (`recording/session.py`): each has its price."

EARLY_SAMPLES: Final = RATE // 10
"How far ahead of its arrival a packet may lie, for the description of a place in the ring."

FULL_SHARE: Final = 0.7


@dataclass(frozen=True, slots=True)
class _Snapshot:
    positions: tuple[int, ...]
    states: tuple[RecordingState, ...]
    lacking: list[tuple[Recording, int | None]]
    """Recordings whose files did not hold everything before the positions when they were last
    asked, each with its place there; None: its end lies before, so it has to have a result."""

    def is_complete(self) -> bool:
        """Tell whether nothing before the positions is needed any more."""
        while self.lacking and _holds(*self.lacking[-1]):
            self.lacking.pop()
        return not self.lacking


class SafeCursor:
    """Takes snapshots, and makes them checkpoints when their time has come."""

    def __init__(self, lanes: Sequence[Lane], buffer: JitterBuffer, memory: memoryview) -> None:
        self._lanes = lanes
        self._buffer = buffer
        self._store = CheckpointStore(memory)
        self._snapshots: deque[_Snapshot] = deque()
        self._due_ns = 0
        self._fits = True
        self.forced = 0
        "Checkpoints that had to be made too early, because the ring was filling."

    def load(self) -> Checkpoint | None:
        """Return what the forerunner left, if it fits the rings."""
        try:
            checkpoint = self._store.load()
        except msgspec.MsgspecError:
            logger.exception("checkpoint not readable")
            return None
        if checkpoint is None or len(checkpoint.positions) != len(self._lanes):
            return None
        inside = all(
            lane.reader.safe <= position <= lane.reader.head
            for lane, position in zip(self._lanes, checkpoint.positions, strict=True)
        )
        return checkpoint if inside else None

    def tick(self, now_ns: int, recordings: Mapping[int, Recording]) -> None:
        """Do what is due; `recordings` are the open and the closing ones."""
        if now_ns >= self._due_ns:
            self._due_ns = now_ns + SNAPSHOT_NS
            self._take(recordings)
        self._commit(recordings)

    def _take(self, recordings: Mapping[int, Recording]) -> None:
        positions = tuple(lane.reader.position for lane in self._lanes)
        safe = tuple(lane.reader.safe for lane in self._lanes)
        if positions == (self._snapshots[-1].positions if self._snapshots else safe):
            return
        anchors = self._buffer.anchors()
        states: list[RecordingState] = []
        lacking: list[tuple[Recording, int | None]] = []
        for recording in recordings.values():
            if recording.closing:
                lacking.append((recording, None))
            else:
                place = recording.place(self._lanes[recording.ring].edge_ns) + EARLY_SAMPLES
                states.append(recording.state(anchors, place))
                lacking.append((recording, place))
        self._snapshots.append(_Snapshot(positions, tuple(states), lacking))

    def _commit(self, recordings: Mapping[int, Recording]) -> None:
        chosen = None
        while self._snapshots and self._snapshots[0].is_complete():
            chosen = self._snapshots.popleft()
        if self._snapshots and self._filling():
            # Better a hole after a crash than one now.
            chosen = self._snapshots.pop()
            self._snapshots.clear()
            self.forced += 1
        if chosen is not None:
            self._save(chosen, recordings)

    def _save(self, chosen: _Snapshot, recordings: Mapping[int, Recording]) -> None:
        """Write the checkpoint, without what has ended since; then move the cursors."""
        states = tuple(s for s in chosen.states if s.spec.recording_id in recordings)
        progress = {
            state.spec.recording_id: recordings[state.spec.recording_id].file.progress
            for state in states
        }
        try:
            self._store.save(
                Checkpoint(positions=chosen.positions, recordings=states, progress=progress)
            )
            self._fits = True
        except CheckpointError:
            if self._fits:
                logger.exception("checkpoint not written: a restart would lose audio")
            self._fits = False
        for lane, position in zip(self._lanes, chosen.positions, strict=True):
            lane.reader.release(position)

    def _filling(self) -> bool:
        return any(lane.fill > FULL_SHARE for lane in self._lanes)


def _holds(recording: Recording, place: int | None) -> bool:
    """Tell whether a successor needs no samples before `place` (None: the end) again.

    A pause has no end that anyone knows, so it is not waited for: what LAME holds back of
    the last chunk before it is lost if the process dies in the pause.
    """
    if place is not None:
        if recording.paused_ns is not None:
            return True
        frames = recording.file.frames_written - DEFAULT_PRIMING_FRAMES
        if frames * FRAME_SAMPLES * RATE >= place * recording.spec.sample_rate:
            return True
    return recording.file.result is not None
