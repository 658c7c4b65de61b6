"""The file of one recording: samples in, frames of MP3 on the disk.

The encoder runs in a thread of its own (`recording/encoder_pool.py`), so what that thread does is
kept apart here from what the tick asks. They share two things: the log of what was handed over to
the writer, which one appends to and the other reads, and the first failure.
"""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from recording.checkpoint import Progress
from recording.encoder import ENCODER_DELAY_SAMPLES, FRAME_SAMPLES, Encoder
from recording.encoder_pool import EncoderPool
from recording.mp3 import iter_frames
from recording.writer import Writer, WriteResult

logger = logging.getLogger("recording")


class EncodedFile:
    """A file that grows."""

    def __init__(
        self,
        recording_id: int,
        *,
        sample_rate: int,
        encoder: Encoder,
        encoders: EncoderPool,
        writer: Writer,
        frames: int = 0,
    ) -> None:
        """`frames`: those that are in the file already."""
        self._recording_id = recording_id
        self._sample_rate = sample_rate
        self._encoder = encoder
        self._encoders = encoders
        self._writer = writer
        self._frames_before = frames
        self._handed: deque[tuple[int, int]] = deque([(writer.appended_octets, frames)])
        "Octets and frames after each hand-over to the writer, oldest first."
        self._encode_failure: str | None = None

    # --- what the tick asks

    def append(self, pcm: NDArray[np.int16]) -> None:
        """Encode samples behind those that were appended before."""
        self._encoders.submit(self._recording_id, partial(self._attempt, self._encode, pcm))

    def finish(self, samples: int) -> None:
        """Write the last frames: as many as bring the length nearest to `samples`."""
        self._encoders.submit(self._recording_id, partial(self._finish, samples))

    def give_up(self, reason: str) -> None:
        """Have a result now; what is on the disk stays a `.part`."""
        self._writer.give_up(reason)

    @property
    def result(self) -> WriteResult | None:
        """How the file ended, as soon as it has."""
        return self._writer.result.result() if self._writer.result.done() else None

    @property
    def broken(self) -> str | None:
        """Why no more audio can come into the file, if so."""
        return self._encode_failure or self._writer.failure

    @property
    def frames_written(self) -> int:
        """How many frames survive this process."""
        return self._reached(self._writer.written_octets)[1]

    @property
    def progress(self) -> Progress:
        """How far the file is, in octets that survive this process."""
        octets, frames = self._reached(self._writer.written_octets)
        return Progress(path=self._writer.relative_path, octets=octets, frames=frames)

    def seconds_in(self, octets: int) -> float:
        """Return how much of the recording the first `octets` hold, a last frame counted whole."""
        known, frames = self._reached(octets)
        frames += (octets - known) // self._encoder.frame_octets
        return max(0, frames * FRAME_SAMPLES - ENCODER_DELAY_SAMPLES) / self._sample_rate

    def _reached(self, octets: int) -> tuple[int, int]:
        """Return octets and frames of the last hand-over that ended within `octets`."""
        reached = (0, 0)
        for each in tuple(self._handed):
            if each[0] <= octets:
                reached = each
        return reached

    # --- what the encoder's thread does

    def _attempt(self, step: Callable[..., None], *arguments: object) -> None:
        """Take a step, unless one has failed before."""
        if self._encode_failure is not None:
            return
        try:
            step(*arguments)
        except Exception as error:
            logger.exception("encoding failed", extra={"recording_id": self._recording_id})
            self._encode_failure = f"encoder: {error}"

    def _encode(self, pcm: NDArray[np.int16]) -> None:
        frames = self._encoder.encode(pcm)
        if frames:
            self._hand_over(frames, self._frames_before + self._encoder.frames)

    def _finish(self, samples: int) -> None:
        self._attempt(self._flush, samples)
        self._writer.finish(keep=self._handed[-1][1] > 0)

    def _flush(self, samples: int) -> None:
        before = self._handed[-1][1]
        wanted = round((samples + ENCODER_DELAY_SAMPLES) / FRAME_SAMPLES) if samples else 0
        data = self._encoder.flush()
        ends = [offset + header.octets for offset, header in iter_frames(data)]
        keep = min(max(0, wanted - before), len(ends))
        if keep:
            self._hand_over(data[: ends[keep - 1]], before + keep)

    def _hand_over(self, frames: bytes, total: int) -> None:
        """Give frames to the writer, `total` of the file with them."""
        self._writer.append(frames)
        self._handed.append((self._writer.appended_octets, total))
        written = self._writer.written_octets
        while len(self._handed) > 1 and self._handed[1][0] <= written:
            self._handed.popleft()
