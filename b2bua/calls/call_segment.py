"""One segment of a call's recording: from one start to its stop, and what became of the file."""

from dataclasses import dataclass, field

from b2bua.calls.bridge import Side
from b2bua.media.leg import MediaLeg
from b2bua.media.members import OpenRecording
from b2bua.media.messages import RecordingClosed
from recording.spec import RecordingSpec, StreamFormat


@dataclass(eq=False, slots=True)
class Segment:
    """One start and stop."""

    segment_id: str
    open: OpenRecording
    formats: list[tuple[StreamFormat, ...]]
    "What each side may send, as the recorder knows it."
    spec: RecordingSpec | None = None
    tapped: dict[Side, MediaLeg] = field(default_factory=dict)
    "Sides that are in it, with their legs; the others are silence."
    stopped: bool = False
    result: RecordingClosed | None = None

    def let_nobody_in(self) -> None:
        """Keep what the sides say out of the ring from here on."""
        for leg in self.tapped.values():
            leg.close_tap()
        self.tapped.clear()

    @property
    def playable_s(self) -> float:
        """Seconds of a file that plays."""
        result = self.result
        return result.duration_s if result is not None and result.relative_path else 0.0

    def is_short(self, minimum_s: float) -> bool:
        """Whether it ended well and is below the configured minimum."""
        result = self.result
        return result is not None and result.failure is None and self.playable_s < minimum_s
