"""Two legs joined: offers and answers pass through with our address, the worker gets routes.

`forward_offer` and `forward_answer` serve the first INVITE and every re-INVITE of either side
alike (:rfc:`3264`). Where one side stands alone, because a menu speaks to it, because it asks us
for an offer, or because its partner is not there yet, `answer_alone`, `offer_to` and
`take_answer` negotiate with that side only. `SdpError`s are the peer's: 488.
"""

from enum import IntEnum

from b2bua.calls.sessions.negotiation import Negotiation
from b2bua.media.leg import MediaLeg
from b2bua.media.to_worker import EventRecoding, Recoding, Route
from sip.audio_stream import AudioStream, NoCommonCodec
from sip.payload import Payload
from sip.route_plan import RoutePlan, routes

PTIMES_MS = frozenset({10, 20, 40, 60})
"Those that every codec of ours has (:rfc:`6716#section-2.1.4` knows no 30)."

DEFAULT_PTIME_MS = 20


class Side(IntEnum):
    """Caller and callee, as the recording numbers them."""

    A = 0
    B = 1

    @property
    def other(self) -> "Side":
        return Side.B if self is Side.A else Side.A


class Bridge:
    """The media of one call between two parties."""

    def __init__(
        self,
        leg_a: MediaLeg,
        leg_b: MediaLeg,
        convertible: tuple[Payload, ...] = (),
        sides: tuple[Negotiation | None, Negotiation | None] = (None, None),
        *,
        closed: bool = False,
    ) -> None:
        """Begin with nothing agreed, but for what `sides` bring from another call.

        `convertible`: codecs that we may transcode into each other; none: never.
        """
        self.legs = (leg_a, leg_b)
        self.sides = (
            sides[0] or Negotiation(leg_a, convertible),
            sides[1] or Negotiation(leg_b, convertible),
        )
        self._convertible = convertible
        self._closed = closed
        self._lent = False

    @property
    def held(self) -> bool:
        """Whether either side has put the call on hold."""
        return any(side.holds for side in self.sides)

    @property
    def closed(self) -> bool:
        """Whether the sides are kept apart, whatever is negotiated."""
        return self._closed

    # --- through to the other side

    def forward_offer(self, side: Side, body: bytes, *, narrow: bool = False) -> bytes:
        """Return the offer for the other side; raises `SdpError`.

        `narrow`: G.711 and digits only, where there is G.711, so that we can speak to both.
        """
        offering = self.sides[side]
        offering.take_offer(body, narrow=narrow)
        return offering.forward_to(self.sides[side.other])

    def forward_answer(self, side: Side, body: bytes, *, join: bool = True) -> bytes:
        """Return the answer for the side that offered; joins the legs; raises `SdpError`."""
        told = self.sides[side.other].answer_from(self.sides[side], body)
        self._admit()
        if join:
            self.join()
        return told

    def wider_offer(self, side: Side) -> bytes | None:
        """Return a second offer for a side that refused ours; None: there is no more to offer."""
        return self.sides[side].relay_wider()

    # --- with one side alone

    def answer_alone(self, side: Side, body: bytes) -> bytes:
        """Return our own answer to an offer: G.711 and digits; raises `SdpError`."""
        return self.sides[side].answer_alone(body)

    def offer_to(self, side: Side) -> bytes:
        """Return an offer of ours, with what the other side has said in mind."""
        return self.sides[side].offer_alone(self.sides[side.other])

    def offer_for_lent(self, side: Side) -> bytes:
        """Return an offer to whoever is to talk to the other side, who comes from another call."""
        return self.sides[side].offer_for(self.sides[side.other])

    def news_for(self, side: Side, *, anyway: bool = False) -> bytes | None:
        """Return the offer that tells a side what the other one has said alone with us.

        None where it knows; `anyway`: also then.
        """
        told, said = self.sides[side], self.sides[side.other]
        if said.heard is None or (told.knows(said) and not anyway):
            return None
        return told.relay(said.heard)

    def lift_for(self, side: Side) -> bytes | None:
        """Return the offer that would bring a side to wideband behind a menu; None: none would."""
        return self.sides[side].lift_to(self.sides[side.other])

    def take_answer(self, side: Side, body: bytes) -> None:
        """Take the answer to `offer_to`; joins the legs where both agree; raises `SdpError`."""
        self.sides[side].take_answer(body)
        self._admit()
        self.join()

    def join(self) -> None:
        """Let the sides hear each other, or change the routes.

        Does nothing without a partner, and while the bridge is closed.
        """
        first, second = (side.stream for side in self.sides)
        if first is None or second is None or self._closed:
            return
        a_to_b, b_to_a = routes(first, second, self._convertible)
        self.legs[0].bridge(self.legs[1], _route(a_to_b, second), _route(b_to_a, first))

    def _admit(self) -> None:
        """Ask for the processor's time that transcoding takes, or give it back.

        Raises `NoCommonCodec` where there is none left.
        """
        first, second = (side.stream for side in self.sides)
        if first is None or second is None:
            return
        plans = routes(first, second, self._convertible)
        wanted = any(plan.shares_none for plan in plans)
        if not self.legs[0].transcode(wanted=wanted):
            raise NoCommonCodec("as many calls are transcoded as may be")

    def close(self) -> None:
        """Let neither side hear the other, whatever is negotiated, until `open`."""
        self._closed = True
        self.legs[0].unbridge(self.legs[1])

    def open(self) -> None:
        """Let the sides hear each other again."""
        if self._closed and not self._lent:
            self._closed = False
            self.join()

    def lend(self) -> None:
        """Let one side go into another call: nothing here joins the two until `take_back`."""
        self.close()
        self._lent = True

    def take_back(self) -> None:
        """Have both sides here again; raises `SdpError` where they have nothing in common now."""
        self._lent = False
        self.open()


def _route(plan: RoutePlan, sink: AudioStream) -> Route:
    return Route(
        payload_types=dict(plan.payload_types),
        transcode=dict(plan.transcode),
        recodings={
            number: Recoding(source, target, plan.payload_types[number], _ptime(sink))
            for number, (source, target) in plan.recode.items()
        },
        events={
            number: EventRecoding(plan.payload_types[number], *rates)
            for number, rates in plan.events.items()
        },
    )


def _ptime(sink: AudioStream) -> int:
    """Return the length of packets that we make for a side: its wish, where that can be done."""
    return sink.ptime_ms if sink.ptime_ms in PTIMES_MS else DEFAULT_PTIME_MS
