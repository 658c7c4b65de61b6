import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from rtp.header import HEADER
from rtp.ring import (
    GRANULE,
    GUARD,
    HEADER_PAGE,
    LONGEST,
    MARKS_LOST,
    MAX_PENDING_MARKS,
    SAFE,
    Kind,
    RingError,
    RingLayout,
    RingWriter,
    granules_of,
    initialise,
)
from rtp.ring_reader import RingReader

LAYOUT = RingLayout(segments=4, reserved=1, segment=11)


def ring(layout: RingLayout = LAYOUT) -> memoryview:
    memory = memoryview(bytearray(layout.size))
    initialise(memory, layout)
    return memory


def put(writer: RingWriter, octets: bytes = bytes(172), *, leg: int = 1, sequence: int = 0) -> None:
    data = HEADER.pack(octets[0], 8, sequence, 160, 99) + octets[12:]
    writer.packet(data, len(data), leg, 1000)


def read_all(reader: RingReader) -> NDArray[np.void]:
    return np.concatenate((reader.new_entries(), reader.new_entries()))


def test_a_ring_for_a_call_bridges_four_seconds_with_some_100_kilobytes() -> None:
    layout = RingLayout.for_calls(200)
    for payload, packets in ((160, 50), (240, 33.4)):  # 20 and 30 ms of G.711
        assert 2 * packets * granules_of(12 + payload) * 200 * 4 <= layout.for_packets
    assert layout.size / 200 < 125_000


def test_what_telephones_send_takes_one_granule() -> None:
    for payload in (80, 160):  # 10 and 20 ms of G.711
        assert granules_of(12 + payload) == 1
    assert granules_of(LONGEST) <= 1 + GUARD


def test_memory_is_only_touched_as_far_as_the_consumer_was_ever_behind() -> None:
    memory = ring(RingLayout(segments=16, reserved=1, segment=20))
    writer, reader = RingWriter(memory), RingReader(memory)
    for sequence in range(3000):
        put(writer, b"\xff" * 172, sequence=sequence)
        reader.new_entries()
        # Released late: what was published of two segments stays at most.
        reader.release(max(reader.safe, reader.position - 20))
    assert writer.lost_packets == 0
    end = HEADER_PAGE + 3 * (20 + GUARD) * GRANULE
    assert memory[HEADER_PAGE:end].tobytes().strip(b"\0")
    assert not memory[end : end + 8 * 20 * GRANULE].tobytes().strip(b"\0")


def test_all_of_the_ring_is_used_where_the_consumer_is_away() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    for sequence in range(20):
        put(writer, sequence=sequence)
        reader.new_entries()
        reader.release(reader.position)
    for sequence in range(60):
        put(writer, sequence=sequence)
    assert LAYOUT.for_packets - LAYOUT.segment < 60 - writer.lost_packets <= LAYOUT.for_packets
    taken = read_all(RingReader(memory))
    assert taken["sequence"].tolist() == [19, *range(60 - writer.lost_packets)]


def test_what_is_longer_than_the_rest_of_a_segment_runs_into_its_guard() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    for sequence in range(10):
        put(writer, sequence=sequence)
    longest = bytes(12) + bytes(range(254)) * 8 + bytes(4)
    put(writer, longest, sequence=10)
    put(writer, sequence=11)
    entries = read_all(reader)
    assert entries["sequence"].tolist() == list(range(12))
    assert reader.data(entries[10])[12:] == longest[12:]
    assert reader.payloads(entries["granule"][10:11], 2036).tobytes() == longest[12:]


def test_a_packet_that_reaches_into_the_reserve_is_lost() -> None:
    memory = ring()
    writer = RingWriter(memory)
    for sequence in range(32):
        put(writer, sequence=sequence)
    assert writer.lost_packets == 0
    put(writer, bytes(300))
    assert writer.lost_packets == 1


def test_a_packet_comes_out_with_its_header_as_it_arrived() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    octets = HEADER.pack(0x80, 0x88, 65535, 0xFFFFFFFF, 0xDEADBEEF) + bytes(range(160))
    writer.packet(bytearray(octets + b"of an older packet"), 172, 5, 123_456)
    (entry,) = read_all(reader)
    assert entry.tolist() == (123_456, 5, 172, 0, 0x80, 0x88, 65535, 0xFFFFFFFF, 0xDEADBEEF, 0)
    assert reader.data(entry) == octets


def test_a_reader_stops_at_the_head_of_the_tick_before() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    put(writer, sequence=1)
    assert len(reader.new_entries()) == 0
    put(writer, sequence=2)
    assert reader.new_entries()["sequence"].tolist() == [1]
    assert reader.new_entries()["sequence"].tolist() == [2]


def test_a_full_ring_counts_and_says_so_with_one_gap_per_leg() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    for sequence in range(40):
        put(writer, leg=1 + sequence % 2, sequence=sequence)
    taken = read_all(reader)
    assert len(taken) + writer.lost_packets == 40
    reader.release(reader.position)
    put(writer, sequence=100)
    entries = read_all(reader)
    assert entries["kind"].tolist() == [Kind.GAP, Kind.GAP, Kind.PACKET]
    counts = {int(e["leg"]): struct.unpack("<I", reader.data(e))[0] for e in entries[:2]}
    assert sum(counts.values()) == writer.lost_packets
    assert writer.gaps == 2
    assert reader.lost_packets == writer.lost_packets
    assert reader.gaps == 2


def test_a_mark_fits_where_no_packet_does_and_follows_the_gap_of_its_leg() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    for sequence in range(40):
        put(writer, leg=1, sequence=sequence)
    writer.mark(Kind.TAP_CLOSED, 1, 5)
    assert writer.pending_marks == 0
    assert read_all(reader)["kind"][-2:].tolist() == [Kind.GAP, Kind.TAP_CLOSED]


def test_marks_without_room_wait_in_order_and_no_packet_overtakes_them() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    for number in range(50):
        writer.mark(Kind.STOPPED, 0, 5, struct.pack("<I", number))
    assert writer.pending_marks > 0
    put(writer)
    assert writer.lost_packets == 1
    numbers: list[int] = []
    for _ in range(4):
        entries = read_all(reader)
        stopped = entries[entries["kind"] == Kind.STOPPED]
        numbers += [struct.unpack("<I", reader.data(e))[0] for e in stopped]
        reader.release(reader.position)
        writer.flush(6)
    assert numbers == list(range(50))
    assert writer.pending_marks == 0


def test_marks_of_an_absent_consumer_are_given_up_at_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rtp.ring.MAX_PENDING_MARKS", 10)
    assert MAX_PENDING_MARKS > 10
    memory = ring()
    writer = RingWriter(memory)
    for _ in range(60):
        writer.mark(Kind.STOPPED, 0, 5, bytes(4))
    assert writer.pending_marks == 10
    assert writer.marks_lost > 0
    assert memory[:HEADER_PAGE].cast("Q")[MARKS_LOST] == writer.marks_lost


def test_a_new_producer_goes_on_behind_the_last_entry() -> None:
    memory = ring()
    reader = RingReader(memory)
    for sequence in range(200):
        put(RingWriter(memory), bytes([sequence]) * 300, sequence=sequence)
        reader.new_entries()
        reader.release(reader.position)
    entries = read_all(reader)
    assert entries["sequence"].tolist()[-1] == 199
    assert reader.data(entries[-1])[12:] == bytes([199]) * 288


def test_a_new_consumer_reads_again_what_was_not_safe() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    for sequence in range(6):
        put(writer, sequence=sequence)
    read_all(reader)
    reader.release(2)
    assert read_all(RingReader(memory))["sequence"].tolist() == [2, 3, 4, 5]


def test_the_consumer_cannot_release_what_it_has_not_read() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    put(writer)
    with pytest.raises(ValueError, match="release"):
        reader.release(1)


def test_payload_bounds_follow_csrcs_extension_and_padding() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    plain = b"\x80" + bytes(11) + b"p" * 160
    with_csrc = b"\x82" + bytes(11) + bytes(8) + b"p" * 80
    extended = b"\x90" + bytes(11) + b"\xbe\xde\x00\x02" + bytes(8) + b"p" * 160
    padded = b"\xa0" + bytes(11) + b"p" * 20 + b"\x00\x00\x00\x04"
    false_claim = b"\x90" + bytes(11) + b"\xbe\xde\xff\xff" + b"p" * 8
    for octets in (plain, with_csrc, extended, padded, false_claim):
        put(writer, octets)
    entries = read_all(reader)
    offsets, lengths = reader.payload_bounds(entries)
    assert offsets.tolist()[:4] == [12, 20, 24, 12]
    assert lengths.tolist() == [160, 80, 160, 20, 0]
    assert reader.payloads(entries["granule"][2:3], 160, 24).tobytes() == b"p" * 160


def test_payloads_of_packets_of_one_size_are_one_array() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    for number in range(5):
        put(writer, bytes(12) + bytes([number]) * 160)
    payloads = reader.payloads(read_all(reader)["granule"], 160)
    assert payloads.shape == (5, 160)
    assert payloads[:, 0].tolist() == payloads[:, 159].tolist() == [0, 1, 2, 3, 4]


def test_too_long_a_mark_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="2049"):
        RingWriter(ring()).mark(Kind.MASKED, 1, 0, bytes(2049))


@pytest.mark.parametrize("octets", [10, HEADER_PAGE, LAYOUT.size])
def test_memory_without_a_ring_is_refused(octets: int) -> None:
    with pytest.raises(RingError):
        RingLayout.read(memoryview(bytearray(octets)))


def test_memory_shorter_than_its_ring_is_refused() -> None:
    with pytest.raises(RingError, match="octets of memory"):
        RingWriter(memoryview(bytearray(ring()[: LAYOUT.size - 4096])))
    with pytest.raises(RingError, match="octets of memory"):
        initialise(memoryview(bytearray(4096)), LAYOUT)


def test_contradicting_cursors_and_entries_are_noticed() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    put(writer)
    words = memory[:HEADER_PAGE].cast("Q")
    words[SAFE] = 5
    with pytest.raises(RingError, match="cursors"):
        reader.new_entries()
    words[SAFE] = 0
    reader.new_entries()
    for length, message in ((LONGEST + 1, "2049 octets"), (LONGEST, "beyond the head")):
        struct.pack_into("H", memory, HEADER_PAGE + 12, length)
        with pytest.raises(RingError, match=message):
            reader.new_entries()


def test_a_segment_beyond_the_memory_is_noticed() -> None:
    memory = ring()
    writer, reader = RingWriter(memory), RingReader(memory)
    put(writer)
    reader.new_entries()
    struct.pack_into("I", memory, LAYOUT.table, LAYOUT.segments)
    with pytest.raises(RingError, match="segment 4 of 4"):
        reader.new_entries()


def test_a_head_beyond_the_ring_is_noticed() -> None:
    memory = ring()
    reader = RingReader(memory)
    memory[:HEADER_PAGE].cast("Q")[8] = 1000
    with pytest.raises(RingError, match="1000 granules"):
        reader.new_entries()
