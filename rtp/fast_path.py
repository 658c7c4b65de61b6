"""What nearly every packet goes through, and nothing else does.

What Python adds to a `recv` and a `send` is measured in tenths of a microsecond here, so
this is one flat function over local names, for all packets of one wake-up. It compares each
with what the stream has said that the next one will be: in order, same SSRC, type, marker and
length, and a timestamp that has moved on as usual. One that only varies in the last four goes on
after a question to the path; all others are left to the relay. What is counted follows from the
numbers that say what comes next.

With hundreds of legs the processor's cache is the bottleneck, not the number of statements.
Hence one object per leg with what is the leg's own, and what legs have in common shared between
them. Each number that is a leg's own is one more cache line that is cold: so the header is two of
them, and there are no counters. And `path.send(…)` is written as a load and a call, because the
interpreter looks up a method call on a slot the long way each time.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, Protocol, TypeAlias

from rtp.header import HEADER_SIZE, MAX_PACKET
from rtp.statistics import ReceivedStream

Callback = Callable[[int], None]
"Called with the time in ns (monotonic clock) when a descriptor is readable."

Failed = Callable[[int, Exception], None]
"Called with the descriptor whose packet or callback raised."

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


Rewrite: TypeAlias = tuple[Mapping[int, int], int, int, Mapping[int, bytes]]
"""What is written into packets that do not go as they are: the first word out for each one in,
what to add to the sequence number, and to timestamp and SSRC as one number; and by payload type
in what `bytes.translate` makes another law of the payload with (256 octets).
"""


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
        "_fast_path",
        "leg",
        "receive",
        "rest",
        "rewrite",
        "send",
        "sink",
        "words",
    )

    def __init__(self, leg: int, receive: Receive, rest: Rest, fast_path: "FastPath") -> None:
        super().__init__()
        self._fast_path = fast_path
        self.leg = leg
        self.receive = receive
        self.send: Send = nowhere
        self.sink: Sink | None = None
        "The tap."
        self.rest = rest
        "Who does with a packet what is not done here."
        self.words: Mapping[int, int] = ANY_WORD
        "`words_of` the route; those that are not for the fast path are left out."
        self.rewrite: Rewrite | None = None
        "None: packets go as they are."

    def __call__(self, now: int) -> None:
        """Take one packet: what a loop has `FastPath.forward` do for all that it woke up for."""
        self._fast_path.forward(((0, 0),), now, (self,), (), _raise)

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


def _raise(fd: int, error: Exception) -> None:  # noqa: ARG001 - a `Failed`
    raise error


def _translate(octets: bytearray, length: int, tables: Mapping[int, bytes], first: int) -> None:
    table = tables.get(first & 0x7F)
    if table is not None:
        octets[HEADER_SIZE:length] = octets[HEADER_SIZE:length].translate(table)


class FastPath:
    """Carries out the paths of all legs of one loop, around one buffer."""

    __slots__ = ("buffer",)

    def __init__(self) -> None:
        self.buffer = PacketBuffer()

    def forward(  # noqa: C901 - flat, since calls are what costs here
        self,
        events: Iterable[tuple[int, int]],
        now: int,
        paths: Sequence[Path | None],
        callbacks: Sequence[Callback | None],
        failed: Failed,
    ) -> None:
        """Take one packet for each event (descriptor, mask) that has a path; else call back.

        `paths` and `callbacks` are by descriptor. A packet that raises stops no other one.
        """
        scratch, views = self.buffer.octets, self.buffer.views
        unpack, pack = COMPARED.unpack_from, COMPARED.pack_into
        for fd, _ in events:
            path = paths[fd]
            try:
                if path is None:
                    callbacks[fd](now)  # type: ignore[misc] # None: removed in this batch
                    continue
                receive, send = path.receive, path.send
                try:
                    length = receive(scratch)
                except OSError as error:
                    path.rest.receive_failed(error)
                    continue
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
                        continue
                    step = varied
                path.next_sequence = sequence + 1
                path.next_tail = tail + step
                path.arrival_ns = now
                sink = path.sink
                if sink is not None:  # before anything changes
                    sink(scratch, length, path.leg, now)
                rewrite = path.rewrite
                if rewrite is not None:
                    words, sequence_delta, tail_delta, tables = rewrite
                    if tables:
                        _translate(scratch, length, tables, first)
                    pack(
                        scratch,
                        0,
                        words[first],
                        sequence + sequence_delta & 0xFFFF,
                        tail + tail_delta & 0xFFFF_FFFF_FFFF_FFFF,
                    )
                try:
                    send(views[length])
                except OSError as error:
                    path.rest.send_failed(error)
            except Exception as error:  # noqa: BLE001 - a bulkhead: one leg, not the loop
                failed(fd, error)
