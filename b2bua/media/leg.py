"""A lent media leg: one RTP socket pair of a media worker, as the signalling process sees it."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, Protocol

from b2bua.media.from_worker import (
    CodeReceived,
    DigitReceived,
    FirstPacket,
    KeysDue,
    LegReleased,
    MediaResumed,
    MediaTimeout,
    PlayFinished,
    PlayStarted,
)
from b2bua.media.to_worker import (
    Bridge,
    ChangeFormats,
    CloseTap,
    CollectDigits,
    LatchMode,
    LawName,
    OpenTap,
    Play,
    PlayPart,
    PressKeys,
    Route,
    SendDigits,
    SetRemote,
    SrtpKeys,
    StopPlay,
    Unbridge,
)
from b2bua.patience import patiently, settle
from recording.permit import RecordingPermit, encode
from recording.spec import OURS, StreamFormat, TapSpec, encode_formats, encode_tap
from sip.address import HostPort

LegMessage = (
    SetRemote
    | Bridge
    | Unbridge
    | OpenTap
    | ChangeFormats
    | CloseTap
    | Play
    | StopPlay
    | CollectDigits
    | PressKeys
    | SendDigits
)

LegEvent = (
    FirstPacket
    | MediaTimeout
    | MediaResumed
    | PlayStarted
    | PlayFinished
    | DigitReceived
    | KeysDue
    | CodeReceived
)

NO_TONES: Final[Mapping[int, LawName]] = MappingProxyType({})

Law = Literal[0, 8]
"PCMU or PCMA, by its payload type (:rfc:`3551#section-6`)."


class LegKeeper(Protocol):
    """Who lent the leg and knows its worker."""

    def to_worker(self, leg: "MediaLeg", message: LegMessage) -> None:
        """Send on behalf of a leg, unless its worker's life is over."""

    def release(self, leg: "MediaLeg") -> None:
        """Take the ports back."""

    def admit_transcoding(self, leg: "MediaLeg", *, wanted: bool) -> bool:
        """Tell whether one more call may be transcoded, and count it while that is `wanted`."""


@dataclass(eq=False, slots=True)
class MediaLeg:
    """A lent leg: one RTP socket pair of a media worker."""

    plane: LegKeeper
    leg_id: int
    worker: int
    life: int
    "Which life of the worker lent it."
    local: HostPort
    "Where it is bound, which need not be what its peer is told."
    on_event: Callable[[LegEvent], None] | None = None
    on_lost: Callable[[], None] | None = None
    "Called once when the media worker died under the leg."
    statistics: LegReleased | None = None
    "Its worker's last words about it."
    _gone: bool = False
    _farewell: asyncio.Future[None] | None = None
    _plays: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def set_remote(
        self,
        remote: HostPort,
        latch: LatchMode,
        types: tuple[int, ...],
        *,
        signalling: str = "",
        rtcp_port: int = 0,
        clock_rate: int = 8000,
        srtp: SrtpKeys | None = None,
    ) -> None:
        """Say where the peer receives (:rfc:`3264`); opens the latch anew.

        `signalling`: in NAT mode the address from which the peer's signalling comes.
        """
        self.plane.to_worker(
            self,
            SetRemote(
                leg_id=self.leg_id,
                host=remote.host,
                port=remote.port,
                latch=latch,
                signalling=signalling,
                payload_types=types,
                rtcp_port=rtcp_port,
                clock_rate=clock_rate,
                srtp=srtp,
            ),
        )

    def bridge(self, other: "MediaLeg", to_other: Route, from_other: Route) -> None:
        """Join with a leg of the same worker, or change the routes between them."""
        self.plane.to_worker(self, Bridge(self.leg_id, other.leg_id, to_other, from_other))

    def transcode(self, *, wanted: bool) -> bool:
        """Ask for the right to be transcoded, until it is released or no longer `wanted`."""
        return self.plane.admit_transcoding(self, wanted=wanted)

    def unbridge(self, other: "MediaLeg") -> None:
        self.plane.to_worker(self, Unbridge(self.leg_id, other.leg_id))

    def open_tap(self, permit: RecordingPermit, recorder: int, spec: TapSpec) -> None:
        """Let the leg's packets into the recorder's ring, on the strength of `permit`.

        Of the side `OURS`: what we say to the leg's party; to be opened behind its own tap.
        """
        self.plane.to_worker(
            self,
            OpenTap(
                leg_id=self.leg_id,
                party_id=permit.party_id,
                epoch=permit.epoch,
                recorder=recorder,
                permit=encode(permit),
                spec=encode_tap(spec),
                ours=spec.side == OURS,
            ),
        )

    def change_formats(self, formats: tuple[StreamFormat, ...]) -> None:
        """Tell the recorder, at this place of the leg's packets, what the party may send now."""
        self.plane.to_worker(self, ChangeFormats(self.leg_id, encode_formats(formats)))

    def close_tap(self) -> None:
        self.plane.to_worker(self, CloseTap(self.leg_id))

    def play(
        self, parts: tuple[PlayPart, ...], payload_type: int, codec: str = "", *, kept: bool = True
    ) -> int:
        """Let the party hear `parts` instead of all else; returns the id of the play.

        `codec` and `kept`: as in `Play`; no codec for G.711.
        """
        play_id = next(self._plays)
        play = Play(self.leg_id, play_id, parts, payload_type, codec=codec, kept=kept)
        self.plane.to_worker(self, play)
        return play_id

    def stop_play(self, play_id: int | None = None) -> None:
        """End what the party hears from us, or only that one play."""
        self.plane.to_worker(self, StopPlay(self.leg_id, play_id))

    def collect_digits(
        self,
        payload_types: tuple[int, ...] = (),
        *,
        codes: tuple[str, ...] = (),
        forward: bool,
        in_band: Mapping[int, LawName] = NO_TONES,
        in_band_codes: bool = False,
    ) -> None:
        """Listen to the party's keys.

        `payload_types`: of telephone events; `in_band`: of G.711 in which tones are listened for.
        """
        message = CollectDigits(
            self.leg_id,
            payload_types,
            codes=codes,
            forward=forward,
            in_band=dict(in_band),
            in_band_codes=in_band_codes,
        )
        self.plane.to_worker(self, message)

    def press_keys(self, keys: str) -> None:
        """Take keys of the party that came as INFO."""
        self.plane.to_worker(self, PressKeys(self.leg_id, keys))

    def send_digits(self, keys: str, payload_type: int, law: LawName | None = None) -> None:
        """Press keys towards the party, as telephone events or as tones in a law."""
        self.plane.to_worker(self, SendDigits(self.leg_id, keys, payload_type, law))

    def release(self) -> None:
        """Give the ports back."""
        self.plane.release(self)

    def let_go(self) -> None:
        """Note that its worker has said its last words about the leg, or won't say any."""
        self._gone = True
        if self._farewell is not None:
            settle(self._farewell, None)

    async def last_words(self, patience_s: float) -> None:
        """Wait until there are `statistics` of a leg that was released, or won't be any."""
        if not self._gone:
            self._farewell = asyncio.get_running_loop().create_future()
            await patiently(self._farewell, patience_s, None)
