"""The handlers that nearly every packet goes through, and nothing else does.

What Python adds to a `recv` and a `send` is measured in tenths of a microsecond here, so
these are flat functions over local names, alike on purpose. Each checks what the usual
packets of a stream have in common (in order, same SSRC, a routed type, version 2 without
padding, extension or CSRCs, a possible length) and leaves all others to the relay. The
fields of `received` that they move are all they keep per packet; everything that is
counted follows from those.

With hundreds of legs the processor's cache is the bottleneck, not the number of
statements. Hence one function for all legs of a loop, its shared things in cells that stay
warm, and one plain tuple per leg with what is the leg's own, bound to the function as the
`self` of a method: 0.5 µs less per packet than a closure per leg.
"""

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MethodType
from typing import Final, Protocol, TypeAlias

from rtp.header import HEADER_SIZE, MAX_PACKET
from rtp.statistics import ReceivedStream

Handler = Callable[[int], None]
"Called with the time in ns (monotonic clock) when the socket is readable."

Receive = Callable[[bytearray], int]
Send = Callable[[memoryview], object]

Sink = Callable[[bytes | bytearray, int, int, int], None]
"""Takes octets that begin with a datagram as it arrived, its length, the leg and the arrival in
ns: `RingWriter.packet`.
"""

FIELDS: Final = struct.Struct("!HHII")
"The first two octets of the header as one number, so that one look-up checks them all."


class PacketBuffer:
    """Where packets are received, one for all legs of a loop, with a view for each length."""

    __slots__ = ("octets", "views")

    def __init__(self) -> None:
        # One octet more than a packet may have shows that a datagram is too long.
        self.octets = bytearray(MAX_PACKET + 1)
        whole = memoryview(self.octets)
        self.views: list[memoryview | None] = [
            whole[:length] if HEADER_SIZE <= length <= MAX_PACKET else None
            for length in range(MAX_PACKET + 2)
        ]
        "By length; None where no RTP packet has that length."


class Rest(Protocol):
    """What takes care of everything unusual: the leg's relay."""

    leg: int

    def unusual(self, length: int, now: int) -> bool:
        """Handle the packet in the buffer."""

    def receive_failed(self, error: OSError) -> None:
        """Count what `receive` raised."""

    def send_failed(self, error: OSError) -> None:
        """Count what `send` raised."""


Path: TypeAlias = tuple[
    Receive, Send, ReceivedStream, Mapping[int, int], Sink | None, Rest, int, int, int
]
"""What is a leg's own: how to receive and send, its stream, `words_of` its route, the tap,
the rest, and for rewriting what to add to sequence number and timestamp, and the SSRC.
"""

Function: TypeAlias = Callable[[Path, int], None]


def words_of(payload_types: Mapping[int, int]) -> Mapping[int, int]:
    """Return first words (version 2, no more bits; marker and type) in -> out."""
    return _words_of(tuple(payload_types.items()))


@lru_cache(maxsize=256)
def _words_of(payload_types: tuple[tuple[int, int], ...]) -> Mapping[int, int]:
    """Make them. Calls have the same few routes, so their legs share what is made of each."""
    plain = {0x8000 | source: 0x8000 | target for source, target in payload_types}
    marked = {0x8080 | source: 0x8080 | target for source, target in payload_types}
    return plain | marked


ANY_TYPE: Final[Mapping[int, int]] = {number: number for number in range(128)}
"Every payload type as it is: of a leg of which nothing is known yet. Not to be changed."

ANY_WORD: Final = words_of(ANY_TYPE)


class FastPath:
    """The handlers of all legs of one loop, around one buffer."""

    __slots__ = ("_absorbing", "_rewriting", "_untouched", "buffer")

    def __init__(self) -> None:
        self.buffer = PacketBuffer()
        self._untouched = _untouched(self.buffer)
        self._rewriting = _rewriting(self.buffer)
        self._absorbing = _absorbing(self.buffer)

    def absorbing(self, path: Path) -> Handler:
        """Return a handler that sends nothing on."""
        return MethodType(self._absorbing, path)

    def untouched(self, path: Path) -> Handler:
        """Return a handler that sends packets on as they are."""
        return MethodType(self._untouched, path)

    def rewriting(self, path: Path) -> Handler:
        """Return a handler that sends packets on with other numbers."""
        return MethodType(self._rewriting, path)

    def transcoding(self, path: Path, tables: Mapping[int, bytes]) -> Handler:
        """Return a handler that also changes payload octets, by 256-octet `tables`."""
        # Rare enough for a function per leg.
        return MethodType(_transcoding(self.buffer, tables), path)


def _untouched(buffer: PacketBuffer) -> Function:
    scratch, views = buffer.octets, buffer.views
    unpack = FIELDS.unpack_from

    def forward_untouched(path: Path, now: int) -> None:
        receive, send, received, words, sink, rest, _, _, _ = path
        try:
            length = receive(scratch)
        except OSError as error:
            rest.receive_failed(error)
            return
        first, sequence, timestamp, ssrc = unpack(scratch)
        view = views[length]
        if (
            sequence != received.next_sequence
            or ssrc != received.ssrc
            or first not in words
            or view is None
        ):
            rest.unusual(length, now)
            return
        received.next_sequence = sequence + 1
        received.timestamp = timestamp
        received.arrival_ns = now
        received.octets += length
        try:
            send(view)
        except OSError as error:
            rest.send_failed(error)
        if sink is not None:
            sink(scratch, length, rest.leg, now)

    return forward_untouched


def _absorbing(buffer: PacketBuffer) -> Function:
    scratch, views = buffer.octets, buffer.views
    unpack = FIELDS.unpack_from

    def absorb(path: Path, now: int) -> None:
        receive, _, received, words, sink, rest, _, _, _ = path
        try:
            length = receive(scratch)
        except OSError as error:
            rest.receive_failed(error)
            return
        first, sequence, timestamp, ssrc = unpack(scratch)
        view = views[length]
        if (
            sequence != received.next_sequence
            or ssrc != received.ssrc
            or first not in words
            or view is None
        ):
            rest.unusual(length, now)
            return
        received.next_sequence = sequence + 1
        received.timestamp = timestamp
        received.arrival_ns = now
        received.octets += length
        if sink is not None:
            sink(scratch, length, rest.leg, now)

    return absorb


def _rewriting(buffer: PacketBuffer) -> Function:
    scratch, views = buffer.octets, buffer.views
    unpack, pack = FIELDS.unpack_from, FIELDS.pack_into

    def forward_rewritten(path: Path, now: int) -> None:
        receive, send, received, words, sink, rest, sequence_delta, timestamp_delta, ssrc_out = path
        try:
            length = receive(scratch)
        except OSError as error:
            rest.receive_failed(error)
            return
        first, sequence, timestamp, ssrc = unpack(scratch)
        view = views[length]
        if (
            sequence != received.next_sequence
            or ssrc != received.ssrc
            or first not in words
            or view is None
        ):
            rest.unusual(length, now)
            return
        received.next_sequence = sequence + 1
        received.timestamp = timestamp
        received.arrival_ns = now
        received.octets += length
        if sink is not None:  # before the header changes
            sink(scratch, length, rest.leg, now)
        pack(
            scratch,
            0,
            words[first],
            sequence + sequence_delta & 0xFFFF,
            timestamp + timestamp_delta & 0xFFFFFFFF,
            ssrc_out,
        )
        try:
            send(view)
        except OSError as error:
            rest.send_failed(error)

    return forward_rewritten


def _transcoding(buffer: PacketBuffer, tables: Mapping[int, bytes]) -> Function:
    scratch, views = buffer.octets, buffer.views
    unpack, pack, table_of = FIELDS.unpack_from, FIELDS.pack_into, tables.get

    def forward_transcoded(path: Path, now: int) -> None:
        receive, send, received, words, sink, rest, sequence_delta, timestamp_delta, ssrc_out = path
        try:
            length = receive(scratch)
        except OSError as error:
            rest.receive_failed(error)
            return
        first, sequence, timestamp, ssrc = unpack(scratch)
        view = views[length]
        if (
            sequence != received.next_sequence
            or ssrc != received.ssrc
            or first not in words
            or view is None
        ):
            rest.unusual(length, now)
            return
        received.next_sequence = sequence + 1
        received.timestamp = timestamp
        received.arrival_ns = now
        received.octets += length
        if sink is not None:  # before header and payload change
            sink(scratch, length, rest.leg, now)
        table = table_of(first & 0x7F)
        if table is not None:
            scratch[12:length] = scratch[12:length].translate(table)
        pack(
            scratch,
            0,
            words[first],
            sequence + sequence_delta & 0xFFFF,
            timestamp + timestamp_delta & 0xFFFFFFFF,
            ssrc_out,
        )
        try:
            send(view)
        except OSError as error:
            rest.send_failed(error)

    return forward_transcoded
