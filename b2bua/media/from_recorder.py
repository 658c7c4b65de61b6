"""What a recorder tells the signalling process. What it is told comes as marks in its rings."""

from b2bua.media.messages import Counters, LogLine, Message


class RecorderReady(Message, frozen=True, tag=True):
    """A recorder is up; after a restart with what it took up again."""

    resumed: tuple[int, ...]
    "recording_id of each recording that goes on."


class RecordingOpened(Message, frozen=True, tag=True):
    recording_id: int
    at: float
    "Instant of sample 0."


class RecordingClosed(Message, frozen=True, tag=True):
    """A recording ended; the file, if any, has its final name."""

    recording_id: int
    relative_path: str | None
    "None where there is no playable file."
    duration_s: float
    octets: int
    sha256: str
    channels: int
    failure: str | None
    "A reason in words where audio is missing."
    missing_s: float = 0.0
    undecoded: tuple[str, ...] = ()
    "Codecs that came and are silence in the file."


class RecorderLoad(Message, frozen=True, tag=True):
    """How hard pressed a recorder is, told when it changes (`recording/pressure.py`)."""

    taking: bool
    "Whether new recordings may be given to it."
    level: int
    "0 is calm."


FromRecorder = RecorderReady | RecordingOpened | RecordingClosed | RecorderLoad | Counters | LogLine
