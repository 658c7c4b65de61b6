"""Recordings on their way: which recorder has each, what is marked at its end, and what came of it.

A recording belongs to this process, so it outlives the recorder that it was given to: a new one
takes it up again, and what it knows nothing of is adopted from the disk.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from b2bua.media.from_recorder import RecorderReady, RecordingClosed, RecordingOpened
from b2bua.media.members import OpenRecording, Recorder
from b2bua.media.placement import RecorderBusyError, choose
from b2bua.media.to_worker import StopRecording

Adopt: TypeAlias = Callable[[OpenRecording], RecordingClosed]
"Brings what nobody finished to its name; waits for the disk."


class Recordings:
    """The open recordings of all recorders."""

    def __init__(self, recorders: Sequence[Recorder], adopt: Adopt) -> None:
        self._recorders = recorders
        self._adopt = adopt
        self._ids = itertools.count(1)
        self._orphans: asyncio.Queue[tuple[Recorder, OpenRecording]] = asyncio.Queue()
        self.refused = 0
        "Recordings that no recorder took."

    def __len__(self) -> int:
        return sum(len(recorder.recordings) for recorder in self._recorders)

    def begin(self, worker: int, relative_path: str) -> OpenRecording:
        """Choose the recorder for a call of this media worker; raises `RecorderBusyError`."""
        index = choose([recorder.candidate() for recorder in self._recorders])
        if index is None:
            self.refused += 1
            raise RecorderBusyError("no recorder takes a new recording")
        recording = OpenRecording(
            recording_id=next(self._ids),
            recorder=index,
            worker=worker,
            relative_path=relative_path,
            result=asyncio.get_running_loop().create_future(),
        )
        self._recorders[index].recordings[recording.recording_id] = recording
        return recording

    def stop(self, recording: OpenRecording) -> StopRecording:
        """Return what its media worker has to mark; `recording.result` follows."""
        recording.stopping = True
        return StopRecording(recorder=recording.recorder, recording_id=recording.recording_id)

    def stopping(self, worker: int) -> Iterator[StopRecording]:
        """Return what a media worker that died may not have marked any more."""
        for recorder in self._recorders:
            for recording in recorder.recordings.values():
                if recording.stopping and recording.worker == worker:
                    yield self.stop(recording)

    def take(
        self, recorder: Recorder, message: RecorderReady | RecordingOpened | RecordingClosed
    ) -> None:
        """Take what a recorder tells."""
        match message:
            case RecordingOpened(recording_id, at):
                recording = recorder.recordings.get(recording_id)
                if recording is not None:
                    recording.opened_at = at
            case RecordingClosed(recording_id):
                self._close(recorder, recording_id, message)
            case RecorderReady(resumed):
                self._take_stock(recorder, frozenset(resumed))

    async def adopt_orphans(self) -> None:
        """Adopt what new recorders know nothing of, for ever."""
        while True:
            recorder, recording = await self._orphans.get()
            result = await asyncio.to_thread(self._adopt, recording)
            self._close(recorder, recording.recording_id, result)

    @staticmethod
    def _close(recorder: Recorder, recording_id: int, result: RecordingClosed) -> None:
        recording = recorder.recordings.pop(recording_id, None)
        if recording is not None and not recording.result.done():
            recording.result.set_result(result)

    def _take_stock(self, recorder: Recorder, resumed: frozenset[int]) -> None:
        """Look after a restart for orphans.

        A recorder says that it is ready when it has read the ring again from `safe`, so a
        recording that opened after the last checkpoint is among the resumed ones.
        """
        if recorder.child.starts == 1:
            return
        for recording in recorder.recordings.values():
            if recording.recording_id not in resumed and recording.opened_at is not None:
                self._orphans.put_nowait((recorder, recording))
