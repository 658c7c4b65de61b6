"""What is agreed on with one side of a call, and what follows: what it can send, and hear of us."""

from b2bua.media.leg import Law
from b2bua.media.messages import LawName
from recording.spec import StreamFormat
from sip.offer_answer import AudioStream
from sip.payload import LAWS, TELEPHONE_EVENT, Payload
from sip.transcoding import among

_FIXED = {
    number: StreamFormat(payload_type=number, encoding=name, clock_rate=8000)
    for name, number in LAWS.items()
}


class Agreed:
    """One side; nothing is agreed at the beginning."""

    def __init__(self, convertible: tuple[Payload, ...] = ()) -> None:
        """Begin with nothing; `convertible`: what we may transcode into each other, if anything."""
        self.stream: AudioStream | None = None
        "What it may send and wants to receive."
        self._convertible = convertible

    @property
    def codec(self) -> Payload | None:
        """The codec that the side likes best of what was agreed."""
        return next((each for each in self._payloads if each.is_codec), None)

    @property
    def is_wide(self) -> bool:
        """Whether that is a wideband codec, and one that we know."""
        codec = self.codec
        return codec is not None and codec.law is None and among(codec, self._convertible)

    @property
    def holds(self) -> bool:
        """Whether the side wants no media."""
        return self.stream is not None and self.stream.held

    @property
    def formats(self) -> tuple[StreamFormat, ...]:
        """What the side may send, as the recorder must decode it.

        Both laws of G.711 have fixed numbers (:rfc:`3551#section-6`), so they are known
        whether negotiated or not: a re-INVITE may bring the other one in mid-call.
        """
        negotiated_formats = {
            number: _format(number, payload) for number, payload in self._incoming.items()
        }
        if not negotiated_formats:
            return ()
        return tuple((negotiated_formats | _FIXED | negotiated_formats).values())

    @property
    def event_types(self) -> tuple[int, ...]:
        """Payload types of the telephone events that the side may send."""
        return tuple(n for n, payload in self._incoming.items() if _is_event(payload))

    @property
    def tone_types(self) -> dict[int, LawName]:
        """Payload types of G.711 that the side may send: in them keys can be tones."""
        laws = {n: payload.law for n, payload in self._incoming.items()}
        return {n: "PCMA" if law == "PCMA" else "PCMU" for n, law in laws.items() if law}

    @property
    def sends_events(self) -> int | None:
        """Payload type of events that we send to the side; None: it knows none."""
        return next((p.payload_type for p in self._payloads if _is_event(p)), None)

    @property
    def law(self) -> Law | None:
        """The law in which we can speak to the side; None: its codec is another."""
        codec = self.codec
        if codec is None or codec.law is None:
            return None
        return 8 if codec.law == "PCMA" else 0

    @property
    def coding(self) -> tuple[int, str] | None:
        """Payload type and codec in which we can play to the side; no codec for a law of G.711.

        None: we don't speak its codec.
        """
        codec = self.codec
        if codec is None:
            return None
        if self.law is not None:
            return self.law, ""
        known = among(codec, self._convertible)
        return (codec.payload_type, codec.encoding.upper()) if known else None

    @property
    def our_formats(self) -> tuple[StreamFormat, ...]:
        """What we may say to the side, as the recorder must decode it."""
        spoken = [each for each in self._payloads if among(each, self._convertible)]
        named = {each.payload_type: _format(each.payload_type, each) for each in spoken}
        return tuple((named | _FIXED | named).values())

    @property
    def _payloads(self) -> tuple[Payload, ...]:
        return self.stream.payloads if self.stream is not None else ()

    @property
    def _incoming(self) -> dict[int, Payload]:
        return self.stream.incoming() if self.stream is not None else {}


def _format(number: int, payload: Payload) -> StreamFormat:
    return StreamFormat(
        payload_type=number,
        encoding=payload.encoding.upper(),
        clock_rate=payload.clock_rate,
        channels=payload.channels,
    )


def _is_event(payload: Payload) -> bool:
    return payload.codec[0] == TELEPHONE_EVENT
