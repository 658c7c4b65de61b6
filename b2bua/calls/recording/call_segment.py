"""One segment of a call's recording: who is heard from one start to its stop, and the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from b2bua.calls.sessions.bridge import Bridge, Side
from b2bua.media.from_recorder import RecordingClosed
from b2bua.media.leg import MediaLeg
from b2bua.media.members import OpenRecording
from recording.permit import RecordingPermit, encode
from recording.spec import OUR_VOICE, OURS, RecordingSpec, StreamFormat, TapSpec


@dataclass(eq=False, slots=True)
class Segment:
    """One start and stop."""

    segment_id: str
    open: OpenRecording
    spec: RecordingSpec
    formats: list[tuple[StreamFormat, ...]]
    "What each side may send, as the recorder knows it."
    tapped: dict[Side, MediaLeg] = field(default_factory=dict)
    "Sides that are in it, with their legs; the others are silence."
    stopped: bool = False
    result: RecordingClosed | None = None

    def let_in(
        self, bridge: Bridge, permits: Mapping[Side, RecordingPermit], *, with_us: bool
    ) -> None:
        """Let parties be heard in the file, each by its own permit.

        `with_us`: what we say to them as well.
        """
        for side, permit in permits.items():
            leg, negotiation = bridge.legs[side], bridge.sides[side]
            self.formats[side] = negotiation.formats
            self.tapped[side] = leg
            self._tap(leg, permit, leg.leg_id, side, negotiation.formats)
            if with_us:
                self._tap(leg, permit, leg.leg_id | OUR_VOICE, OURS, negotiation.our_formats)

    def _tap(
        self,
        leg: MediaLeg,
        permit: RecordingPermit,
        number: int,
        side: int,
        formats: tuple[StreamFormat, ...],
    ) -> None:
        """Open a tap of a leg, which the ring knows by its `number`."""
        leg.open_tap(
            permit,
            self.open.recorder,
            TapSpec(
                recording=self.spec,
                leg_id=number,
                side=int(side),
                formats=formats,
                permit=encode(permit),
            ),
        )

    def follow(self, bridge: Bridge) -> None:
        """Tell the recorder what the parties may send since they negotiated anew."""
        for side in Side:
            formats = bridge.sides[side].formats
            if formats and formats != self.formats[side]:
                self.formats[side] = formats
                bridge.legs[side].change_formats(formats)

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
