"""What a recorder tells about its recordings."""

from dataclasses import dataclass

from mixer.jitter_buffer import RATE
from recording.session import Recording
from recording.spec import RecordingSpec
from recording.takeup import FinishedFile
from recording.writer import WriteResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A recording began; place 0 of its axis is `at` (monotonic seconds)."""

    recording_id: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A recording ended; the file, if any, has its final name."""

    recording_id: int
    relative_path: str | None = None
    duration_s: float = 0.0
    octets: int = 0
    sha256: str = ""
    channels: int = 1
    failure: str | None = None
    "Why audio is missing, in words."
    missing_s: float = 0.0
    undecoded: tuple[str, ...] = ()
    "Codecs that came and are silence in the file."


def closed(recording: Recording, result: WriteResult) -> Closed:
    """Return the end of a recording whose writer has its result."""
    broken = recording.file.broken
    failure = recording.failure or broken or result.failure
    duration_s = recording.duration_s
    if broken is not None or result.failure is not None:
        duration_s = min(duration_s, recording.file.seconds_in(result.octets))
    return Closed(
        recording_id=recording.spec.recording_id,
        relative_path=result.relative_path,
        duration_s=duration_s if result.relative_path else 0.0,
        octets=result.octets,
        sha256=result.sha256,
        channels=recording.spec.channels,
        failure=failure,
        missing_s=recording.missing_samples / RATE + max(0.0, recording.duration_s - duration_s),
        undecoded=tuple(sorted(recording.undecoded)),
    )


def closed_before(spec: RecordingSpec, found: FinishedFile) -> Closed:
    """Return the end of a recording that the forerunner finished, perhaps unheard."""
    return Closed(
        recording_id=spec.recording_id,
        relative_path=found.path,
        duration_s=found.duration_s,
        octets=found.octets,
        sha256=found.sha256,
        channels=spec.channels,
    )
