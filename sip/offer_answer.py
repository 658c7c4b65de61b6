"""Offer and answer of a back-to-back user agent that anchors the media (RFC 3264).

Each leg is a session of its own: what goes out is written anew from what came in and carries
our address. Nothing is passed on but payload types, packet times and direction.

```
A's offer --relay_offer--> our offer to B        B's answer --relay_answer--> our answer to A
(ours to A, theirs) --negotiated--> AudioStream  (stream of A, stream of B) --routes--> plans
```

Which codecs that makes is chosen in `codec_choice.py`; `routes` is in `route_plan.py`. All
functions are pure. `standing` is what we sent last on the same leg: with it an offer keeps the
number and order of the m-lines (:rfc:`3264#section-8`), a payload number keeps its codec, and the
version in `o=` grows by one if and only if something changed.

We diverge from RFC 3264 in one place: a peer that answers `sendrecv` to `sendonly` (many do) is
read as if it had answered what it may.
"""

from dataclasses import replace
from typing import get_args

from sip import codec_choice
from sip.address import HostPort
from sip.audio_stream import (
    DIRECTION,
    RECEIVES,
    SENDS,
    AudioStream,
    Direction,
    audio_index,
    audio_stream,
)
from sip.media_lines import alone_in_place, audio_line, in_place, with_payloads
from sip.payload import LAWS, Payload, read_payloads, renumber, with_telephone_events
from sip.sdp import Attribute, MediaDescription, Origin, SessionDescription
from sip.transcoding import with_fallback


def relay_offer(
    offer: SessionDescription,
    *,
    local: HostPort,
    origin: Origin,
    standing: SessionDescription | None = None,
    fallback: tuple[Payload, ...] = (),
    entertained: bool = False,
) -> SessionDescription:
    """Make the offer for the other leg out of one that came in.

    `entertained`: whoever is put on hold by it hears us meanwhile.

    Payload numbers and codecs that we don't know stay as they are. The other law of G.711 is
    added where one is there, and telephone-event where there is none. An answer serves as
    well: a call that began without an offer is offered what the other side answered.
    `fallback`: codecs behind them that we would transcode.
    """
    stream = audio_stream(offer)
    payloads = with_fallback(codec_choice.offered(stream.payloads), fallback)
    direction = told_direction(stream.direction, entertained=entertained)
    source = offer.media[audio_index(offer)]
    if standing is None:
        media: tuple[MediaDescription, ...] = (audio_line(payloads, local, direction, source),)
    else:
        index = audio_index(standing)
        payloads = renumber(payloads, read_payloads(standing.media[index]))
        profile = standing.media[index].profile
        line = audio_line(payloads, local, direction, source, profile=profile)
        media = alone_in_place(standing.media, index, line)
    return revised(standing, SessionDescription(origin=origin, connection=local.host, media=media))


def relay_answer(
    offer_from_a: SessionDescription,
    answer_from_b: SessionDescription,
    *,
    local: HostPort,
    origin: Origin,
    standing: SessionDescription | None = None,
    convertible: tuple[Payload, ...] = (),
    entertained: bool = False,
) -> SessionDescription:
    """Make the answer for A out of B's: as many m-lines as A offered, in A's order.

    `entertained`: where B holds, A hears us meanwhile.

    Only what A offered is answered, with A's numbers and in B's order of preference. All
    m-lines but the one audio line are refused with port 0. See :rfc:`3264#section-6`.
    Raises `NoCommonCodec` where they share none, and one of them has none that is `convertible`.
    """
    a, b = audio_stream(offer_from_a), audio_stream(answer_from_b)
    line = audio_line(
        codec_choice.answered(a.payloads, b.payloads, convertible),
        local,
        _answer_direction(a.direction, told_direction(b.direction, entertained=entertained)),
        answer_from_b.media[audio_index(answer_from_b)],
        profile=a.profile,
    )
    return _answer(offer_from_a, line, local, origin, standing)


def standing_offer(
    standing: SessionDescription, *, direction: Direction = "sendrecv"
) -> SessionDescription:
    """Make the offer that a re-INVITE without a body asks for, from what we sent last.

    See :rfc:`3261#section-14.2`. The default direction lets a peer that asks in order to take
    its call back from hold do so.
    """
    index = audio_index(standing)
    media = standing.media[index]
    kept = [each for each in media.attributes if each.name not in get_args(Direction)]
    line = media._replace(attributes=(*kept, Attribute(name=direction)))
    return revised(standing, replace(standing, media=alone_in_place(standing.media, index, line)))


def first_offer(*, local: HostPort, origin: Origin) -> SessionDescription:
    """Make an offer out of nothing, for a call that began without one: both laws, digits."""
    laws = tuple(
        Payload(payload_type=number, encoding=name, clock_rate=8000)
        for name, number in LAWS.items()
    )
    line = audio_line(with_telephone_events(laws), local, "sendrecv", None)
    return SessionDescription(origin=origin, connection=local.host, media=(line,))


def narrowed(
    session: SessionDescription, *, beside: tuple[Payload, ...] = ()
) -> SessionDescription:
    """Return the description with nothing but G.711 and digits on its audio line.

    For calls into which we speak ourselves. A description without G.711 stays as it is.
    `beside`: codecs that may stay as well.
    """
    index = audio_index(session)
    media = session.media[index]
    payloads = read_payloads(media)
    if codec_choice.any_law(payloads) is None:
        return session
    line = with_payloads(media, codec_choice.speakable(payloads, beside))
    return replace(session, media=in_place(session.media, index, line))


def own_answer(
    offer: SessionDescription,
    *,
    local: HostPort,
    origin: Origin,
    standing: SessionDescription | None = None,
    convertible: tuple[Payload, ...] = (),
) -> SessionDescription:
    """Answer an offer ourselves, with nobody behind us: one law of G.711, and digits.

    Without G.711 the first codec that is `convertible`, since we can speak that too. Raises
    `NoCommonCodec` where there is none: we could say nothing.
    """
    stream = audio_stream(offer)
    line = audio_line(
        codec_choice.answered_alone(stream.payloads, convertible),
        local,
        _answer_direction(stream.direction, "sendrecv"),
        offer.media[audio_index(offer)],
        profile=stream.profile,
    )
    return _answer(offer, line, local, origin, standing)


def _answer(
    offer: SessionDescription,
    line: MediaDescription,
    local: HostPort,
    origin: Origin,
    standing: SessionDescription | None,
) -> SessionDescription:
    """Return the answer with our audio line, and all others refused."""
    answer = SessionDescription(
        origin=origin,
        connection=local.host,
        times=offer.times,
        media=alone_in_place(offer.media, audio_index(offer), line),
    )
    return revised(standing, answer)


def readdressed(session: SessionDescription, host: str) -> SessionDescription:
    """Return a description of ours as somebody is told it who reaches us at another address."""
    if session.origin.host == session.connection == host:
        return session
    return replace(session, origin=session.origin._replace(host=host), connection=host)


def negotiated(ours: SessionDescription, theirs: SessionDescription) -> AudioStream:
    """Return the peer's stream with only what both descriptions of a leg name.

    It does not matter which of the two was the offer. Where the same codec has two numbers,
    `Payload.payload_type` is theirs (for sending) and `receive_type` ours.
    """
    stream = audio_stream(theirs)
    own = read_payloads(ours.media[audio_index(ours)])
    common = codec_choice.agreed(stream.payloads, own)
    return stream if common == stream.payloads else replace(stream, payloads=common)


def revised(standing: SessionDescription | None, new: SessionDescription) -> SessionDescription:
    """Give `new` the session id that stands, and the next version if it is another text.

    See :rfc:`3264#section-8`.
    """
    if standing is None:
        return new
    if says_the_same(new, standing):
        return standing
    return replace(new, origin=standing.origin._replace(version=standing.origin.version + 1))


def says_the_same(one: SessionDescription, other: SessionDescription) -> bool:
    """Tell whether two descriptions are the same but for their `o=`."""
    return (
        one.media == other.media
        and one.connection == other.connection
        and one.attributes == other.attributes
        and (one.name, one.times) == (other.name, other.times)
    )


def told_direction(direction: Direction, *, entertained: bool) -> Direction:
    """Return `sendonly` for `inactive` where the one who is told hears us."""
    return "sendonly" if entertained and direction == "inactive" else direction


def _answer_direction(offered: Direction, answered: Direction) -> Direction:
    """Return `answered`, less what :rfc:`3264#section-6.1` doesn't allow as an answer."""
    sends = SENDS[answered] and RECEIVES[offered]
    receives = RECEIVES[answered] and SENDS[offered]
    return DIRECTION[sends, receives]
