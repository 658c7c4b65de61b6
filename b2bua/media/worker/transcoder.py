"""One direction between two parties who share no codec: packets in, packets of another codec out.

Whoever needs this pays for it: such a leg leaves the fast path, every packet is decoded, encoded
and cut into the packet time of the receiving party as it arrives. There is no playout buffer: the
receiving telephone has one. What comes late is dropped, since its place has been filled.

The way that timestamps go: the first packet behind an *anchor* gets the place where the outgoing
stream is; from there on both clocks run side by side, each at its own rate. A gap of up to
`CONCEALED_MS` in which packets were lost is filled. A longer one, and one in which nothing was
lost (the sender was silent), is a gap in the outgoing timestamps as well, and what comes behind it
has the marker (:rfc:`3551#section-4.1`). Another SSRC, and timestamps that contradict the clock,
make a new anchor.

No clock is read and no socket touched. Nothing arrives faster than people speak: beyond
`AHEAD_MS` of sound before its time a packet is dropped, so that one party costs no more than a
call does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from b2bua.media.to_worker import EventRecoding, Recoding, Route
from codec.stream_coders import (
    CLOCK_RATES,
    StreamDecoder,
    StreamEncoder,
    make_stream_decoder,
    make_stream_encoder,
    working_rate,
)
from rtp.header import RtpHeader
from rtp.outgoing import OutgoingStream
from rtp.recoder import Recoded
from rtp.statistics import NO_SSRC

CONCEALED_MS: Final = 100
"A longer gap is no loss that a sound could bridge."

LONGEST_GAP_MS: Final = 60_000
"A step of the timestamps beyond this, or back by more than `LATE_MS`, is another clock."

LATE_MS: Final = 5_000

AHEAD_MS: Final = 1_000

HASTE: Final = 1.05
"So much faster than ours a telephone's clock may run."

SERIAL: Final = 1 << 32


@dataclass(slots=True)
class _Anchor:
    """Where both clocks were at the same time."""

    source_ts: int
    target_ts: int


class _Codecs:
    """A decoder and an encoder at one rate, and the samples between them."""

    __slots__ = ("decoder", "encoder", "frame_octets", "pending", "rate", "recoding", "source_rate")

    def __init__(self, recoding: Recoding) -> None:
        self.recoding = recoding
        self.rate = working_rate(recoding.source, recoding.target)
        self.source_rate = CLOCK_RATES[recoding.source]
        self.decoder: StreamDecoder = make_stream_decoder(recoding.source, self.rate)
        self.encoder: StreamEncoder = make_stream_encoder(recoding.target, self.rate)
        self.frame_octets = 2 * self.rate * recoding.ptime_ms // 1000
        self.pending = b""
        "Samples that make no whole packet yet."


class Transcoder:
    """Implements `rtp.relay.Recoder`."""

    def __init__(
        self, recodings: Mapping[int, Recoding], events: Mapping[int, EventRecoding]
    ) -> None:
        """Both by payload type as it arrives.

        Raises `KeyError` for a codec that there is none of, `ImportError` or `OSError` where
        its library is missing.
        """
        self._codecs = {number: _Codecs(each) for number, each in recodings.items()}
        self._events = events
        self.payload_types = frozenset(recodings)
        self.followers = frozenset(events)
        self.dropped = 0
        "Packets that came late, or faster than anybody speaks."
        self._current: _Codecs | None = None
        self._ssrc = NO_SSRC
        self._sequence = 0
        self._anchor: _Anchor | None = None
        self._expected_ts = 0
        "Of the next packet, on the source's clock, not wrapped."
        self._next_ts = 0
        "Of the next packet out, not wrapped."
        self._marker = True
        self._ahead_ms = 0.0
        self._heard_ns = 0

    def restart(self) -> None:
        """Begin anew where the outgoing stream is: another source has had it meanwhile."""
        self._anchor = None
        self._marker = True
        for codecs in self._codecs.values():
            codecs.pending = b""

    def take(
        self, header: RtpHeader, payload: bytes, now: int, outgoing: OutgoingStream
    ) -> Iterator[Recoded]:
        """Yield the packets that are complete with this one, to be sent in order."""
        if header.ssrc != self._ssrc:
            self.restart()
            self._ssrc = header.ssrc
            self._sequence = header.sequence - 1
        event = self._events.get(header.payload_type)
        if event is not None:
            yield from self._event(event, header, payload, now, outgoing)
        else:
            codecs = self._codecs[header.payload_type]
            yield from self._audio(codecs, header, payload, now, outgoing)

    # --- audio

    def _audio(
        self, codecs: _Codecs, header: RtpHeader, payload: bytes, now: int, outgoing: OutgoingStream
    ) -> Iterator[Recoded]:
        if codecs is not self._current:
            self._change_to(codecs)
        if self._is_too_fast(now):
            self.dropped += 1
            return
        timestamp = self._unwrapped(header.timestamp)
        gap_ms = int((timestamp - self._expected_ts) * 1000 / codecs.source_rate)
        in_order = header.sequence == (self._sequence + 1) & 0xFFFF
        if self._anchor is not None and not -LATE_MS < gap_ms < LONGEST_GAP_MS:
            self.restart()
        if self._anchor is None:
            self._drop_anchor(codecs, timestamp, now, outgoing)
        elif gap_ms < 0:
            self.dropped += 1
            return
        elif gap_ms and (in_order or gap_ms > CONCEALED_MS):
            yield from self._pause(codecs, timestamp)
        elif gap_ms:
            codecs.pending += codecs.decoder.conceal(gap_ms * codecs.rate // 1000)
            self._ahead_ms += gap_ms
        self._sequence = header.sequence
        pcm = codecs.decoder.decode(payload)
        samples = len(pcm) // 2
        self._expected_ts = timestamp + samples * codecs.source_rate // codecs.rate
        self._ahead_ms += samples * 1000 / codecs.rate
        codecs.pending += pcm
        yield from self._whole_packets(codecs)

    def _change_to(self, codecs: _Codecs) -> None:
        """Let another codec of the source go on."""
        before, self._current = self._current, codecs
        if before is not None:
            before.pending = b""
            self.restart()

    def _unwrapped(self, timestamp: int) -> int:
        """Return the value nearest to what is expected with these low 32 bits."""
        ahead = (timestamp - self._expected_ts + SERIAL // 2) % SERIAL - SERIAL // 2
        return self._expected_ts + ahead

    def _drop_anchor(
        self, codecs: _Codecs, timestamp: int, now: int, outgoing: OutgoingStream
    ) -> None:
        rate = CLOCK_RATES[codecs.recoding.target]
        self._next_ts = _place(outgoing, timestamp, rate, now)
        self._expected_ts = timestamp
        self._anchor = _Anchor(timestamp, self._next_ts)

    def _pause(self, codecs: _Codecs, timestamp: int) -> Iterator[Recoded]:
        """Send what was begun, filled up with silence, and go on where `timestamp` belongs."""
        assert self._anchor is not None
        if codecs.pending:
            codecs.pending = codecs.pending.ljust(codecs.frame_octets, b"\0")
            yield from self._whole_packets(codecs)
        rate = CLOCK_RATES[codecs.recoding.target]
        passed = (timestamp - self._anchor.source_ts) * rate // codecs.source_rate
        # What silence filled up may reach beyond the gap: never the same place twice.
        self._next_ts = max(self._next_ts, self._anchor.target_ts + passed)
        self._anchor = _Anchor(timestamp, self._next_ts)
        self._marker = True

    def _is_too_fast(self, now: int) -> bool:
        """Tell whether more sound came than time has passed for."""
        passed_ms = (now - self._heard_ns) / 1e6
        self._heard_ns = now
        self._ahead_ms = max(0.0, self._ahead_ms - passed_ms * HASTE)
        return self._ahead_ms > AHEAD_MS

    def _whole_packets(self, codecs: _Codecs) -> Iterator[Recoded]:
        recoding, size = codecs.recoding, codecs.frame_octets
        step = CLOCK_RATES[recoding.target] * recoding.ptime_ms // 1000
        pcm, position = codecs.pending, 0
        while len(pcm) - position >= size:
            payload = codecs.encoder.encode(pcm[position : position + size])
            position += size
            if payload:
                yield (
                    self._marker << 7 | recoding.payload_type,
                    self._next_ts & SERIAL - 1,
                    payload,
                )
                self._marker = False
            self._next_ts += step
        codecs.pending = pcm[position:]

    # --- keys

    def _event(
        self,
        event: EventRecoding,
        header: RtpHeader,
        payload: bytes,
        now: int,
        outgoing: OutgoingStream,
    ) -> Iterator[Recoded]:
        """Yield a telephone event (:rfc:`4733#section-2.3`) with its times on the other clock."""
        timestamp = self._unwrapped(header.timestamp)
        if self._anchor is None:
            self._expected_ts = timestamp
            self._next_ts = _place(outgoing, timestamp, event.target_rate, now)
            self._anchor = _Anchor(timestamp, self._next_ts)
        self._sequence = header.sequence
        if len(payload) < 4:
            return
        duration = int.from_bytes(payload[2:4], "big") * event.target_rate // event.source_rate
        passed = (timestamp - self._anchor.source_ts) * event.target_rate // event.source_rate
        yield (
            header.marker << 7 | event.payload_type,
            self._anchor.target_ts + passed & SERIAL - 1,
            payload[:2] + min(duration, 0xFFFF).to_bytes(2, "big"),
        )


class UnknownCodecError(Exception):
    """A route names a codec that can't be recoded here."""


class Transcoders:
    """Those of all legs of a worker: a bridge that is told again keeps what it has."""

    def __init__(self) -> None:
        self._by_leg: dict[int, tuple[Route, Transcoder]] = {}

    @property
    def legs(self) -> int:
        """How many legs are transcoded."""
        return len(self._by_leg)

    def of(self, leg_id: int, route: Route) -> Transcoder | None:
        """Return what a leg's route needs; raises `UnknownCodecError`."""
        known = self._by_leg.pop(leg_id, None)
        if not route.recodings:
            return None
        if known is not None and _is_same(known[0], route):
            self._by_leg[leg_id] = route, known[1]
            return known[1]
        try:
            made = Transcoder(route.recodings, route.events)
        except (KeyError, ImportError, OSError) as error:
            raise UnknownCodecError(f"no transcoding: {error}") from error
        self._by_leg[leg_id] = route, made
        return made

    def forget(self, leg_id: int) -> None:
        """Let go of a leg that is released."""
        self._by_leg.pop(leg_id, None)


def _is_same(before: Route, now: Route) -> bool:
    return before.recodings == now.recodings and before.events == now.events


def _place(outgoing: OutgoingStream, timestamp: int, rate: int, now: int) -> int:
    """Return where a source that begins now has its first packet."""
    if outgoing.ssrc == NO_SSRC or not outgoing.sent_ns:
        return timestamp
    return outgoing.timestamp_at(now, rate)
