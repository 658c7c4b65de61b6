"""Two legs joined: what each side offers and answers, and what the worker is told of it.

Mostly an offer passes through with our address and its answer comes back (`forward_offer`,
`forward_answer`); the first INVITE and every re-INVITE of either side are alike (:rfc:`3264`).
Where one side stands alone, because a menu speaks to it, because it asks us for an offer, or
because its partner is not there yet, `answer_alone`, `offer_to` and `take_answer` negotiate with
that side only. Nothing changes before the answer: a refused offer leaves all as it was.
"""

import secrets
from enum import IntEnum

from b2bua.media.leg import Law, MediaLeg
from b2bua.media.messages import Route
from recording.spec import StreamFormat
from sip.address import HostPort
from sip.offer_answer import (
    AudioStream,
    Origin,
    RoutePlan,
    audio_stream,
    first_offer,
    narrowed,
    negotiated,
    own_answer,
    relay_answer,
    relay_offer,
    routes,
    standing_offer,
)
from sip.payload import LAWS, TELEPHONE_EVENT, Payload
from sip.sdp import SessionDescription

_FIXED = {
    number: StreamFormat(payload_type=number, encoding=name, clock_rate=8000)
    for name, number in LAWS.items()
}


class Side(IntEnum):
    """Caller and callee, as the recording numbers them."""

    A = 0
    B = 1

    @property
    def other(self) -> "Side":
        return Side(1 - self)


class _Negotiation:
    """What was said with one side."""

    def __init__(self, leg: MediaLeg) -> None:
        self.leg = leg
        self.origin = Origin(session_id=secrets.randbits(31), version=0, host=leg.local.host)
        self.standing: SessionDescription | None = None
        "What we sent last, agreed on or not: numbers, order and version go on from it."
        self.offered: SessionDescription | None = None
        "Its newest offer."
        self.offering: SessionDescription | None = None
        "Our newest offer."
        self.heard: SessionDescription | None = None
        "What it said last, as agreed."
        self.stream: AudioStream | None = None
        "What it may send and wants to receive, as agreed."
        self._told: tuple[HostPort, tuple[int, ...]] | None = None

    def agree(self, ours: SessionDescription, theirs: SessionDescription) -> None:
        """Take over what both descriptions name, and tell the worker where the peer is."""
        self.stream = negotiated(ours, theirs)
        self.heard = theirs
        told = (self.stream.remote, tuple(self.stream.incoming()))
        if told != self._told:
            self._told = told
            self.leg.set_remote(told[0], "exact", told[1])


class Bridge:
    """The media of one call between two parties. `SdpError`s are the peer's: 488."""

    def __init__(self, leg_a: MediaLeg, leg_b: MediaLeg) -> None:
        self.legs = (leg_a, leg_b)
        self._sides = (_Negotiation(leg_a), _Negotiation(leg_b))

    @property
    def held(self) -> bool:
        """Whether either side has put the call on hold."""
        return any(self.holds(side) for side in Side)

    def holds(self, side: Side) -> bool:
        """Tell whether this side wants no media."""
        stream = self._sides[side].stream
        return stream is not None and stream.held

    # --- through to the other side

    def forward_offer(self, side: Side, body: bytes, *, narrow: bool = False) -> bytes:
        """Return the offer for the other side; raises `SdpError`.

        `narrow`: G.711 and digits only, where there is G.711, so that we can speak to both.
        """
        offer = SessionDescription.parse(body)
        self._sides[side].offered = narrowed(offer) if narrow else offer
        return self._offer(side.other, self._sides[side].offered)

    def forward_answer(self, side: Side, body: bytes, *, join: bool = True) -> bytes:
        """Return the answer for the side that offered; joins the legs; raises `SdpError`."""
        answering, offering = self._sides[side], self._sides[side.other]
        offer = offering.offered
        assert offer is not None
        assert answering.offering is not None
        answer = SessionDescription.parse(body)
        told = relay_answer(
            offer,
            answer,
            local=offering.leg.local,
            origin=offering.origin,
            standing=offering.standing,
        )
        answering.agree(answering.offering, answer)
        offering.standing = told
        offering.agree(told, offer)
        if join:
            self.join()
        return bytes(told)

    # --- with one side alone

    def answer_alone(self, side: Side, body: bytes) -> bytes:
        """Return our own answer to an offer: G.711 and digits; raises `SdpError`."""
        one = self._sides[side]
        offer = SessionDescription.parse(body)
        told = own_answer(offer, local=one.leg.local, origin=one.origin, standing=one.standing)
        one.standing = told
        one.agree(told, offer)
        return bytes(told)

    def offer_to(self, side: Side) -> bytes:
        """Return an offer for a side alone.

        Made of what the other side said last; of nothing (both laws, digits) where that has not
        said a word; and anew as it stands where this side has heard of us already.
        """
        one, other = self._sides[side], self._sides[side.other]
        if one.standing is not None:
            one.standing = one.offering = standing_offer(one.standing)
        elif other.heard is not None:
            return self._offer(side, narrowed(other.heard))
        else:
            one.standing = one.offering = first_offer(local=one.leg.local, origin=one.origin)
        return bytes(one.offering)

    def take_answer(self, side: Side, body: bytes) -> None:
        """Take the answer to `offer_to`; joins the legs where both agree; raises `SdpError`."""
        one = self._sides[side]
        assert one.offering is not None
        one.agree(one.offering, SessionDescription.parse(body))
        self.join()

    def join(self) -> None:
        """Let the sides hear each other, or change the routes; without a partner do nothing."""
        first, second = (each.stream for each in self._sides)
        if first is None or second is None:
            return
        a_to_b, b_to_a = routes(first, second)
        self.legs[0].bridge(self.legs[1], _route(a_to_b), _route(b_to_a))

    # --- what was agreed

    def formats(self, side: Side) -> tuple[StreamFormat, ...]:
        """Return what `side` may send, as the recorder must decode it.

        Both laws of G.711 have fixed numbers (:rfc:`3551#section-6`), so they are known
        whether negotiated or not: a re-INVITE may bring the other one in mid-call.
        """
        negotiated_formats = {
            number: StreamFormat(
                payload_type=number,
                encoding=payload.encoding.upper(),
                clock_rate=payload.clock_rate,
                channels=payload.channels,
            )
            for number, payload in self._incoming(side).items()
        }
        if not negotiated_formats:
            return ()
        return tuple((negotiated_formats | _FIXED | negotiated_formats).values())

    def event_types(self, side: Side) -> tuple[int, ...]:
        """Return the payload types of the telephone events that `side` may send."""
        return tuple(n for n, payload in self._incoming(side).items() if _is_event(payload))

    def sends_events(self, side: Side) -> int | None:
        """Return the payload type for events that we send to `side`; None: it knows none."""
        stream = self._sides[side].stream
        payloads = stream.payloads if stream is not None else ()
        return next((each.payload_type for each in payloads if _is_event(each)), None)

    def law(self, side: Side) -> Law | None:
        """Return the law in which we can speak to `side`; None: it has agreed on neither."""
        stream = self._sides[side].stream
        payloads = stream.payloads if stream is not None else ()
        codec = next((each for each in payloads if each.is_codec), None)
        if codec is None or codec.law is None:
            return None
        return 8 if codec.law == "PCMA" else 0

    def _incoming(self, side: Side) -> dict[int, Payload]:
        stream = self._sides[side].stream
        return stream.incoming() if stream is not None else {}

    def _offer(self, side: Side, source: SessionDescription | None) -> bytes:
        """Make the offer for `side` out of what the other one says."""
        assert source is not None
        one = self._sides[side]
        one.standing = one.offering = relay_offer(
            source, local=one.leg.local, origin=one.origin, standing=one.standing
        )
        return bytes(one.offering)


def offers_keys(body: bytes) -> bool:
    """Tell whether an offer names telephone events; raises `SdpError`."""
    return any(_is_event(each) for each in audio_stream(SessionDescription.parse(body)).payloads)


def _is_event(payload: Payload) -> bool:
    return payload.codec[0] == TELEPHONE_EVENT


def _route(plan: RoutePlan) -> Route:
    return Route(payload_types=plan.payload_types, transcode=plan.transcode)
