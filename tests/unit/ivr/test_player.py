"""The player: every octet once, in order, at its time."""

import pytest

from ivr.player import Frame, Part, Player

OCTETS = bytes(range(256)) * 5  # 160 ms


def play(player: Player, *, start: float = 5.0, ms: int = 400) -> list[Frame]:
    frames = []
    for tick in range(0, ms, 10):
        frames += player.due(start + tick / 1000 + 1e-6)
    return frames


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_all_octets_come_in_order_and_the_rest_is_filled(ptime_ms: int) -> None:
    player = Player([Part(OCTETS)], start_at=5.0, filler=0xD5, ptime_ms=ptime_ms)
    frames = play(player)
    size = ptime_ms * 8
    assert {len(frame.payload) for frame in frames} == {size}
    assert [frame.offset_ts for frame in frames] == [size * n for n in range(len(frames))]
    played = b"".join(frame.payload for frame in frames)
    assert played[: len(OCTETS)] == OCTETS
    assert set(played[len(OCTETS) :]) <= {0xD5}
    assert len(played) - len(OCTETS) < size
    assert player.finished
    assert player.played_ms == 160
    assert player.next_due() is None
    assert player.due(99.0) == []


def test_nothing_is_due_before_its_time() -> None:
    player = Player([Part(OCTETS)], start_at=5.0, filler=0)
    assert player.due(4.999) == []
    assert len(player.due(5.0)) == 1
    assert player.next_due() == pytest.approx(5.02)
    assert player.due(5.019) == []
    assert player.played_ms == 20


def test_parts_follow_each_other_without_a_seam() -> None:
    parts = [Part(b"a" * 100), Part(b""), Part(b"b" * 300), Part(b"c" * 30)]
    player = Player(parts, start_at=5.0, filler=0)
    played = b"".join(frame.payload for frame in play(player))
    assert played == b"a" * 100 + b"b" * 300 + b"c" * 30 + bytes(50)
    assert player.played_ms == 430 // 8


def test_a_loop_goes_on_for_ever_even_if_it_is_shorter_than_a_packet() -> None:
    player = Player([Part(b"x" * 160), Part(b"abc", loop=True)], start_at=5.0, filler=0)
    played = b"".join(frame.payload for frame in play(player, ms=2000))
    assert played == b"x" * 160 + (b"abc" * 6000)[: len(played) - 160]
    assert len(played) == 100 * 160
    assert not player.finished


def test_a_whole_number_of_packets_needs_no_filling() -> None:
    player = Player([Part(b"a" * 320)], start_at=5.0, filler=0)
    assert [frame.payload for frame in play(player)] == [b"a" * 160] * 2
    assert player.finished


def test_nothing_to_play_is_finished_at_once() -> None:
    player = Player([Part(b"")], start_at=5.0, filler=0)
    assert player.finished
    assert player.due(6.0) == []


def test_a_late_caller_catches_up_a_little() -> None:
    player = Player([Part(OCTETS)], start_at=5.0, filler=0)
    player.due(5.0)
    assert len(player.due(5.08)) == 4


def test_after_a_stall_the_sound_goes_on_and_timestamps_tell_the_hole() -> None:
    player = Player([Part(OCTETS)], start_at=5.0, filler=0)
    player.due(5.0)
    (frame,) = player.due(6.0 + 0.021)
    assert frame.payload == OCTETS[160:320]
    assert frame.offset_ts == pytest.approx(8 * 1020, abs=160)
    assert player.played_ms == 40


def test_a_late_beginning_is_no_hole() -> None:
    player = Player([Part(OCTETS)], start_at=5.0, filler=0)
    assert player.due(7.0)[0].offset_ts == 0
