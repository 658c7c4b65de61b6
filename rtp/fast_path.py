"""The handlers that nearly every packet goes through, and nothing else does.

What Python adds to a `recv` and a `send` is measured in tenths of a microsecond here, so
these are flat functions over local names, alike on purpose. Each checks what the usual
packets of a stream have in common (in order, same SSRC, a routed type, version 2 without
padding, extension or CSRCs, a possible length) and leaves all others to `Path.unusual`.
The fields of `received` that they move are all they keep per packet; everything that is
counted follows from those.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rtp.header import HEADER_SIZE, MAX_PACKET
from rtp.statistics import ReceivedStream

Handler = Callable[[int], None]
"Called with the time in ns (monotonic clock) when the socket is readable."

Receive = Callable[[bytearray], int]
Send = Callable[[memoryview], object]

Sink = Callable[[memoryview, int, int, int, int, int, int, int], None]
"Takes octets, leg, arrival in ns, b0, b1, sequence, timestamp, ssrc: `RingWriter.packet`."

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """What the handlers of one leg work with."""

    leg: int
    receive: Receive
    send: Send
    buffer: PacketBuffer
    received: ReceivedStream
    words: Mapping[int, int]
    "First two octets in -> out; see `words_of`."
    sink: Sink | None
    unusual: Callable[[int, int], object]
    "Takes the length of the packet in the buffer, and the time."
    receive_failed: Callable[[OSError], None]
    send_failed: Callable[[OSError], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How a stream's numbers differ towards the other party."""

    ssrc: int
    sequence: int
    timestamp: int


def words_of(payload_types: Mapping[int, int]) -> dict[int, int]:
    """Return first words (version 2, no more bits; marker and type) in -> out."""
    plain = {0x8000 | source: 0x8000 | target for source, target in payload_types.items()}
    marked = {0x8080 | source: 0x8080 | target for source, target in payload_types.items()}
    return plain | marked


def untouched(path: Path) -> Handler:
    """Send packets on as they are."""
    receive, send, sink, leg = path.receive, path.send, path.sink, path.leg
    scratch, views = path.buffer.octets, path.buffer.views
    received, words, unusual = path.received, path.words, path.unusual
    receive_failed, send_failed = path.receive_failed, path.send_failed
    unpack = FIELDS.unpack_from

    def forward_untouched(now: int) -> None:
        try:
            length = receive(scratch)
        except OSError as error:
            receive_failed(error)
            return
        first, sequence, timestamp, ssrc = unpack(scratch)
        view = views[length]
        if (
            sequence != received.next_sequence
            or ssrc != received.ssrc
            or first not in words
            or view is None
        ):
            unusual(length, now)
            return
        received.next_sequence = sequence + 1
        received.timestamp = timestamp
        received.arrival_ns = now
        received.octets += length
        try:
            send(view)
        except OSError as error:
            send_failed(error)
        if sink is not None:
            sink(view, leg, now, 0x80, first & 0xFF, sequence, timestamp, ssrc)

    return forward_untouched


def rewriting(path: Path, shift: Shift) -> Handler:
    """Send packets on with other numbers."""
    receive, send, sink, leg = path.receive, path.send, path.sink, path.leg
    scratch, views = path.buffer.octets, path.buffer.views
    received, words, unusual = path.received, path.words, path.unusual
    receive_failed, send_failed = path.receive_failed, path.send_failed
    unpack, pack, ssrc_out = FIELDS.unpack_from, FIELDS.pack_into, shift.ssrc
    sequence_delta, timestamp_delta = shift.sequence, shift.timestamp

    def forward_rewritten(now: int) -> None:
        try:
            length = receive(scratch)
        except OSError as error:
            receive_failed(error)
            return
        first, sequence, timestamp, ssrc = unpack(scratch)
        view = views[length]
        if (
            sequence != received.next_sequence
            or ssrc != received.ssrc
            or first not in words
            or view is None
        ):
            unusual(length, now)
            return
        received.next_sequence = sequence + 1
        received.timestamp = timestamp
        received.arrival_ns = now
        received.octets += length
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
            send_failed(error)
        if sink is not None:
            sink(view, leg, now, 0x80, first & 0xFF, sequence, timestamp, ssrc)

    return forward_rewritten


def transcoding(path: Path, shift: Shift, tables: Mapping[int, bytes]) -> Handler:
    """Send packets on with other numbers, and other payload octets where `tables` has any."""
    receive, send, sink, leg = path.receive, path.send, path.sink, path.leg
    scratch, views = path.buffer.octets, path.buffer.views
    received, words, unusual = path.received, path.words, path.unusual
    receive_failed, send_failed = path.receive_failed, path.send_failed
    unpack, pack, ssrc_out = FIELDS.unpack_from, FIELDS.pack_into, shift.ssrc
    sequence_delta, timestamp_delta = shift.sequence, shift.timestamp
    table_of = tables.get

    def forward_transcoded(now: int) -> None:
        try:
            length = receive(scratch)
        except OSError as error:
            receive_failed(error)
            return
        first, sequence, timestamp, ssrc = unpack(scratch)
        view = views[length]
        if (
            sequence != received.next_sequence
            or ssrc != received.ssrc
            or first not in words
            or view is None
        ):
            unusual(length, now)
            return
        received.next_sequence = sequence + 1
        received.timestamp = timestamp
        received.arrival_ns = now
        received.octets += length
        if sink is not None:  # before the payload changes
            sink(view, leg, now, 0x80, first & 0xFF, sequence, timestamp, ssrc)
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
            send_failed(error)

    return forward_transcoded
