import pytest

from b2bua.calls.leg_quality import leg_mos
from b2bua.media.from_worker import LegReleased


def released(received: int = 1000, lost: int = 0, **more: float | None) -> LegReleased:
    figures = {"leg_id": 1, "packets_sent": 1000, "packets_dropped": 0, **more}
    return LegReleased(packets_received=received, packets_lost=lost, **figures)  # type: ignore[arg-type]


def test_a_clean_leg_is_as_good_as_it_gets() -> None:
    clean = released(round_trip_ms=20.0, jitter_ms=2.0, peer_packets_lost=0, peer_jitter_ms=1.0)
    assert leg_mos(clean) == pytest.approx(4.41, abs=0.005)


def test_the_worse_direction_counts() -> None:
    towards_us = released(received=950, lost=50, peer_packets_lost=0)
    away = released(peer_packets_lost=50)
    assert leg_mos(towards_us) == leg_mos(away) == pytest.approx(3.92, abs=0.005)
    assert leg_mos(released(received=900, lost=100, peer_packets_lost=50)) == pytest.approx(
        3.411, abs=0.001
    )


def test_a_long_way_and_late_packets_cost_as_well() -> None:
    best = leg_mos(released())
    assert best is not None
    for worse in (
        released(round_trip_ms=500.0),
        released(jitter_ms=120.0),
        released(peer_packets_lost=0, peer_jitter_ms=120.0),
    ):
        score = leg_mos(worse)
        assert score is not None
        assert score < best - 0.2


def test_a_peer_that_missed_more_than_it_was_sent_is_not_believed() -> None:
    assert leg_mos(released(peer_packets_lost=1001)) == leg_mos(released())


def test_a_leg_of_which_nothing_is_known_has_no_score() -> None:
    assert leg_mos(released(received=0)) is None
    assert leg_mos(released(received=0, packets_sent=0, peer_packets_lost=0)) is None
