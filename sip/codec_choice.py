"""Which codecs are offered, answered and agreed on, out of those that a peer has named.

Telephones name the same few lists in all of their calls, so what was chosen is remembered.
"""

from collections.abc import Iterable
from functools import lru_cache

from sip.audio_stream import NoCommonCodec
from sip.payload import (
    TELEPHONE_EVENT,
    Payload,
    find_match,
    with_both_laws,
    with_telephone_events,
)
from sip.transcoding import among, own_choice

Codecs = tuple[Payload, ...]


def any_law(payloads: Iterable[Payload]) -> Payload | None:
    """Return the first law of G.711, if there is one."""
    return next((each for each in payloads if each.law is not None), None)


@lru_cache(maxsize=256)
def offered(named: Codecs) -> Codecs:
    """Return what is offered on behalf of a peer: with the other law of G.711, and digits."""
    return with_telephone_events(with_both_laws(named))


@lru_cache(maxsize=256)
def agreed(theirs: Codecs, ours: Codecs) -> Codecs:
    """Return what both descriptions of a leg name; raises `NoCommonCodec`.

    Where the same codec has two numbers, `payload_type` is theirs and `receive_type` ours.
    """
    common = tuple(
        each
        if match.payload_type == each.payload_type
        else each._replace(receive_type=match.payload_type)
        for each in theirs
        if (match := find_match(each, ours)) is not None
    )
    if not any(each.is_codec for each in common):
        raise NoCommonCodec
    return common


@lru_cache(maxsize=256)
def answered(offer: Codecs, chosen: Codecs, convertible: Codecs) -> Codecs:
    """Return what A is answered when B chose `chosen`: A's numbers, B's order, B's fmtp.

    A law that A didn't offer stands for the other one if nothing else is shared, or if it is
    what B likes best and so will send. Keys are taken as events from who offers them, also where
    B knows none: star codes are for us, and other keys reach B in another way. Raises
    `NoCommonCodec` where they share none, and one of them has none that is `convertible`.
    """
    shared: dict[int, Payload] = {}
    for each in chosen:
        match = find_match(each, offer)
        if match is not None:
            shared.setdefault(match.payload_type, match._replace(fmtp=each.fmtp))
    codecs = [each for each in shared.values() if each.is_codec]
    extras = [each for each in shared.values() if not each.is_codec]
    best = next(each for each in chosen if each.is_codec)
    law_wanted = best.law is not None or (not codecs and any_law(chosen) is not None)
    if law_wanted and any_law(codecs) is None:
        law = any_law(offer)
        codecs += [] if law is None else [law]
    if codecs:
        return (*codecs, *extras, *_missing_events(offer, codecs, extras))
    ours = own_choice(offer, chosen, convertible)
    if not ours:
        raise NoCommonCodec
    return ours


def _missing_events(offer: Codecs, codecs: list[Payload], extras: list[Payload]) -> Codecs:
    """Return the events that A offered for its codec, where no others are agreed on."""
    if any(each.is_event for each in extras):
        return ()
    rate = codecs[0].clock_rate
    wanted = (TELEPHONE_EVENT, rate, 1)
    return tuple(each for each in offer if each.codec == wanted)[:1]


@lru_cache(maxsize=256)
def answered_alone(offer: Codecs, convertible: Codecs) -> Codecs:
    """Return what we answer with nobody behind us: one law of G.711, and digits.

    Without G.711 the first codec that is `convertible`, since we can speak that too. Raises
    `NoCommonCodec` where there is none.
    """
    law = any_law(offer)
    if law is not None:
        return (law, *(each for each in speakable(offer) if each.law is None))
    ours = own_choice(offer, offer, convertible)
    if not ours:
        raise NoCommonCodec("nothing that we can speak")
    return ours


def speakable(payloads: Codecs, beside: Codecs = ()) -> Codecs:
    """Return both laws and the digits that go with them, and the codecs `beside` them."""
    return tuple(
        each
        for each in payloads
        if each.law is not None
        or (each.is_event and each.clock_rate == 8000)
        or among(each, beside)
    )
