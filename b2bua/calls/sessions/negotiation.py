"""What was said with one side of a call about its media (:rfc:`3264`), and where its leg is told.

Nothing changes before an answer: an offer that is refused leaves all as it was.
"""

from b2bua.calls.sessions.agreed import Agreed
from b2bua.calls.sessions.key_exchange import KeyExchange
from b2bua.calls.sessions.media_way import MediaWay
from b2bua.calls.sessions.our_session import OurSession
from b2bua.media.leg import MediaLeg
from sip.audio_stream import (
    RECEIVES,
    SENDS,
    AudioStream,
    Direction,
    audio_index,
    audio_stream,
    written_direction,
)
from sip.offer_answer import (
    first_offer,
    narrowed,
    negotiated,
    own_answer,
    readdressed,
    relay_answer,
    relay_offer,
    says_the_same,
    standing_offer,
    told_direction,
)
from sip.payload import Payload
from sip.sdp import SdpError, SessionDescription
from sip.secure_media import as_plain
from sip.transcoding import among


class Negotiation(Agreed):
    """One side. `SdpError`s are the peer's: 488."""

    def __init__(self, leg: MediaLeg, convertible: tuple[Payload, ...] = ()) -> None:
        """Begin with nothing agreed.

        `convertible`: codecs that we may transcode into each other; none: never.
        """
        super().__init__(convertible)
        self.leg = leg
        self.keys = KeyExchange()
        self._generous = False
        "Our newest offer has all that we can transcode."
        self.lifts = False
        "What a menu has kept from this side may be agreed on behind it."
        self._kept: SessionDescription | None = None
        "What the side has offered and was answered in G.711 alone, because we speak to it."
        self._way = MediaWay(leg.local.host)
        self._ours = OurSession(leg.local)
        self._offered: SessionDescription | None = None
        "Its newest offer."
        self._asked: SessionDescription | None = None
        "`_offered`, as it was written: with what it says of SRTP."
        self._source: SessionDescription | None = None
        "What our newest offer was made of, where the other side had said something."
        self.heard: SessionDescription | None = None
        "What it said last, as agreed."
        self._said: SessionDescription | None = None
        "`heard`, as it was written."
        self.wish: Direction = "sendrecv"
        "The direction that it chose when all were open to it: anything else is a hold of its own."
        self.entertained = False
        "Where its partner holds, it hears us meanwhile."
        self._told: object = None
        "What the media worker was told last."

    # --- who it is

    def meet(self, way: MediaWay) -> None:
        """Take note of how media goes to the peer, as soon as it is known who that is."""
        self.keys.meet(way.srtp, way.unkeyed)
        before, self._way = self._way, way
        if way.host != before.host:
            self._ours.move_to(way.host)

    def offer_by(self, way: MediaWay, *, last: bool) -> bytes:
        """Return the newest offer as one of several peers is to be told it.

        `last`: it gets no other one, whatever it says to this.
        """
        offering = self._ours.offering
        assert offering is not None
        offer = self._ours.say(offering, self.keys.variant(offering, way.srtp, last=last))
        return bytes(readdressed(offer, way.host))

    # --- an offer and an answer that pass through

    def take_offer(self, body: bytes, *, narrow: bool = False) -> None:
        """Keep an offer of the side, to be answered when the other side has."""
        offer = self._take_offer(body)
        self._offered = narrowed(offer) if narrow else offer
        self._kept = offer if narrow else None

    def _take_offer(self, body: bytes) -> SessionDescription:
        """Return an offer of the side as plain RTP."""
        self._asked = SessionDescription.parse(body)
        self.meet(self._way.towards(_media_host(self._asked)))
        return self.keys.read_offer(self._asked)

    def forward_to(self, other: "Negotiation") -> bytes:
        """Return our offer to `other`, made of what this side offers."""
        assert self._offered is not None
        return other.relay(self._offered)

    def answer_from(self, other: "Negotiation", body: bytes) -> bytes:
        """Take the answer of `other` and return the one for this side."""
        assert self._offered is not None
        said = SessionDescription.parse(body)
        answer = other.keys.read_answer(said)
        told = relay_answer(
            self._offered,
            answer,
            local=self._ours.local,
            origin=self._ours.origin,
            standing=self._ours.standing,
            convertible=self._convertible,
            entertained=self._hears_us,
        )
        other.agree_on(answer, said)
        return self._answer(told, self._offered)

    # --- with this side alone

    def answer_alone(self, body: bytes) -> bytes:
        """Return our own answer to an offer: G.711 and digits."""
        offer = self._kept = self._take_offer(body)
        told = own_answer(
            offer,
            local=self._ours.local,
            origin=self._ours.origin,
            standing=self._ours.standing,
            convertible=self._convertible,
        )
        return self._answer(told, offer)

    def _answer(self, told: SessionDescription, offer: SessionDescription) -> bytes:
        """Agree on our answer to the offer that was taken last, and return it."""
        answer = self._ours.say(told, self.keys.dress_answer(told))
        assert self._asked is not None
        self._agree(told, offer, self._asked)
        return bytes(answer)

    def offer_alone(self, other: "Negotiation | None" = None) -> bytes:
        """Return an offer of ours.

        It stands as before where this side has heard of us; else it is made of what `other` said
        last, or of nothing: both laws and digits.
        """
        if self._ours.standing is not None:
            # A hold of the other side stays one; this side's own may end with its answer.
            direction: Direction = "sendrecv" if other is None else other.wish
            direction = told_direction(direction, entertained=self._hears_us)
            offer = standing_offer(self._ours.standing, direction=direction)
        elif other is not None and other.heard is not None:
            return self.relay(other.kept() or narrowed(other.heard))
        else:
            offer = first_offer(local=self._ours.local, origin=self._ours.origin)
        return self._offer(offer)

    def _offer(self, offer: SessionDescription) -> bytes:
        """Return an offer of ours as it is sent."""
        self._ours.offering = offer
        return bytes(self._ours.say(offer, self.keys.dress_offer(offer)))

    def offer_for(self, other: "Negotiation") -> bytes:
        """Return an offer for a new partner of `other`, who was told things by another one.

        What `other` said last may have been the answer to a hold: its own wish counts.
        """
        assert other.heard is not None
        return self.relay(standing_offer(narrowed(other.heard), direction=other.wish))

    def take_answer(self, body: bytes) -> None:
        """Take the answer to an offer of ours."""
        said = SessionDescription.parse(body)
        self.agree_on(self.keys.read_answer(said), said)

    def agree_on(self, answer: SessionDescription, said: SessionDescription) -> None:
        """Take an answer that was read already; `said`: as it was written."""
        offering = self._ours.offering
        assert offering is not None
        line = offering.media[audio_index(offering)]
        free = written_direction(offering, line) == "sendrecv"
        self._agree(offering, answer, said, free=free)

    # --- from narrow to wide, behind a menu

    def kept(self) -> SessionDescription | None:
        """Return what we could have agreed on with the side; None: no wideband, or not wanted."""
        if not self.lifts or self._kept is None:
            return None
        wide = tuple(each for each in self._convertible if each.law is None)
        if not any(among(each, wide) for each in audio_stream(self._kept).payloads):
            return None
        return narrowed(self._kept, beside=wide)

    def lift_to(self, other: "Negotiation") -> bytes | None:
        """Return an offer to this side of the wideband that `other` has; None: no reason for one.

        `other` has agreed on it, or offered it before a menu.
        """
        if self.is_wide or self.stream is None or self._ours.agreed is None:
            return None
        mine, theirs, codec = self.kept(), other.kept(), other.codec
        if other.is_wide and codec is not None and other.heard is not None:
            known = mine is not None and among(codec, audio_stream(mine).payloads)
            return self.relay(other.heard) if known else None
        told = audio_stream(self._ours.agreed).payloads
        was_offered = any(among(each, told) for each in self._convertible if each.law is None)
        return None if theirs is None or was_offered else self.relay(theirs)

    # --- what needs no new agreement

    def again(self, body: bytes) -> bytes | None:
        """Return what we said last, where the side says again what it has said; else None.

        Whatever its version: some phones count it up with each session refresh, and some not
        even with a hold. Raises `SdpError`.
        """
        said = SessionDescription.parse(body)
        if self._said is None or not says_the_same(said, self._said):
            return None
        return self.repeat()

    def repeat(self) -> bytes:
        """Return what was agreed on once more, as an offer or an answer of ours."""
        agreed = self._ours.agreed
        assert agreed is not None
        self._ours.offering = agreed
        return bytes(self._ours.say(agreed, self.keys.dress_agreed(agreed)))

    def knows(self, other: "Negotiation") -> bool:
        """Whether what this side was told still says what `other` sends and wants.

        As far as it matters: who holds wants to hear nothing, and so no news of that.
        """
        if self._ours.agreed is None or other.stream is None:
            return True
        true = told_direction(other.stream.direction, entertained=self._hears_us)
        told = audio_stream(self._ours.agreed).direction
        hears = not RECEIVES[self.wish] or SENDS[told] == SENDS[true]
        return hears and (not SENDS[self.wish] or RECEIVES[told] == RECEIVES[true])

    @property
    def is_open(self) -> bool:
        """Whether we have told the side that both may speak, in a codec in which we can."""
        told = self._ours.agreed
        return (
            told is not None
            and audio_stream(told).direction == "sendrecv"
            and self.coding is not None
        )

    def offer_again(self) -> bytes:
        """Return an offer that takes the side back from hold, in G.711."""
        assert self._ours.standing is not None
        if any(each.law is not None for each in audio_stream(self._ours.standing).payloads):
            return self._offer(standing_offer(narrowed(self._ours.standing)))
        laws = first_offer(local=self._ours.local, origin=self._ours.origin)
        return self._relay(laws)

    def moved_to(self, leg: MediaLeg) -> "Negotiation":
        """Return the same session at another leg; the side has to be offered it (`offer_again`)."""
        moved = Negotiation(leg, self._convertible)
        moved._way, moved.keys = self._way, self.keys.renewed()
        moved._offered, moved.heard = self._offered, self.heard
        moved._ours = self._ours.at_port(leg.local.port)
        return moved

    def relay(self, source: SessionDescription) -> bytes:
        """Return an offer to this side, made of what the other side says."""
        self._generous = False
        return self._relay(source)

    def relay_wider(self) -> bytes | None:
        """Return the newest offer with all that we can transcode behind it.

        None where that is no more than there was.
        """
        if self._source is None or self._ours.offering is None:
            return None
        offered = audio_stream(self._ours.offering).payloads
        if not self._generous and all(among(each, offered) for each in self._convertible):
            return None
        self._generous = True
        return self._relay(self._source)

    def _relay(self, source: SessionDescription) -> bytes:
        self._source = source
        offer = relay_offer(
            source,
            local=self._ours.local,
            origin=self._ours.origin,
            standing=self._ours.standing,
            fallback=self._fallback(source),
            entertained=self._hears_us,
        )
        return self._offer(offer)

    def _fallback(self, source: SessionDescription) -> tuple[Payload, ...]:
        """Return the codecs to offer behind those of the other side, which come first.

        What was agreed with this side stays possible. A side that is new gets G.711 where there
        is none, since nearly everybody has it, and all others only when it has refused: some
        answer with what they like best instead of what stands first.
        """
        if not self._convertible:
            return ()
        offered = audio_stream(source).payloads
        if not any(among(each, self._convertible) for each in offered):
            return ()
        if self._generous:
            return self._convertible
        if self.stream is not None:
            return tuple(each for each in self.stream.payloads if among(each, self._convertible))
        if any(each.law is not None for each in offered):
            return ()
        return tuple(each for each in self._convertible if each.law is not None)

    def _agree(
        self,
        ours: SessionDescription,
        theirs: SessionDescription,
        said: SessionDescription,
        *,
        free: bool = True,
    ) -> None:
        """Take over what both descriptions name; `said`: `theirs`, as it was written."""
        stream = negotiated(ours, theirs)
        self.agree(stream)
        self.heard = theirs
        self._said = said
        self._ours.agreed = ours
        if free:
            self.wish = stream.direction
        self._tell_leg(stream)

    def _tell_leg(self, stream: AudioStream) -> None:
        """Tell the media worker where the peer is and what it sends, if that is news."""
        assert self.codec is not None  # or there would be nothing in common
        remote, types, rate = stream.remote, self.incoming_types, self.codec.clock_rate
        srtp = self.keys.commit()
        told = (remote, types, stream.rtcp_port, rate, self._way, srtp)
        if told == self._told:
            return
        self._told = told
        self.leg.set_remote(
            remote,
            self._way.latch_at(remote.host),
            types,
            signalling=self._way.signalling,
            rtcp_port=stream.rtcp_port,
            clock_rate=rate,
            srtp=srtp,
        )

    @property
    def _hears_us(self) -> bool:
        return self.entertained and self.coding is not None


def would_hold(body: bytes) -> bool:
    """Tell whether an offer puts the call on hold; one that we can't read does not."""
    try:
        return audio_stream(as_plain(SessionDescription.parse(body))).held
    except SdpError:
        return False


def _media_host(session: SessionDescription) -> str:
    """Return where a description wants its media, as far as it says so."""
    own = (media.connection for media in session.media if media.port and media.connection)
    return (next(own, None) or session.connection or "").partition("/")[0]
