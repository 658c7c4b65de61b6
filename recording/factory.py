"""Making recordings, new ones and those that a forerunner began."""

import queue
from datetime import UTC, datetime

from mixer.jitter_buffer import RATE, JitterBuffer
from recording import permit as permits
from recording.checkpoint import RecordingState
from recording.encoded_file import EncodedFile
from recording.encoder import FRAME_SAMPLES, Encoder
from recording.encoder_pool import EncoderPool
from recording.folder import Folder
from recording.id3 import tag
from recording.permit import RecordingPermit
from recording.pressure import Pressure
from recording.session import Recording
from recording.spec import RecordingSpec
from recording.splice import plan
from recording.takeup import OpenFile
from recording.writer import Writer
from recording.writer_pool import Kicker


class RefusedError(Exception):
    """The recording can't be gone on with, for the reason given."""


class RecordingFactory:
    """Gives each recording its encoder, its writer and its place in the jitter buffer."""

    def __init__(
        self,
        *,
        folder: Folder,
        writers: Kicker,
        quality: int,
        encoders: EncoderPool,
        buffer: JitterBuffer,
        pressure: Pressure,
    ) -> None:
        self.folder = folder
        self.done: queue.SimpleQueue[int] = queue.SimpleQueue()
        "recording_id of each writer that has its result; filled by the writers' threads."
        self._writers = writers
        self._quality = quality
        self._encoders = encoders
        self._buffer = buffer
        self._pressure = pressure

    def begin(
        self,
        permit: RecordingPermit,
        spec: RecordingSpec,
        *,
        ring: int,
        at_ns: int,
        file: OpenFile | None,
    ) -> Recording:
        """Return a recording that begins at `at_ns`; `file` is there to be begun anew.

        Whether there is room for it is the signalling process's question: what that has let
        in is not turned away here.
        """
        writer = self._writer(spec.relative_path, spec, 0 if file is not None else None)
        if spec.title:
            started = datetime.fromtimestamp(spec.started_at, tz=UTC)
            writer.append(tag(title=spec.title, recorded_at=started))
        return Recording(
            permit,
            spec=spec,
            ring=ring,
            origin_ns=at_ns,
            buffer=self._buffer,
            file=self._file(
                spec,
                self._encoder(spec, quality=self._pressure.quality(self._quality)),
                writer,
            ),
        )

    def resume(self, state: RecordingState, file: OpenFile | None) -> Recording:
        """Return the recording that goes on behind the last frame of `file`.

        Raises `RefusedError`, and `InvalidPermitError` where a permit is none any more.
        """
        if not state.tracks:
            raise RefusedError("no party was left when the recorder died")
        spec = state.spec
        frames = file.frames if file is not None else 0
        joint = plan(frames)
        path = file.path if file is not None else spec.relative_path
        tracks = [(permits.decode(each.permit), each) for each in state.tracks]
        recording = Recording(
            tracks[0][0],
            spec=spec,
            ring=state.ring,
            origin_ns=state.origin_ns,
            buffer=self._buffer,
            file=self._file(
                spec,
                self._encoder(spec, quality=self._quality, skip_frames=joint.skip_frames),
                self._writer(path, spec, file.octets if file is not None else None),
                frames,
            ),
            mixed=joint.first_sample * RATE // spec.sample_rate,
        )
        reached = frames * FRAME_SAMPLES * RATE // spec.sample_rate
        recording.restore(state, missing_samples=max(0, state.place - reached))
        for permit, each in tracks:
            recording.restore_track(permit, each)
        return recording

    def _file(
        self, spec: RecordingSpec, encoder: Encoder, writer: Writer, frames: int = 0
    ) -> EncodedFile:
        return EncodedFile(
            spec.recording_id,
            sample_rate=spec.sample_rate,
            encoder=encoder,
            encoders=self._encoders,
            writer=writer,
            frames=frames,
        )

    def _writer(self, path: str, spec: RecordingSpec, resume_octets: int | None) -> Writer:
        return Writer(
            path,
            folder=self.folder,
            pool=self._writers,
            resume_octets=resume_octets,
            on_result=lambda _: self.done.put(spec.recording_id),
        )

    def _encoder(self, spec: RecordingSpec, *, quality: int, skip_frames: int = 0) -> Encoder:
        return Encoder(
            sample_rate=spec.sample_rate,
            input_rate=spec.mix_rate,
            channels=spec.channels,
            quality=quality,
            skip_frames=skip_frames,
        )
