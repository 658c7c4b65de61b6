"""The handlers that nearly every packet goes through, and nothing else does.

What Python adds to a `recv` and a `send` is measured in tenths of a microsecond here, so
these are flat functions over local names, alike on purpose. Each compares the packet with what
the stream has said that the next one will be: in order, same SSRC, type, marker and length, and a
timestamp that has moved on as usual. One that only varies in the last four goes on after a
question to the path; all others are left to the relay. What is counted follows from the
numbers that say what comes next.

With hundreds of legs the processor's cache is the bottleneck, not the number of
statements. Hence one function for all legs of a loop, its shared things in cells that stay
warm, and one object per leg with what is the leg's own, bound to the function as the `self`
of a method. Each number that is a leg's own is one more cache line that is cold: so the header
is two of them, and there are no counters. And `path.send(…)` is written as a load and a call,
because the interpreter looks up a method call on a slot the long way each time.
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
"The first two octets of the header as one number, sequence number, timestamp, SSRC."

COMPARED: Final = struct.Struct("!HHQ")
"The same in as few numbers as can be compared with what is expected."


class PacketBuffer:
    """Where packets are received, one for all legs of a loop, with a view for each length."""

    __slots__ = ("octets", "views")

    def __init__(self) -> None:
        # One octet more than a packet may have shows that a datagram is too long.
        self.octets = bytearray(MAX_PACKET + 1)
        whole = memoryview(self.octets)
        self.views = [whole[:length] for length in range(MAX_PACKET + 2)]
        "By length."


class Rest(Protocol):
    """What takes care of everything unusual: the leg's relay."""

    def unusual(self, length: int, now: int) -> bool:
        """Handle the packet in the buffer."""

    def receive_failed(self, error: OSError) -> None:
        """Count what `receive` raised."""

    def send_failed(self, error: OSError) -> None:
        """Count what `send` raised."""


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


class Path(ReceivedStream):
    """A leg's stream as it comes, and the way that its packets go.

    The relay sets the way, and takes its packets out of the loop for good with `rest`.
    """

    __slots__ = (
        "leg",
        "receive",
        "rest",
        "send",
        "sequence_delta",
        "sink",
        "tail_delta",
        "words",
    )

    def __init__(self, leg: int, receive: Receive, rest: Rest) -> None:
        super().__init__()
        self.leg = leg
        self.receive = receive
        self.send: Send = nowhere
        self.sink: Sink | None = None
        "The tap."
        self.rest = rest
        "Who does with a packet what is not done here."
        self.words: Mapping[int, int] = ANY_WORD
        "`words_of` the route; those that are not for the fast path are left out."
        self.sequence_delta = 0
        "For rewriting: what to add to a sequence number..."
        self.tail_delta = 0
        "...and to timestamp and SSRC, as one number."

    def admits(self, first: int, sequence: int, tail: int, length: int) -> int | None:
        """Return the step to the packet after this one, if it only varies; None: it is unusual."""
        if (
            sequence != self.next_sequence
            or tail & 0xFFFF_FFFF != self.ssrc
            or first not in self.words
            or not HEADER_SIZE <= length <= MAX_PACKET
        ):
            return None
        return self.vary(first, tail, length)


def nowhere(packet: memoryview) -> None:
    """Stand in a path that sends nothing."""


Function: TypeAlias = Callable[[Path, int], None]


class FastPath:
    """The handlers of all legs of one loop, around one buffer."""

    __slots__ = ("_rewriting", "_untouched", "buffer")

    def __init__(self) -> None:
        self.buffer = PacketBuffer()
        self._untouched = _untouched(self.buffer)
        self._rewriting = _rewriting(self.buffer)

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
    scratch, views, unpack = buffer.octets, buffer.views, COMPARED.unpack_from

    def forward_untouched(path: Path, now: int) -> None:
        receive, send = path.receive, path.send
        try:
            length = receive(scratch)
        except OSError as error:
            path.rest.receive_failed(error)
            return
        first, sequence, tail = unpack(scratch)
        usual_first, usual_length, step = path.usual
        if (
            sequence != path.next_sequence
            or tail != path.next_tail
            or first != usual_first
            or length != usual_length
        ):
            varied = path.admits(first, sequence, tail, length)
            if varied is None:
                path.rest.unusual(length, now)
                return
            step = varied
        path.next_sequence = sequence + 1
        path.next_tail = tail + step
        path.arrival_ns = now
        try:
            send(views[length])
        except OSError as error:
            path.rest.send_failed(error)
        sink = path.sink
        if sink is not None:
            sink(scratch, length, path.leg, now)

    return forward_untouched


def _rewriting(buffer: PacketBuffer) -> Function:
    scratch, views = buffer.octets, buffer.views
    unpack, pack = COMPARED.unpack_from, COMPARED.pack_into

    def forward_rewritten(path: Path, now: int) -> None:
        receive, send = path.receive, path.send
        try:
            length = receive(scratch)
        except OSError as error:
            path.rest.receive_failed(error)
            return
        first, sequence, tail = unpack(scratch)
        usual_first, usual_length, step = path.usual
        if (
            sequence != path.next_sequence
            or tail != path.next_tail
            or first != usual_first
            or length != usual_length
        ):
            varied = path.admits(first, sequence, tail, length)
            if varied is None:
                path.rest.unusual(length, now)
                return
            step = varied
        path.next_sequence = sequence + 1
        path.next_tail = tail + step
        path.arrival_ns = now
        sink = path.sink
        if sink is not None:  # before the header changes
            sink(scratch, length, path.leg, now)
        pack(
            scratch,
            0,
            path.words[first],
            sequence + path.sequence_delta & 0xFFFF,
            tail + path.tail_delta & 0xFFFF_FFFF_FFFF_FFFF,
        )
        try:
            send(views[length])
        except OSError as error:
            path.rest.send_failed(error)

    return forward_rewritten


def _transcoding(buffer: PacketBuffer, tables: Mapping[int, bytes]) -> Function:
    scratch, views = buffer.octets, buffer.views
    unpack, pack, table_of = COMPARED.unpack_from, COMPARED.pack_into, tables.get

    def forward_transcoded(path: Path, now: int) -> None:
        receive, send = path.receive, path.send
        try:
            length = receive(scratch)
        except OSError as error:
            path.rest.receive_failed(error)
            return
        first, sequence, tail = unpack(scratch)
        usual_first, usual_length, step = path.usual
        if (
            sequence != path.next_sequence
            or tail != path.next_tail
            or first != usual_first
            or length != usual_length
        ):
            varied = path.admits(first, sequence, tail, length)
            if varied is None:
                path.rest.unusual(length, now)
                return
            step = varied
        path.next_sequence = sequence + 1
        path.next_tail = tail + step
        path.arrival_ns = now
        sink = path.sink
        if sink is not None:  # before header and payload change
            sink(scratch, length, path.leg, now)
        table = table_of(first & 0x7F)
        if table is not None:
            scratch[12:length] = scratch[12:length].translate(table)
        pack(
            scratch,
            0,
            path.words[first],
            sequence + path.sequence_delta & 0xFFFF,
            tail + path.tail_delta & 0xFFFF_FFFF_FFFF_FFFF,
        )
        try:
            send(views[length])
        except OSError as error:
            path.rest.send_failed(error)

    return forward_transcoded
