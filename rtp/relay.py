"""The path of one leg's packets: check the header, hand to the tap, forward at once.

`rtp/fast_path.py` takes what is in order; here is what decides whether it may, and how packets
change on it, and what handles all the rest itself: a gap or a wrap in the numbers, CSRCs,
extension or padding, another SSRC, other types, no RTP at all.

Towards the receiving party a stream begins with the numbers of its source, untouched.
When the source changes (an announcement, a bridge, a transfer, a new SSRC), SSRC, sequence
number and timestamp go on where they were, and packets are rewritten from then on.

Sans-IO: `receive` and `send` are the bound methods of sockets, but any callables do.
Times are nanoseconds of the monotonic clock.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from rtp.ears import Ears, OnEvent, OnSound
from rtp.fast_path import (
    ANY_WORD,
    FIELDS,
    Callback,
    FastPath,
    Path,
    Receive,
    Rewrite,
    Send,
    Sink,
    nowhere,
    words_of,
)
from rtp.header import HEADER_SIZE, MalformedRtpError, RtpHeader
from rtp.outgoing import OutgoingStream
from rtp.recoder import Recoder
from rtp.statistics import NO_SSRC, Drops

DEFAULT_CLOCK_RATE: Final = 8000
"Hz; of all types for which the negotiation told no other."


class Relay:
    """What a leg does with each packet that it receives.

    The owner asks for the `handler` anew after each change; `on_change` tells of those that
    packets bring about.
    """

    __slots__ = (
        "_ears",
        "_fast_words",
        "_forwarded_from",
        "_octets_from",
        "_outgoing",
        "_recoded",
        "_recoder",
        "_sequence_delta",
        "_synchronised",
        "_tables",
        "_timestamp_delta",
        "_unforwarded",
        "_words",
        "buffer",
        "clock_rates",
        "drops",
        "leg",
        "on_change",
        "receive",
        "received",
        "send",
        "sink",
    )

    def __init__(
        self, leg: int, receive: Receive, fast_path: FastPath, on_change: Callable[[], None]
    ) -> None:
        self.leg = leg
        self.receive = receive
        self.buffer = fast_path.buffer
        self.on_change = on_change
        self.received = Path(leg, receive, self, fast_path)
        self.drops = Drops()
        self.clock_rates: Mapping[int, int] = {}
        "Hz by payload type as it arrives."
        self.sink: Sink | None = None
        "Where packets go for the recorder; None: nowhere."
        self.send: Send | None = None
        "Of the other leg; set by `forward_to`, and by the owner when its socket changes."
        self._ears = Ears()
        self._words: Mapping[int, int] = ANY_WORD
        self._fast_words: Mapping[int, int] | None = None
        self._tables: Mapping[int, bytes] = {}
        self._recoder: Recoder | None = None
        self._recoded: frozenset[int] = frozenset()
        self._outgoing: OutgoingStream | None = None
        self._synchronised = False
        self._sequence_delta = 0
        self._timestamp_delta = 0
        self._forwarded_from = 0
        self._octets_from = 0
        self._unforwarded = 0

    @property
    def forwarded(self) -> int:
        """Packets sent on since `forward_to`."""
        if self._outgoing is None:
            return 0
        return self.received.packets - self._forwarded_from - self._unforwarded

    @property
    def forwarded_octets(self) -> int:
        """Octets of payload sent on since `forward_to`.

        Reckoned from the mean packet: nobody counts per packet what was not sent on.
        """
        received = self.received.packets - self._forwarded_from
        if self._outgoing is None or received <= 0:
            return 0
        payload = self.received.octets - self._octets_from - HEADER_SIZE * received
        return max(0, payload * self.forwarded // received)

    def accept(
        self,
        payload_types: Mapping[int, int],
        tables: Mapping[int, bytes],
        recoder: Recoder | None = None,
    ) -> None:
        """Take these types, with the numbers that they get towards the other party.

        `tables`: payload type in -> 256 octets for `bytes.translate`. `recoder`: for types that
        need more than that; they are among `payload_types` too.
        """
        self._words = words_of(payload_types)
        self._tables = tables
        self._recoder = recoder
        self._recoded = frozenset(recoder.payload_types if recoder is not None else ())
        self._divert()

    def listen(self, events: Collection[int], on_event: OnEvent | None) -> None:
        """Let `on_event` hear, and rule on, the telephone events of these payload types.

        An event must have the SSRC of the stream that the leg has: a digit may be somebody's
        word.
        """
        before = self._ears.types
        self._ears.listen(events, on_event)
        if self._ears.types != before:
            self._divert()

    def overhear(self, payload_types: Collection[int], on_sound: OnSound | None) -> None:
        """Let `on_sound` hear the sound of these payload types as it passes.

        Only for a leg on which keys come as tones: nothing of them is on the fast path then.
        """
        before = self._ears.types
        self._ears.overhear(payload_types, on_sound)
        if self._ears.types != before:
            self._divert()

    def sends_as(self, payload_type: int) -> int | None:
        """Return the number that packets of this type get towards the other party."""
        word = self._words.get(0x8000 | payload_type)
        return None if word is None else word & 0x7F

    def _divert(self) -> None:
        """Think again about what may go on the fast path, when there is something to go."""
        self._fast_words = None

    def _quick(self) -> Mapping[int, int]:
        """Return the words but for events and sound that are listened to, and what is recoded."""
        slow = self._ears.types | self._recoded
        words = self._words
        if slow:
            words = {word: to for word, to in words.items() if word & 0x7F not in slow}
        return words

    def forward_to(self, outgoing: OutgoingStream, send: Send) -> None:
        """Send packets on from now on, as `outgoing`."""
        if outgoing is self._outgoing:
            self.send = send
            return
        self.stop_forwarding()
        self._outgoing = outgoing
        self.send = send
        self._synchronised = False
        if self._recoder is not None:
            self._recoder.restart()
        self._forwarded_from = self.received.packets
        self._octets_from = self.received.octets
        self._unforwarded = 0

    def stop_forwarding(self) -> None:
        """Only receive from now on (and tap, where there is a sink)."""
        if self._outgoing is not None:
            self._settle(self._outgoing)
            self._outgoing.packets += self.forwarded
            self._outgoing.octets += self.forwarded_octets
        self._outgoing = None
        self.send = None

    def handler(self) -> Callback:
        """Return the cheapest that does right by the next packets: the path, where it may."""
        outgoing, path = self._outgoing, self.received
        path.receive, path.sink, path.rewrite = self.receive, self.sink, None
        if self._fast_words is None:
            self._fast_words = self._quick()
        if path.words is not self._fast_words:
            path.words = self._fast_words
            path.expect_nothing()
        if outgoing is None or self.send is None:
            path.send = nowhere
            return path
        path.send = self.send
        if not self._synchronised:
            return self._receive_any
        path.rewrite = self._rewrite(outgoing, path)
        return path

    def _rewrite(self, outgoing: OutgoingStream, path: Path) -> Rewrite | None:
        """Return what is to be written into the packets that `path` takes."""
        tail_delta = (self._timestamp_delta << 32) + outgoing.ssrc - path.ssrc
        same_numbers = not (self._sequence_delta or tail_delta or self._tables)
        if same_numbers and all(source == target for source, target in path.words.items()):
            return None
        return path.words, self._sequence_delta, tail_delta, self._tables

    def release(self) -> None:
        """Let go of everything: nobody collects cycles here."""
        self.sink = self.received.sink = None
        self.received.send = nowhere
        self.on_change = _nothing
        self.listen((), None)
        del self.received.rest

    # Everything else, one packet at a time.

    def _receive_any(self, now: int) -> None:
        try:
            length = self.receive(self.buffer.octets)
        except OSError as error:
            self.receive_failed(error)
            return
        self.unusual(length, now)

    def check(self, length: int) -> RtpHeader | None:
        """Return the header of the packet in the buffer, or count why it is none of ours."""
        try:
            header = RtpHeader.parse(self.buffer.views[length])
        except MalformedRtpError:
            header = None
        if header is None:
            self.drops.malformed += 1
            return None
        event = header.payload_type in self._ears.events
        if event and self.received.ssrc not in (NO_SSRC, header.ssrc):
            self.drops.wrong_ssrc += 1
            return None
        if not event and 0x8000 | header.payload_type not in self._words:
            self.drops.wrong_type += 1
            # Its number is used up all the same, unless it is something else altogether
            # (RTCP on the RTP port has its SSRC elsewhere).
            if self.received.continues(header.sequence, header.ssrc):
                self._unforwarded += 1
                self._observe(header, length, self.received.arrival_ns)
                self.received.untimed_ns = self.received.arrival_ns
            return None
        return header

    def unusual(self, length: int, now: int) -> bool:
        """Do with the packet in the buffer what is right in any case; tell if it was good."""
        header = self.check(length)
        if header is None:
            return False
        outgoing = self._outgoing
        restarted = not self.received.continues(header.sequence, header.ssrc)
        recoder = self._recoder_of(header.payload_type)
        if recoder is not None and self._synchronised:
            recoder.restart()
            restarted = True
        if restarted and outgoing is not None:
            self._settle(outgoing)
        expected = self.received.next_sequence
        self._observe(header, length, now)
        if recoder is None and outgoing is not None and not self._synchronised:
            self._synchronise(outgoing, header, now)
            restarted = True
        event = header.payload_type in self._ears.events
        if event:
            # An event's timestamp is that of its beginning.
            self.received.untimed_ns = now
        if event and not self._hear(header, length, now):
            self._unforwarded += 1
            if self._synchronised and self.received.next_sequence != expected:
                # Nothing is missing for the other party: the numbers close up.
                self._sequence_delta -= 1
                restarted = True
            outgoing = None
        self._overhear(header, length, now)
        if recoder is not None and outgoing is not None:
            self._recode(recoder, outgoing, header, length, now)
        else:
            self._pass_on(outgoing, header, length, now)
        if restarted:
            self.on_change()
        return True

    def _recoder_of(self, payload_type: int) -> Recoder | None:
        recoder = self._recoder
        if recoder is None or payload_type in self._recoded:
            return recoder
        follows = not self._synchronised and payload_type in recoder.followers
        return recoder if follows else None

    def _hear(self, header: RtpHeader, length: int, now: int) -> bool:
        """Tell of a telephone event; return whether it is to be passed on, and can be."""
        passed = self._ears.rule(header, self._payload(header, length), now)
        return passed and 0x8000 | header.payload_type in self._words

    def _overhear(self, header: RtpHeader, length: int, now: int) -> None:
        if header.payload_type in self._ears.sounds:
            self._ears.hear(header, self._payload(header, length), now)

    def _payload(self, header: RtpHeader, length: int) -> bytes:
        """Return the payload of the packet in the buffer."""
        view = self.buffer.views[length]
        return view[header.payload_offset : length - header.padding].tobytes()

    def _pass_on(
        self, outgoing: OutgoingStream | None, header: RtpHeader, length: int, now: int
    ) -> None:
        view = self.buffer.views[length]
        self._tap(length, now)
        if outgoing is None or self.send is None:
            return
        table = self._tables.get(header.payload_type)
        if table is not None:
            payload = view[header.payload_offset : length - header.padding]
            payload[:] = payload.tobytes().translate(table)
        FIELDS.pack_into(
            view,
            0,
            # CSRC count, extension and padding stay as they are.
            view[0] << 8 | self._words[0x8000 | view[1]] & 0xFF,
            header.sequence + self._sequence_delta & 0xFFFF,
            header.timestamp + self._timestamp_delta & 0xFFFFFFFF,
            outgoing.ssrc,
        )
        try:
            self.send(view)
        except OSError as error:
            self.send_failed(error)

    def _tap(self, length: int, now: int) -> None:
        if self.sink is not None:
            self.sink(self.buffer.octets, length, self.leg, now)

    def _recode(
        self, recoder: Recoder, outgoing: OutgoingStream, header: RtpHeader, length: int, now: int
    ) -> None:
        """Send what the recoder makes of a packet; the stream's numbers are its own from here."""
        self._tap(length, now)
        self._unforwarded += 1
        payload = self._payload(header, length)
        for second, timestamp, octets in recoder.take(header, payload, now, outgoing):
            if outgoing.ssrc == NO_SSRC:
                outgoing.ssrc, outgoing.sequence = header.ssrc, header.sequence - 1 & 0xFFFF
                outgoing.timestamp = timestamp - 1 & 0xFFFFFFFF
            self._send_recoded(outgoing, outgoing.header(second, timestamp, now), octets)

    def _send_recoded(self, outgoing: OutgoingStream, header: bytes, payload: bytes) -> None:
        assert self.send is not None
        try:
            self.send(memoryview(header + payload))
        except OSError as error:
            self.drops.unsent += 1
            self.drops.refused += isinstance(error, ConnectionRefusedError)
        else:
            outgoing.packets += 1
            outgoing.octets += len(payload)

    def _observe(self, header: RtpHeader, length: int, now: int) -> None:
        self.received.observe(
            sequence=header.sequence,
            timestamp=header.timestamp,
            ssrc=header.ssrc,
            arrival_ns=now,
            length=length,
        )

    def note_position(self) -> None:
        """Write down where the outgoing stream is, if it comes from here."""
        if self._outgoing is not None:
            self._note(self._outgoing)

    def _settle(self, outgoing: OutgoingStream) -> None:
        """Write down where the outgoing stream is; what comes next must be synchronised."""
        self._note(outgoing)
        self._synchronised = False

    def _note(self, outgoing: OutgoingStream) -> None:
        if self._synchronised:
            received = self.received
            outgoing.sequence = received.highest_sequence + self._sequence_delta & 0xFFFF
            outgoing.timestamp = received.timestamp + self._timestamp_delta & 0xFFFFFFFF
            outgoing.sent_ns = received.arrival_ns

    def _synchronise(self, outgoing: OutgoingStream, header: RtpHeader, now: int) -> None:
        """Let the outgoing stream go on with this packet, or begin as its source does."""
        self._synchronised = True
        if outgoing.ssrc == NO_SSRC:
            outgoing.ssrc = header.ssrc
            self._sequence_delta = self._timestamp_delta = 0
            return
        rate = self.clock_rates.get(header.payload_type, DEFAULT_CLOCK_RATE)
        self._sequence_delta = outgoing.sequence + 1 - header.sequence
        self._timestamp_delta = outgoing.timestamp_at(now, rate) - header.timestamp

    def receive_failed(self, error: OSError) -> None:
        """Count what a `recv` said. Asking a connected socket also clears its error."""
        if not isinstance(error, BlockingIOError):
            self.drops.refused += 1

    def send_failed(self, error: OSError) -> None:
        """Count a packet that was not sent: a full buffer, a closed port, no route."""
        self._unforwarded += 1
        self.drops.unsent += 1
        if isinstance(error, ConnectionRefusedError):
            self.drops.refused += 1


def _nothing() -> None:
    """Tell nobody."""
