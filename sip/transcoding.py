"""Offer and answer where the two sides share no codec, and we are able to speak both.

What can be converted into what is not known here: it comes as `convertible`, the codecs of which
each can be made of each. Everything is done only where nothing simpler does: a codec that both
sides have is relayed, and the laws of G.711 are converted by table.
"""

from functools import lru_cache

from sip.payload import Payload, find_match, free_number, with_events_at

Codecs = tuple[Payload, ...]


def among(payload: Payload, convertible: Codecs) -> bool:
    """Tell whether a codec is one of those."""
    return any(each.codec == payload.codec for each in convertible)


@lru_cache(maxsize=256)
def with_fallback(payloads: Codecs, fallback: Codecs) -> Codecs:
    """Return what is offered, with the codecs of `fallback` that are missing behind it.

    For their clock rates there are telephone events too (:rfc:`4733#section-2.1`).
    """
    added = tuple(each for each in fallback if not among(each, payloads))
    for each in added:
        number = free_number(each.payload_type, payloads)
        here = Payload(
            payload_type=number,
            encoding=each.encoding,
            clock_rate=each.clock_rate,
            channels=each.channels,
            fmtp=each.fmtp,
        )
        payloads = (*payloads, here)
    rates = {each.clock_rate for each in payloads if each.is_event}
    return with_events_at(
        (each.clock_rate for each in added if each.clock_rate not in rates), payloads
    )


def own_choice(offered: Codecs, chosen: Codecs, convertible: Codecs) -> Codecs:
    """Return what A is answered where B chose nothing that A has; empty: we can't help.

    A's first codec that we speak, if B's is one too, and keys where A has them.
    """
    codec = next((each for each in offered if among(each, convertible)), None)
    if codec is None or not any(among(each, convertible) for each in chosen):
        return ()
    event = _event(offered, codec.clock_rate)
    return (codec,) if event is None else (codec, event)


def target_of(payload: Payload, sink: Codecs, convertible: Codecs) -> Payload | None:
    """Return what packets of a codec that `sink` doesn't have are made into; None: nothing."""
    if not among(payload, convertible):
        return None
    return next((each for each in sink if among(each, convertible)), None)


def event_of(payload: Payload, sink: Codecs, target: Payload) -> Payload | None:
    """Return the telephone events that go along with `target`, for those of another clock."""
    if not payload.is_event:
        return None
    return find_match(payload, sink) or _event(sink, target.clock_rate)


def _event(payloads: Codecs, clock_rate: int) -> Payload | None:
    """Return the events with this clock rate, else any."""
    events = [each for each in payloads if each.is_event]
    return min(events, key=lambda each: each.clock_rate != clock_rate, default=None)
