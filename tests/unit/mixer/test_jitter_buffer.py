"""Placement, five samples at a time where the eye can check them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixer.jitter_buffer import (
    CAPACITY,
    JUMP_SAMPLES,
    NS_PER_SAMPLE,
    REACH,
    UNWRITTEN,
    JitterBuffer,
    Packets,
)

HOLE = int(UNWRITTEN)
SSRC = 77


def open_row(buffer: JitterBuffer, *, base: int = 0, floor: int = 0) -> int:
    return buffer.open(origin_ns=0, base=base, floor=floor)


def send(
    buffer: JitterBuffer,
    row: int,
    *packets: tuple[int, int, list[int]],
    ssrc: int = SSRC,
) -> list[str]:
    """Hand in packets (timestamp, arrival place, samples) of one length as one batch."""
    count, length = len(packets), len(packets[0][2])
    rows = np.full(count, row, dtype=np.int64)
    batch = Packets(
        rows,
        np.array([each[0] & 0xFFFFFFFF for each in packets], dtype=np.uint32),
        np.full(count, ssrc, dtype=np.uint32),
        np.array([each[1] for each in packets], dtype=np.int64),
        np.full(count, length, dtype=np.int64),
    )
    starts, good, waiting = buffer.locate(batch)
    pcm = np.array([each[2] for each in packets], dtype=np.int16)
    buffer.write(rows[good], starts[good], pcm[good])
    return [
        "good" if is_good else "waits" if waits else "odd"
        for is_good, waits in zip(good.tolist(), waiting.tolist(), strict=True)
    ]


def take(buffer: JitterBuffer, row: int, count: int) -> list[int]:
    taken: NDArray[np.int16] = buffer.take(row, count)
    return [int(value) for value in taken]


def test_the_first_packet_ends_at_its_arrival() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (1000, 7, [1, 2, 3]))
    assert take(buffer, row, 8) == [HOLE, HOLE, HOLE, HOLE, 1, 2, 3, HOLE]


def test_later_packets_go_where_their_timestamps_say() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (1000, 2, [1, 2]))
    send(buffer, row, (1004, 900, [5, 6]))
    send(buffer, row, (1002, 900, [3, 4]), (1004, 901, [5, 6]))
    assert take(buffer, row, 7) == [1, 2, 3, 4, 5, 6, HOLE]


def test_timestamps_wrap() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (0xFFFFFFFE, 2, [1, 2]), (0, 4, [3, 4]), (2, 6, [5, 6]))
    send(buffer, row, (0xFFFFFFFE, 7, [1, 2]))
    assert take(buffer, row, 6) == [1, 2, 3, 4, 5, 6]


def test_nothing_before_the_floor_enters() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer, floor=5)
    send(buffer, row, (0, 6, [1, 2, 3]), (3, 9, [4, 5, 6]))
    assert take(buffer, row, 9) == [HOLE] * 5 + [3, 4, 5, 6]
    buffer.close(row)
    row = open_row(buffer, floor=50)
    send(buffer, row, (0, 10, [1, 2]))
    assert take(buffer, row, 60) == [HOLE] * 60
    assert buffer.late_packets == 1


def test_what_was_taken_can_not_be_written_any_more() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (0, 2, [1, 2]))
    assert take(buffer, row, 3) == [1, 2, HOLE]
    send(buffer, row, (0, 4, [9, 9]), (2, 4, [3, 4]))
    assert buffer.late_packets == 1
    assert take(buffer, row, 2) == [4, HOLE], "only what lies behind the border"


def test_rows_keep_apart_and_the_buffer_grows() -> None:
    buffer = JitterBuffer(rows=1)
    rows = [open_row(buffer) for _ in range(5)]
    assert len(set(rows)) == 5
    batch = Packets(
        np.array(rows, dtype=np.int64),
        np.arange(5, dtype=np.uint32) * 1000,
        np.arange(5, dtype=np.uint32) + 1,
        np.full(5, 2, dtype=np.int64),
        np.full(5, 2, dtype=np.int64),
    )
    starts, good, _ = buffer.locate(batch)
    assert good.all()
    assert starts.tolist() == [0] * 5
    buffer.write(batch.rows, starts, np.arange(10, dtype=np.int16).reshape(5, 2))
    assert [take(buffer, row, 2) for row in rows] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_a_row_that_is_lent_again_knows_nothing_of_its_past() -> None:
    buffer = JitterBuffer(rows=1)
    row = open_row(buffer)
    send(buffer, row, (0, 2, [1, 2]))
    buffer.close(row)
    assert open_row(buffer) == row
    assert take(buffer, row, 2) == [HOLE, HOLE]
    assert send(buffer, row, (500, 2, [7, 8]), ssrc=5) == ["good"]


@pytest.mark.parametrize("jump", [10**6, -(10**6), JUMP_SAMPLES + 1])
def test_a_timestamp_jump_is_anchored_anew_when_it_is_confirmed(jump: int) -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (5000, 2, [1, 2]))
    assert send(buffer, row, (5002 + jump, 4, [3, 4])) == ["waits"]
    again = [(5002 + jump, 4, [3, 4]), (5004 + jump, 6, [5, 6])]
    assert send(buffer, row, *again) == ["good", "good"]
    assert take(buffer, row, 6) == [1, 2, 3, 4, 5, 6]
    assert buffer.jumps == 1


def test_a_new_ssrc_needs_two_packets_and_a_stray_one_moves_nothing() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (0, 2, [1, 2]))
    assert send(buffer, row, (999, 4, [8, 8]), ssrc=1) == ["waits"]
    batch = Packets(
        np.full(2, row, dtype=np.int64),
        np.array([999, 2], dtype=np.uint32),
        np.array([1, SSRC], dtype=np.uint32),
        np.array([4, 4], dtype=np.int64),
        np.array([2, 2], dtype=np.int64),
    )
    _, good, waiting = buffer.locate(batch)
    assert good.tolist() == [False, True]
    assert not waiting.any()
    assert buffer.jumps == 0


def test_two_strays_that_contradict_each_other_do_not_confirm() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (0, 2, [1, 2]))
    assert send(buffer, row, (10**7, 4, [8, 8]), (10**8, 6, [9, 9])) == ["odd", "waits"]


def test_a_burst_whose_last_packet_is_in_time_moves_nothing() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (0, 2, [1, 2]))
    late = 3 * JUMP_SAMPLES
    verdicts = send(buffer, row, (2, late, [3, 4]), (4, late, [5, 6]), (late - 2, late, [7, 8]))
    assert verdicts == ["odd", "odd", "good"]
    assert buffer.jumps == 0


def test_what_lies_beyond_the_buffer_is_counted() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (0, 2, [1, 2]))
    end = CAPACITY
    send(buffer, row, (end - 1, end + 1, [3, 4]))
    send(buffer, row, (end + 5, end + 7, [5, 6]))
    assert buffer.early_packets == 1
    assert take(buffer, row, CAPACITY)[-1] == 3


def test_moving_a_stream_moves_what_waits_and_what_comes() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (0, 2, [1, 2]), (2, 4, [3, 4]))
    assert take(buffer, row, 2) == [1, 2]
    buffer.move(row, 1)
    send(buffer, row, (4, 6, [5, 6]))
    assert take(buffer, row, 4) == [3, 4, 5, 6]
    assert buffer.take_delay(row) == -1


def test_time_is_left_out() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (0, 2, [1, 2]))
    assert take(buffer, row, 2) == [1, 2]
    buffer.leave_out(row, 100, floor=2)
    arrival = buffer.places_of(np.array([row]), np.array([104 * NS_PER_SAMPLE]))
    assert arrival.tolist() == [4]
    send(buffer, row, (101, 3, [7, 8]), (103, 5, [9, 10]))
    assert take(buffer, row, 3) == [8, 9, 10], "nothing of the pause's last samples"


def test_the_least_delay_is_told_once() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    assert buffer.take_delay(row) is None
    send(buffer, row, (0, 2, [1, 2]), (2, 14, [1, 2]), (4, 9, [1, 2]))
    assert buffer.take_delay(row) == 0
    send(buffer, row, (6, 15, [1, 2]), (8, 13, [1, 2]))
    assert buffer.take_delay(row) == 3
    assert buffer.take_delay(row) is None


def test_more_than_a_row_can_not_be_taken() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    with pytest.raises(ValueError, match="take"):
        buffer.take(row, CAPACITY + 1)


def test_an_anchor_can_be_restored() -> None:
    buffer = JitterBuffer()
    row = open_row(buffer)
    send(buffer, row, (1000, 10, [1, 2]))
    anchors = buffer.anchors()
    other = JitterBuffer()
    other_row = open_row(other)
    other.restore_anchor(
        other_row,
        offset=anchors["offset"][row],
        newest=anchors["newest"][row],
        ssrc=anchors["ssrc"][row],
    )
    send(other, other_row, (1002, 500, [3, 4]))
    assert take(other, other_row, 12)[8:] == [HOLE, HOLE, 3, 4]


@given(
    st.lists(
        st.one_of(
            st.integers(0, CAPACITY + 400).map(lambda column: ("put", column)),
            st.sampled_from((0, 1, 400, 8000, REACH, REACH + 1, CAPACITY)).map(
                lambda count: ("take", count)
            ),
            st.just(("grow", 0)),
        ),
        max_size=12,
    )
)
def test_a_row_is_as_long_as_the_buffer_reaches(steps: list[tuple[str, int]]) -> None:
    """However little of it is kept for each row: against a list of all its columns."""
    buffer = JitterBuffer(rows=2)
    row = open_row(buffer)
    wanted = [int(UNWRITTEN)] * CAPACITY
    for number, (step, value) in enumerate((*steps, ("take", CAPACITY))):
        if step == "put":
            pcm = np.arange(320, dtype=np.int16) + np.int16(320 * number)
            buffer.write(np.array([row]), np.array([buffer.next_place(row) + value]), pcm[None])
            inside = pcm[: max(0, CAPACITY - value)].tolist()
            wanted[value : value + len(inside)] = inside
        elif step == "take":
            assert take(buffer, row, value) == wanted[:value]
            wanted = wanted[value:] + [int(UNWRITTEN)] * value
        else:
            for _ in range(buffer.rows):
                open_row(buffer)


def test_a_row_that_is_lent_again_has_nothing_far_ahead() -> None:
    buffer = JitterBuffer(rows=1)
    row = open_row(buffer)
    far = np.array([REACH + 1])
    buffer.write(np.array([row]), far, np.array([[1, 2]], dtype=np.int16))
    buffer.leave_out(row, 100, floor=0)
    buffer.write(np.array([row]), far, np.array([[3, 4]], dtype=np.int16))
    buffer.close(row)
    assert open_row(buffer) == row
    assert set(take(buffer, row, CAPACITY)) == {int(UNWRITTEN)}
