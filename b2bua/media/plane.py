"""The media plane as the signalling process sees it: its children, and what goes to and fro.

Holds one `Child` per media worker and per recorder and the shared memory between them. The
rings and the recorders' state outlive every child, because this process owns them: a new
worker goes on at the ring's head, a new recorder reads again from its `safe` cursor.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from b2bua.children import Child
from b2bua.errors import StartError
from b2bua.media.from_recorder import (
    FromRecorder,
    RecorderLoad,
    RecorderReady,
    RecordingClosed,
    RecordingOpened,
)
from b2bua.media.from_worker import (
    CodeReceived,
    DigitReceived,
    FirstPacket,
    FromMediaWorker,
    KeysDue,
    LegReleased,
    MediaResumed,
    MediaTimeout,
    PlayFinished,
    PlayStarted,
    PortsOffered,
)
from b2bua.media.leg import LegMessage, MediaLeg
from b2bua.media.lending import Lending
from b2bua.media.members import OpenRecording, Recorder, Worker, totals
from b2bua.media.memory import STATE_SIZE, make_memory, make_rings
from b2bua.media.messages import Counters, LogLine
from b2bua.media.programs import recorder_spec, worker_spec
from b2bua.media.recordings import Adopt, Recordings
from b2bua.media.to_worker import LoadSound, ReleaseLeg
from b2bua.settings.media import MediaConfig

logger = logging.getLogger("b2bua.media")

START_PATIENCE_S = 60.0
"For all children to begin, on a busy machine."


class MediaPlane:
    """All media workers and recorders of the server."""

    def __init__(
        self,
        config: MediaConfig,
        *,
        folder: Path,
        quality: int,
        lock_fd: int,
        adopt: Adopt,
        sounds: Callable[[], Iterable[LoadSound]],
    ) -> None:
        self._config = config
        self._sounds = sounds
        self._folder = folder
        self._quality = quality
        self._lock_fd = lock_fd
        self._rings = make_rings(config)
        self._memories: list[int] = [fd for row in self._rings for fd in row]
        self._recorders = [self._make_recorder(i) for i in range(config.recorders)]
        self._workers = [self._make_worker(i) for i in range(config.workers)]
        self._lending = Lending(self._workers, partial(MediaLeg, self))
        self._recordings = Recordings(self._recorders, adopt)

    # --- life

    async def run(self) -> None:
        """Keep all children alive."""
        async with asyncio.TaskGroup() as group:
            for recorder in self._recorders:
                group.create_task(recorder.child.run())
            for worker in self._workers:
                group.create_task(worker.child.run())
            group.create_task(self._recordings.adopt_orphans())

    async def ready(self) -> None:
        """Wait until every child works; raises `StartError`."""
        children: list[Child[Any]] = [worker.child for worker in self._workers]
        children += [recorder.child for recorder in self._recorders]
        try:
            async with asyncio.timeout(START_PATIENCE_S):
                for child in children:
                    await child.awake.wait()
        except TimeoutError:
            asleep = ", ".join(c.spec.name for c in children if not c.awake.is_set())
            raise StartError(f"no word from {asleep} in {START_PATIENCE_S:.0f} s") from None

    async def close(self) -> None:
        """End the media workers at once, then the recorders, which finish their files."""
        await asyncio.gather(*(w.child.close(1.0) for w in self._workers))
        await asyncio.gather(*(r.child.close(3.0) for r in self._recorders))
        for fd in self._memories:
            os.close(fd)

    @property
    def open_recordings(self) -> int:
        """Recordings whose result has not come yet."""
        return len(self._recordings)

    def pids(self) -> dict[str, list[int | None]]:
        """Process ids of the present lives."""
        return {
            "media": [w.child.pid for w in self._workers],
            "recorder": [r.child.pid for r in self._recorders],
        }

    def counters(self) -> dict[str, float]:
        """Totals over all children, dead ones included."""
        return {
            **totals("media", self._workers),
            **totals("recorder", self._recorders),
            "media_legs_refused": float(self._lending.refused),
            "recorder_busy": float(sum(not r.candidate().taking for r in self._recorders)),
            "recorder_refused": float(self._recordings.refused),
        }

    def load_sounds(self) -> None:
        """Give every worker the sounds as they are now."""
        for index in range(len(self._workers)):
            self._load_sounds(index)

    def _load_sounds(self, index: int) -> None:
        for sound in self._sounds():
            self._workers[index].child.send(sound)

    # --- legs

    async def lend(self, host: str, *, beside: MediaLeg | None = None) -> MediaLeg:
        """Return a leg bound at `host`, on the worker of `beside`; raises `NoPortError`."""
        return await self._lending.lend(host, beside=beside)

    async def lend_two(self, host: str) -> tuple[MediaLeg, MediaLeg]:
        """Return two legs on one worker; raises `NoPortError`."""
        return await self._lending.lend_two(host)

    def admit_transcoding(self, leg: MediaLeg, *, wanted: bool) -> bool:
        """Let a leg's call be transcoded, up to the number that its worker can bear."""
        share = -(-self._config.max_transcoded // len(self._workers))
        admitted = self._workers[leg.worker].transcoded
        if not wanted:
            admitted.discard(leg.leg_id)
        elif leg.leg_id not in admitted:
            if len(admitted) >= share:
                return False
            admitted.add(leg.leg_id)
        return True

    def release(self, leg: MediaLeg) -> None:
        self._workers[leg.worker].transcoded.discard(leg.leg_id)
        worker = self._workers[leg.worker]
        if leg.life == worker.child.starts and leg.leg_id in worker.legs:
            worker.child.send(ReleaseLeg(leg.leg_id), at_once=False)
            self._lending.cool(leg.local.port)
        else:
            leg.let_go()

    def to_worker(self, leg: MediaLeg, message: LegMessage) -> None:
        """Send on behalf of a leg, unless its worker's life is over."""
        worker = self._workers[leg.worker]
        if leg.life == worker.child.starts:
            worker.child.send(message)

    # --- recordings

    def new_recording(self, leg: MediaLeg, relative_path: str) -> OpenRecording:
        """Choose the recorder for a recording of `leg`'s call; raises `RecorderBusyError`."""
        return self._recordings.begin(leg.worker, relative_path)

    def stop_recording(self, recording: OpenRecording) -> None:
        """Mark the end in the ring; `recording.result` follows."""
        self._workers[recording.worker].child.send(self._recordings.stop(recording))

    # --- children

    def _make_worker(self, index: int) -> Worker:
        spec = worker_spec(index, self._config, self._rings[index])
        worker = Worker(
            Child(
                spec,
                on_message=lambda message: self._from_worker(worker, message),
                on_start=lambda: self._worker_started(index),
                on_death=lambda: self._worker_died(index),
            )
        )
        return worker

    def _make_recorder(self, index: int) -> Recorder:
        state_fd = make_memory(f"state-{index}", STATE_SIZE)
        self._memories.append(state_fd)
        spec = recorder_spec(
            index,
            [row[index] for row in self._rings],
            state_fd=state_fd,
            folder=self._folder,
            quality=self._quality,
            lock_fd=self._lock_fd,
        )
        recorder = Recorder(
            Child(
                spec,
                on_message=lambda message: self._from_recorder(recorder, message),
                on_start=lambda: None,
                on_death=lambda: recorder.died(),  # noqa: PLW0108 - it is not made yet
            ),
        )
        return recorder

    def _worker_started(self, index: int) -> None:
        self._lending.restock(self._workers[index])
        self._load_sounds(index)
        for mark in self._recordings.stopping(index):
            self._workers[index].child.send(mark)

    def _from_worker(self, worker: Worker, message: FromMediaWorker) -> None:
        match message:
            case PortsOffered():
                self._lending.take_offer(message, worker)
            case LegReleased(leg_id):
                leg = worker.legs.pop(leg_id, None)
                if leg is not None:
                    leg.statistics = message
                    leg.let_go()
            case (
                FirstPacket()
                | MediaTimeout()
                | MediaResumed()
                | PlayStarted()
                | PlayFinished()
                | DigitReceived()
                | KeysDue()
                | CodeReceived()
            ):
                leg = worker.legs.get(message.leg_id)
                if leg is not None and leg.on_event is not None:
                    leg.on_event(message)
            case Counters(values):
                worker.counted.count(values, values["cpu_seconds"])
            case LogLine(level, name, text):
                logging.getLogger(name).log(level, text)

    def _worker_died(self, index: int) -> None:
        worker = self._workers[index]
        worker.counted.died()
        self._lending.forget(worker)
        legs, worker.legs = list(worker.legs.values()), {}
        for leg in legs:
            leg.let_go()
            if leg.on_lost is not None:
                leg.on_lost()

    def _from_recorder(self, recorder: Recorder, message: FromRecorder) -> None:
        match message:
            case RecorderReady() | RecordingOpened() | RecordingClosed():
                self._recordings.take(recorder, message)
            case RecorderLoad():
                recorder.pressure = message
            case Counters(values):
                recorder.counted.count(values, values["cpu_s"])
            case LogLine(level, name, text):
                logging.getLogger(name).log(level, text)


@contextlib.asynccontextmanager
async def media_plane(
    config: MediaConfig,
    *,
    folder: Path,
    quality: int,
    lock_fd: int,
    adopt: Adopt,
    sounds: Callable[[], Iterable[LoadSound]],
) -> AsyncIterator[MediaPlane]:
    """Run a media plane while the context is open; `sounds` is asked for at each worker's start."""
    plane = MediaPlane(
        config, folder=folder, quality=quality, lock_fd=lock_fd, adopt=adopt, sounds=sounds
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(plane.run())
        try:
            yield plane
        finally:
            await plane.close()
            running.cancel()
