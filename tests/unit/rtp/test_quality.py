import pytest

from rtp.quality import G711, G711_PLC, delay_ms, mos, rating


def test_a_clean_line_is_worth_what_the_defaults_give() -> None:
    assert rating(0.0, 20.0) == 93.2
    assert mos(0.0, 20.0) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("lost", "plain", "concealed"),
    # Ie,eff by hand: 95 * Ppl / (Ppl + Bpl), then R, then MOS.
    [(0.01, 3.834, 4.328), (0.02, 3.256, 4.235), (0.05, 2.169, 3.923), (0.2, 1.124, 2.631)],
)
def test_loss_costs_and_concealment_helps(lost: float, plain: float, concealed: float) -> None:
    assert mos(lost, 80.0, G711) == pytest.approx(plain, abs=0.002)
    assert mos(lost, 80.0, G711_PLC) == pytest.approx(concealed, abs=0.002)


@pytest.mark.parametrize(
    ("one_way_ms", "r"),
    [(100.0, 93.2), (150.0, 93.0), (200.0, 90.2), (300.0, 78.4), (400.0, 69.1)],
)
def test_delay_costs_nothing_up_to_100_ms_and_then_more_and_more(
    one_way_ms: float, r: float
) -> None:
    assert rating(0.0, one_way_ms) == pytest.approx(r, abs=0.1)


def test_the_score_stays_between_one_and_four_and_a_half() -> None:
    scores = [mos(lost / 100, delay) for delay in (0.0, 300.0, 5000.0) for lost in range(101)]
    assert all(1.0 <= score <= 4.5 for score in scores)
    assert mos(1.0, 5000.0, G711) == 1.0
    assert mos(7.0, 0.0) == mos(1.0, 0.0)


def test_the_way_from_mouth_to_ear() -> None:
    assert delay_ms(50.0, 3.0) == 25 + 20 + 40
    assert delay_ms(50.0, 30.0, 60.0) == 25 + 60 + 60
