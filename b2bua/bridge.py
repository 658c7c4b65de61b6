"""Two legs joined: offers and answers pass through with our address, the worker gets routes.

`forward_offer` and `forward_answer` serve the first INVITE and every re-INVITE from either
side alike (:rfc:`3264`); what stands between them is the state of the negotiation.
"""

import secrets
from enum import IntEnum

from b2bua.media.leg import MediaLeg
from b2bua.media.messages import Route
from recording.spec import StreamFormat
from sip.offer_answer import (
    AudioStream,
    Origin,
    RoutePlan,
    audio_stream,
    negotiated,
    relay_answer,
    relay_offer,
    routes,
    standing_offer,
)
from sip.sdp import SessionDescription

_FIXED = {
    number: StreamFormat(payload_type=number, encoding=name, clock_rate=8000)
    for number, name in ((0, "PCMU"), (8, "PCMA"))
}


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
        self._origins = tuple(
            Origin(session_id=secrets.randbits(31), version=0, host=leg.local.host)
            for leg in self.legs
        )
        self._sent: list[SessionDescription | None] = [None, None]
        "What we told each side last."
        self._heard: list[SessionDescription | None] = [None, None]
        "What each side said last."
        self._streams: list[AudioStream | None] = [None, None]
        "What each side may send and wants to receive, as negotiated."

    @property
    def held(self) -> bool:
        """Whether either side has put the call on hold."""
        return any(stream is not None and stream.held for stream in self._streams)

    def forward_offer(self, side: Side, body: bytes) -> bytes:
        """Return the offer for the other side; raises `SdpError` (488).

        An empty body (a re-INVITE that asks for an offer) is the business of `own_offer`.
        """
        offer = SessionDescription.parse(body)
        self._connect(side, audio_stream(offer))
        self._heard[side] = offer
        other = side.other
        told = relay_offer(
            offer,
            local=self.legs[other].local,
            origin=self._origins[other],
            standing=self._sent[other],
        )
        self._sent[other] = told
        return bytes(told)

    def forward_answer(self, side: Side, body: bytes) -> bytes:
        """Return the answer for the side that offered; joins the legs; raises `SdpError`."""
        other = side.other
        offer, ours = self._heard[other], self._sent[side]
        assert offer is not None
        assert ours is not None
        answer = SessionDescription.parse(body)
        stream = negotiated(ours, answer)
        told = relay_answer(
            offer,
            answer,
            local=self.legs[other].local,
            origin=self._origins[other],
            standing=self._sent[other],
        )
        self._heard[side], self._sent[other] = answer, told
        self._streams[side] = stream
        self._streams[other] = negotiated(told, offer)
        self._connect(side, stream)
        self._join()
        return bytes(told)

    def own_offer(self, side: Side) -> bytes:
        """Return the offer for a side that asks for one (:rfc:`3261#section-14.2`)."""
        standing = self._sent[side]
        assert standing is not None
        self._sent[side] = standing_offer(standing)
        return bytes(self._sent[side] or b"")

    def formats(self, side: Side) -> tuple[StreamFormat, ...]:
        """Return what `side` may send, as the recorder must decode it.

        Both laws of G.711 have fixed numbers (:rfc:`3551#section-6`), so they are known
        whether negotiated or not: a re-INVITE may bring the other one in mid-call.
        """
        stream = self._streams[side]
        if stream is None:
            return ()
        negotiated_formats = {
            number: StreamFormat(
                payload_type=number,
                encoding=payload.encoding.upper(),
                clock_rate=payload.clock_rate,
                channels=payload.channels,
            )
            for number, payload in stream.incoming().items()
        }
        return tuple((negotiated_formats | _FIXED | negotiated_formats).values())

    def _connect(self, side: Side, stream: AudioStream) -> None:
        self.legs[side].set_remote(stream.remote, "exact", tuple(stream.incoming()))

    def _join(self) -> None:
        first, second = self._streams
        assert first is not None
        assert second is not None
        a_to_b, b_to_a = routes(first, second)
        self.legs[0].bridge(self.legs[1], _route(a_to_b), _route(b_to_a))


def _route(plan: RoutePlan) -> Route:
    return Route(payload_types=plan.payload_types, transcode=plan.transcode)
