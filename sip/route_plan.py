"""Under which payload types the packets of one leg leave on the other, and what is made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sip.audio_stream import AudioStream, NoCommonCodec, incoming_payloads
from sip.codec_choice import any_law
from sip.payload import Payload, find_match
from sip.transcoding import among, event_of, target_of


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


@lru_cache(maxsize=256)
def _plan(
    source: tuple[Payload, ...], sink: tuple[Payload, ...], convertible: tuple[Payload, ...]
) -> RoutePlan:
    incoming = incoming_payloads(source)
    payload_types: dict[int, int] = {}
    transcode: dict[int, str] = {}
    recode: dict[int, tuple[str, str]] = {}
    for number, payload in incoming.items():
        if (match := find_match(payload, sink)) is not None:
            payload_types[number] = match.payload_type
        elif payload.law is not None and (match := any_law(sink)) is not None:
            payload_types[number] = match.payload_type
            transcode[number] = f"{payload.law}>{match.law}"
        elif (match := target_of(payload, sink, convertible)) is not None:
            payload_types[number] = match.payload_type
            recode[number] = payload.codec[0], match.codec[0]
    codecs = [number for number in payload_types if incoming[number].is_codec]
    if not codecs:
        raise NoCommonCodec
    events = _events_beside(incoming, sink, convertible) if recode else {}
    payload_types |= {number: event.payload_type for number, event in events.items()}
    return RoutePlan(
        payload_types=payload_types,
        transcode=transcode,
        recode=recode,
        shares_none=all(number in recode for number in codecs),
        events={
            number: (incoming[number].clock_rate, event.clock_rate)
            for number, event in events.items()
        },
    )


def _events_beside(
    incoming: Mapping[int, Payload], sink: tuple[Payload, ...], convertible: tuple[Payload, ...]
) -> dict[int, Payload]:
    """Return the telephone events that go along with recoded sound, and as which they leave."""
    [target, *_] = [each for each in sink if among(each, convertible)]
    found = {number: event_of(payload, sink, target) for number, payload in incoming.items()}
    return {number: event for number, event in found.items() if event is not None}
