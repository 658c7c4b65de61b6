"""Offer and answer of a back-to-back user agent that anchors the media (RFC 3264).

Each leg is a session of its own: what goes out is written anew from what came in and carries
our address. Nothing is passed on but payload types, packet times and direction.

```
A's offer --relay_offer--> our offer to B        B's answer --relay_answer--> our answer to A
(ours to A, theirs) --negotiated--> AudioStream  (stream of A, stream of B) --routes--> plans
```

All functions are pure; those that match lists of codecs remember what came out, as telephones
name the same few lists in all of their calls. `standing` is what we sent last on the same leg:
with it an offer keeps the number and order of the m-lines (:rfc:`3264#section-8`), a payload
number keeps its codec, and the version in `o=` grows by one if and only if something changed.

We diverge from RFC 3264 in one place: a peer that answers `sendrecv` to `sendonly` (many do) is
read as if it had answered what it may.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import get_args

from sip.address import HostPort
from sip.audio_stream import (
    DIRECTION,
    RECEIVES,
    SENDS,
    AudioStream,
    Direction,
    NoCommonCodec,
    audio_index,
    audio_stream,
    incoming_payloads,
    read_wishes,
)
from sip.payload import (
    LAWS,
    TELEPHONE_EVENT,
    Payload,
    find_match,
    read_payloads,
    renumber,
    with_both_laws,
    with_telephone_events,
    write_payloads,
)
from sip.sdp import Attribute, MediaDescription, Origin, SdpError, SessionDescription
from sip.transcoding import among, event_of, own_choice, target_of, with_fallback

__all__ = [
    "AudioStream",
    "Direction",
    "NoCommonCodec",
    "Origin",
    "Payload",
    "RoutePlan",
    "SdpError",
    "audio_stream",
    "first_offer",
    "narrowed",
    "negotiated",
    "own_answer",
    "readdressed",
    "relay_answer",
    "relay_offer",
    "revised",
    "routes",
    "standing_offer",
    "told_direction",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePlan:
    """How packets of one leg leave on the other."""

    payload_types: Mapping[int, int]
    "Payload type in -> payload type out; a packet of another type goes nowhere."

    transcode: Mapping[int, str]
    "Payload type in -> `PCMA>PCMU` or `PCMU>PCMA`, for the types that need conversion."

    recode: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    "Payload type in -> encoding names in and out, for the types that need more than a table."

    shares_none: bool = False
    "No codec goes as it is: without `recode` nothing would be heard."

    events: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    "Payload type in -> clock rates in and out of the telephone events beside recoded sound."


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
    payloads = with_fallback(_offered(stream.payloads), fallback)
    direction = told_direction(stream.direction, entertained=entertained)
    source = offer.media[audio_index(offer)]
    if standing is None:
        media: tuple[MediaDescription, ...] = (_audio_line(payloads, local, direction, source),)
    else:
        index = audio_index(standing)
        payloads = renumber(payloads, read_payloads(standing.media[index]))
        profile = standing.media[index].profile
        line = _audio_line(payloads, local, direction, source, profile=profile)
        media = _in_place(standing.media, index, line)
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
    index = audio_index(offer_from_a)
    line = _audio_line(
        _answered(a.payloads, b.payloads, convertible),
        local,
        _answer_direction(a.direction, told_direction(b.direction, entertained=entertained)),
        answer_from_b.media[audio_index(answer_from_b)],
        profile=a.profile,
    )
    answer = SessionDescription(
        origin=origin,
        connection=local.host,
        times=offer_from_a.times,
        media=_in_place(offer_from_a.media, index, line),
    )
    return revised(standing, answer)


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
    return revised(standing, replace(standing, media=_in_place(standing.media, index, line)))


def first_offer(*, local: HostPort, origin: Origin) -> SessionDescription:
    """Make an offer out of nothing, for a call that began without one: both laws, digits."""
    laws = tuple(
        Payload(payload_type=number, encoding=name, clock_rate=8000)
        for name, number in LAWS.items()
    )
    line = _audio_line(with_telephone_events(laws), local, "sendrecv", None)
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
    if _any_law(payloads) is None:
        return session
    return replace(
        session, media=_with_payloads(session.media, index, _speakable(payloads, beside))
    )


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
    stream, index = audio_stream(offer), audio_index(offer)
    law = _any_law(stream.payloads)
    if law is not None:
        payloads = (law, *(each for each in _speakable(stream.payloads) if each.law is None))
    else:
        payloads = own_choice(stream.payloads, stream.payloads, convertible)
    if not payloads:
        raise NoCommonCodec("nothing that we can speak")
    line = _audio_line(
        payloads,
        local,
        _answer_direction(stream.direction, "sendrecv"),
        offer.media[index],
        profile=stream.profile,
    )
    answer = SessionDescription(
        origin=origin,
        connection=local.host,
        times=offer.times,
        media=_in_place(offer.media, index, line),
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
    common = _common(stream.payloads, own)
    return stream if common == stream.payloads else replace(stream, payloads=common)


@lru_cache(maxsize=256)
def _common(theirs: tuple[Payload, ...], own: tuple[Payload, ...]) -> tuple[Payload, ...]:
    payloads = tuple(
        each
        if match.payload_type == each.payload_type
        else each._replace(receive_type=match.payload_type)
        for each in theirs
        if (match := find_match(each, own)) is not None
    )
    if not any(each.is_codec for each in payloads):
        raise NoCommonCodec
    return payloads


def routes(
    a: AudioStream, b: AudioStream, convertible: tuple[Payload, ...] = ()
) -> tuple[RoutePlan, RoutePlan]:
    """Plan how payload types map from A to B and back; raises `NoCommonCodec`.

    A law is converted only where the far side does not have it. Where the sides share the
    other law that is a packet which the peer was free to send and which would be lost. The same
    goes for codecs that are `convertible`.
    """
    return (
        _plan(a.payloads, b.payloads, convertible),
        _plan(b.payloads, a.payloads, convertible),
    )


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


@lru_cache(maxsize=256)
def _plan(
    source: tuple[Payload, ...], sink: tuple[Payload, ...], convertible: tuple[Payload, ...]
) -> RoutePlan:
    payload_types: dict[int, int] = {}
    transcode: dict[int, str] = {}
    recode: dict[int, tuple[str, str]] = {}
    incoming = incoming_payloads(source)
    for number, payload in incoming.items():
        match = find_match(payload, sink)
        if match is None and payload.law is not None:
            match = _any_law(sink)
            if match is not None:
                transcode[number] = f"{payload.law}>{match.law}"
        if match is None:
            match = target_of(payload, sink, convertible)
            if match is not None:
                recode[number] = payload.codec[0], match.codec[0]
        if match is not None:
            payload_types[number] = match.payload_type
    if not any(incoming[number].is_codec for number in payload_types):
        raise NoCommonCodec
    events: dict[int, tuple[int, int]] = {}
    if recode:
        events = _events_beside(incoming, sink, convertible, payload_types)
    return RoutePlan(
        payload_types=payload_types,
        transcode=transcode,
        recode=recode,
        shares_none=not any(
            incoming[number].is_codec for number in payload_types if number not in recode
        ),
        events=events,
    )


def _events_beside(
    incoming: Mapping[int, Payload],
    sink: tuple[Payload, ...],
    convertible: tuple[Payload, ...],
    payload_types: dict[int, int],
) -> dict[int, tuple[int, int]]:
    """Return the clock rates of events that go along with recoded sound, and route them."""
    [target, *_] = [each for each in sink if among(each, convertible)]
    events = {}
    for number, payload in incoming.items():
        match = event_of(payload, sink, target)
        if match is not None:
            payload_types[number] = match.payload_type
            events[number] = payload.clock_rate, match.clock_rate
    return events


@lru_cache(maxsize=256)
def _answered(
    offered: tuple[Payload, ...],
    chosen: tuple[Payload, ...],
    convertible: tuple[Payload, ...],
) -> tuple[Payload, ...]:
    """Return what A is answered when B chose `chosen`: A's numbers, B's order, B's fmtp.

    A law that A didn't offer stands for the other one if nothing else is shared, or if it is
    what B likes best and so will send. Keys are taken as events from who offers them, also where
    B knows none: star codes are for us, and other keys reach B in another way.
    """
    shared: dict[int, Payload] = {}
    for each in chosen:
        match = find_match(each, offered)
        if match is not None:
            shared.setdefault(match.payload_type, match._replace(fmtp=each.fmtp))
    codecs = [each for each in shared.values() if each.is_codec]
    extras = [each for each in shared.values() if not each.is_codec]
    best = next(each for each in chosen if each.is_codec)
    law_wanted = best.law is not None or (not codecs and _any_law(chosen) is not None)
    if law_wanted and _any_law(codecs) is None:
        law = _any_law(offered)
        codecs += [] if law is None else [law]
    if codecs:
        return (*codecs, *extras, *_missing_events(offered, codecs, extras))
    ours = own_choice(offered, chosen, convertible)
    if not ours:
        raise NoCommonCodec
    return ours


def _missing_events(
    offered: tuple[Payload, ...], codecs: list[Payload], extras: list[Payload]
) -> tuple[Payload, ...]:
    """Return the events that A offered for its codec, where no others are agreed on."""
    if any(each.codec[0] == TELEPHONE_EVENT for each in extras):
        return ()
    rate = codecs[0].clock_rate
    wanted = (TELEPHONE_EVENT, rate, 1)
    return tuple(each for each in offered if each.codec == wanted)[:1]


def _speakable(
    payloads: tuple[Payload, ...], beside: tuple[Payload, ...] = ()
) -> tuple[Payload, ...]:
    """Return both laws and the digits that go with them, and the codecs `beside` them."""
    return tuple(
        each
        for each in payloads
        if each.law is not None
        or (each.codec[0] == TELEPHONE_EVENT and each.clock_rate == 8000)
        or among(each, beside)
    )


def _with_payloads(
    others: tuple[MediaDescription, ...], index: int, payloads: tuple[Payload, ...]
) -> tuple[MediaDescription, ...]:
    """Return the m-lines with other payload types at `index`."""
    media = others[index]
    kept = [each for each in media.attributes if each.name not in ("rtpmap", "fmtp")]
    line = media._replace(
        formats=_formats(payloads),
        attributes=(*write_payloads(payloads), *kept),
    )
    return (*others[:index], line, *others[index + 1 :])


@lru_cache(maxsize=256)
def _offered(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
    return with_telephone_events(with_both_laws(payloads))


def _any_law(payloads: tuple[Payload, ...] | list[Payload]) -> Payload | None:
    return next((each for each in payloads if each.law is not None), None)


def told_direction(direction: Direction, *, entertained: bool) -> Direction:
    """Return `sendonly` for `inactive` where the one who is told hears us."""
    return "sendonly" if entertained and direction == "inactive" else direction


def _answer_direction(offered: Direction, answered: Direction) -> Direction:
    """Return `answered`, less what :rfc:`3264#section-6.1` doesn't allow as an answer."""
    sends = SENDS[answered] and RECEIVES[offered]
    receives = RECEIVES[answered] and SENDS[offered]
    return DIRECTION[sends, receives]


def _audio_line(
    payloads: tuple[Payload, ...],
    local: HostPort,
    direction: Direction,
    source: MediaDescription | None,
    *,
    profile: str = "RTP/AVP",
) -> MediaDescription:
    """Write our audio line; the packet times are those of `source`."""
    wishes = read_wishes(source) if source is not None else None
    times = (wishes.ptime_ms, wishes.maxptime_ms) if wishes is not None else (None, None)
    return MediaDescription(
        kind="audio",
        port=local.port,
        profile=profile,
        formats=_formats(payloads),
        attributes=_below_audio_line(payloads, direction, *times),
    )


@lru_cache(maxsize=256)
def _formats(payloads: tuple[Payload, ...]) -> tuple[str, ...]:
    return tuple(str(each.payload_type) for each in payloads)


@lru_cache(maxsize=256)
def _below_audio_line(
    payloads: tuple[Payload, ...],
    direction: Direction,
    ptime_ms: int | None,
    maxptime_ms: int | None,
) -> tuple[Attribute, ...]:
    times = [
        Attribute(name=name, value=str(value))
        for name, value in (("ptime", ptime_ms), ("maxptime", maxptime_ms))
        if value is not None
    ]
    return (*write_payloads(payloads), *times, Attribute(name=direction))


def _in_place(
    others: tuple[MediaDescription, ...], index: int, line: MediaDescription
) -> tuple[MediaDescription, ...]:
    """Return the m-lines with `line` at `index` and all others refused."""
    if len(others) == 1:
        return (line,)
    before = tuple(_refused(each) for each in others[:index])
    return (*before, line, *(_refused(each) for each in others[index + 1 :]))


def _refused(media: MediaDescription) -> MediaDescription:
    """Return the m-line with port 0. The formats mean nothing, but one must be there."""
    return MediaDescription(
        kind=media.kind, port=0, profile=media.profile, formats=media.formats[:1]
    )
