"""Two legs joined: offers and answers pass through with our address, the worker gets routes.

`forward_offer` and `forward_answer` serve the first INVITE and every re-INVITE from either
side alike (:rfc:`3264`); what stands between them is the state of the negotiation.
"""

import secrets
from enum import IntEnum

from b2bua.media.messages import Route
from b2bua.media.plane import MediaLeg
from recording.spec import StreamFormat
from sip.offer_answer import (
    AudioStream,
    Origin,
    RoutePlan,
    audio_stream,
    relay_answer,
    relay_offer,
    routes,
)
from sip.sdp import SessionDescription


class Side(IntEnum):
    """Caller and callee, as the recording numbers them."""

    A = 0
    B = 1

    @property
    def other(self) -> "Side":
        return Side(1 - self)


class Bridge:
    """The media of one call between two parties."""

    def __init__(self, leg_a: MediaLeg, leg_b: MediaLeg) -> None:
        self.legs = (leg_a, leg_b)
        self._origins = [Origin(secrets.randbits(31), 0), Origin(secrets.randbits(31), 0)]
        self._sent: list[SessionDescription | None] = [None, None]
        "What each side was told last."
        self._streams: list[AudioStream | None] = [None, None]
        "What each side said last."
        self._offer: SessionDescription | None = None
        "The offer that waits for its answer, as it came in."

    @property
    def held(self) -> bool:
        """Whether either side has put the call on hold."""
        return any(stream is not None and stream.held for stream in self._streams)

    def forward_offer(self, side: Side, body: bytes) -> bytes:
        """Return the offer for the other side; raises `SdpError` (488)."""
        offer = SessionDescription.parse(body)
        stream = audio_stream(offer)
        self._offer = offer
        self._streams[side] = stream
        self._connect(side, stream)
        return self._tell(
            side.other,
            lambda origin: relay_offer(offer, local=self.legs[side.other].local, origin=origin),
        )

    def forward_answer(self, side: Side, body: bytes) -> bytes:
        """Return the answer for the side that offered; joins the legs; raises `SdpError`."""
        offer = self._offer
        assert offer is not None
        answer = SessionDescription.parse(body)
        stream = audio_stream(answer)
        self._streams[side] = stream
        local = self.legs[side.other].local
        told = self._tell(
            side.other,
            lambda origin: relay_answer(offer, answer, local=local, origin=origin),
        )
        self._connect(side, stream)
        self._join()
        return told

    def formats(self, side: Side) -> tuple[StreamFormat, ...]:
        """Return what `side` may send, as the recorder must decode it."""
        stream = self._streams[side]
        if stream is None:
            return ()
        return tuple(
            StreamFormat(
                payload_type=payload.payload_type,
                encoding=payload.encoding.upper(),
                clock_rate=payload.clock_rate,
                channels=payload.channels,
            )
            for payload in stream.payloads
        )

    def _connect(self, side: Side, stream: AudioStream) -> None:
        types = tuple(payload.payload_type for payload in stream.payloads)
        self.legs[side].set_remote(stream.remote, "exact", types)

    def _join(self) -> None:
        first, second = self._streams
        assert first is not None
        assert second is not None
        a_to_b, b_to_a = routes(first, second)
        self.legs[0].bridge(self.legs[1], _route(a_to_b), _route(b_to_a))


def _route(plan: RoutePlan) -> Route:
    return Route(payload_types=dict(plan.payload_types), transcode=dict(plan.transcode))
