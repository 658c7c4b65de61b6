"""What is agreed on with one side of a call, and what follows: what it can send, and hear of us.

What follows is asked for several times in each call, and telephones agree on the same few lists
of codecs in all of theirs: it is worked out once per list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from b2bua.media.leg import Law
from b2bua.media.to_worker import LawName
from recording.spec import StreamFormat
from sip.audio_stream import AudioStream, incoming_payloads
from sip.payload import LAWS, Payload
from sip.transcoding import among

_FIXED = {
    number: StreamFormat(payload_type=number, encoding=name, clock_rate=8000)
    for name, number in LAWS.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What follows from a list of codecs; see `Agreed`."""

    codec: Payload | None
    is_wide: bool
    law: Law | None
    coding: tuple[int, str] | None
    incoming_types: tuple[int, ...]
    event_types: tuple[int, ...]
    tone_types: Mapping[int, LawName]
    sends_events: int | None
    formats: tuple[StreamFormat, ...]
    our_formats: tuple[StreamFormat, ...]


class Agreed:
    """One side; nothing is agreed at the beginning."""

    def __init__(self, convertible: tuple[Payload, ...] = ()) -> None:
        """Begin with nothing; `convertible`: what we may transcode into each other, if anything."""
        self.stream: AudioStream | None = None
        "What it may send and wants to receive."
        self._convertible = convertible
        self._follows = _consequences((), convertible)

    def agree(self, stream: AudioStream) -> None:
        """Take note of what the side may send and wants to receive."""
        self.stream = stream
        self._follows = _consequences(stream.payloads, self._convertible)

    @property
    def holds(self) -> bool:
        """Whether the side wants no media."""
        return self.stream is not None and self.stream.held

    @property
    def codec(self) -> Payload | None:
        """The codec that the side likes best of what was agreed."""
        return self._follows.codec

    @property
    def is_wide(self) -> bool:
        """Whether that is a wideband codec, and one that we know."""
        return self._follows.is_wide

    @property
    def law(self) -> Law | None:
        """The law in which we can speak to the side; None: its codec is another."""
        return self._follows.law

    @property
    def coding(self) -> tuple[int, str] | None:
        """Payload type and codec in which we can play to the side; no codec for a law of G.711.

        None: we don't speak its codec.
        """
        return self._follows.coding

    @property
    def incoming_types(self) -> tuple[int, ...]:
        """Payload types that the side may send."""
        return self._follows.incoming_types

    @property
    def event_types(self) -> tuple[int, ...]:
        """Payload types of the telephone events that the side may send."""
        return self._follows.event_types

    @property
    def tone_types(self) -> Mapping[int, LawName]:
        """Payload types of G.711 that the side may send: in them keys can be tones."""
        return self._follows.tone_types

    @property
    def sends_events(self) -> int | None:
        """Payload type of events that we send to the side; None: it knows none."""
        return self._follows.sends_events

    @property
    def formats(self) -> tuple[StreamFormat, ...]:
        """What the side may send, as the recorder must decode it.

        Both laws of G.711 have fixed numbers (:rfc:`3551#section-6`), so they are known
        whether negotiated or not: a re-INVITE may bring the other one in mid-call.
        """
        return self._follows.formats

    @property
    def our_formats(self) -> tuple[StreamFormat, ...]:
        """What we may say to the side, as the recorder must decode it."""
        return self._follows.our_formats


@lru_cache(maxsize=256)
def _consequences(payloads: tuple[Payload, ...], convertible: tuple[Payload, ...]) -> Consequences:
    codec = next((each for each in payloads if each.is_codec), None)
    law = codec.law if codec is not None else None
    incoming = incoming_payloads(payloads)
    known = codec is not None and among(codec, convertible)
    return Consequences(
        codec=codec,
        is_wide=known and law is None,
        law=_number(law),
        coding=_coding(codec, convertible),
        incoming_types=tuple(incoming),
        event_types=tuple(n for n, payload in incoming.items() if payload.is_event),
        tone_types={
            n: "PCMA" if payload.law == "PCMA" else "PCMU"
            for n, payload in incoming.items()
            if payload.law is not None
        },
        sends_events=next((p.payload_type for p in payloads if p.is_event), None),
        formats=_with_laws(incoming) if incoming else (),
        our_formats=_with_laws({p.payload_type: p for p in payloads if among(p, convertible)}),
    )


def _number(law: str | None) -> Law | None:
    if law is None:
        return None
    return 8 if law == "PCMA" else 0


def _coding(codec: Payload | None, convertible: tuple[Payload, ...]) -> tuple[int, str] | None:
    if codec is None:
        return None
    law = _number(codec.law)
    if law is not None:
        return law, ""
    return (codec.payload_type, codec.encoding.upper()) if among(codec, convertible) else None


def _with_laws(payloads: Mapping[int, Payload]) -> tuple[StreamFormat, ...]:
    """Return the formats in their order, and both laws behind them where they are not there."""
    named = {number: _format(number, payload) for number, payload in payloads.items()}
    return tuple((named | _FIXED | named).values())


def _format(number: int, payload: Payload) -> StreamFormat:
    return StreamFormat(
        payload_type=number,
        encoding=payload.encoding.upper(),
        clock_rate=payload.clock_rate,
        channels=payload.channels,
    )
