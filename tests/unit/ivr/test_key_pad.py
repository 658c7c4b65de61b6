"""The same key in several ways counts once; every press counts."""

import pytest

from ivr.key_pad import KeyPad, Way

EVENT, INFO, TONE = Way.RFC4733, Way.INFO, Way.IN_BAND


def counted(pad: KeyPad, *presses: tuple[str, Way, float]) -> list[int]:
    """Which of the presses count, by their places."""
    rulings = [pad.press(key, way, at) for key, way, at in presses]
    return [place for place, ruling in enumerate(rulings) if ruling is not None]


@pytest.mark.parametrize("first", Way)
@pytest.mark.parametrize("second", Way)
def test_two_ways_within_200_ms_are_one_press(first: Way, second: Way) -> None:
    same_way = first is second
    assert counted(KeyPad(), ("5", first, 1.0), ("5", second, 1.2)) == [0, 1][: 1 + same_way]
    assert counted(KeyPad(), ("5", first, 1.0), ("5", second, 1.21)) == [0, 1]
    assert counted(KeyPad(), ("5", first, 1.0), ("6", second, 1.0)) == [0, 1]


def test_a_tone_that_began_before_the_event_was_told_is_the_same() -> None:
    assert counted(KeyPad(), ("5", EVENT, 1.0), ("5", TONE, 0.95)) == [0]


def test_three_ways_and_a_second_press_at_once() -> None:
    pad = KeyPad()
    assert counted(
        pad,
        ("5", EVENT, 1.00),
        ("5", TONE, 1.01),
        ("5", INFO, 1.05),
        ("5", EVENT, 1.15),  # pressed again
        ("5", INFO, 1.19),
        ("5", TONE, 1.16),
        ("5", INFO, 1.30),  # a third time, the event of which was lost
    ) == [0, 3, 6]


def test_who_is_known_for_two_ways_may_be_late_with_one() -> None:
    known = ("1", EVENT, 0.0), ("1", INFO, 0.1)
    late = (("*", EVENT, 1.0), ("1", EVENT, 1.5), ("*", INFO, 3.0), ("1", INFO, 3.1))
    assert counted(KeyPad(), *known, *late) == [0, 2, 3]
    assert counted(KeyPad(), *late) == [0, 1, 2, 3], "these might be four presses"
    assert counted(KeyPad(), *known, ("*", EVENT, 1.0), ("*", INFO, 6.1)) == [0, 2, 3]
    assert counted(KeyPad(), *known, ("1", EVENT, 1.0), ("1", EVENT, 1.5)) == [0, 2, 3]


def test_whoever_changes_to_one_way_is_heard_in_it() -> None:
    known = ("1", EVENT, 0.0), ("1", INFO, 0.1)
    assert counted(KeyPad(), *known, ("2", INFO, 1.0), ("1", INFO, 2.0)) == [0, 2, 3]


def test_a_code_in_two_ways_is_dialled_once() -> None:
    pad = KeyPad(["*1"])
    codes = []
    for key, at in (("*", 1.0), ("1", 1.3)):
        for way, later in ((EVENT, 0.0), (INFO, 0.05)):
            ruling = pad.press(key, way, at + later)
            codes.append(ruling.code if ruling is not None else None)
    assert codes == ["", None, "*1", None]


def test_ways_may_be_mixed_within_a_code() -> None:
    pad = KeyPad(["*1"])
    pad.press("*", INFO, 1.0)
    ruling = pad.press("1", EVENT, 1.3)
    assert ruling is not None
    assert ruling.code == "*1"


@pytest.mark.parametrize("allowed", [False, True])
def test_tones_dial_codes_only_where_that_is_wanted(*, allowed: bool) -> None:
    pad = KeyPad(["*1"], in_band_codes=allowed)
    rulings = [pad.press("*", TONE, 1.0), pad.press("1", TONE, 1.3)]
    assert [ruling.code for ruling in rulings if ruling is not None] == [
        "",
        "*1" if allowed else "",
    ]
    assert (pad.next_timeout() is None) or allowed


def test_another_table_of_the_same_party_knows_what_was_pressed() -> None:
    before = KeyPad(["*1"])
    before.press("1", EVENT, 1.0)
    after = before.with_codes((), in_band_codes=False)
    assert after.press("1", INFO, 1.1) is None


def test_what_waited_is_given_back() -> None:
    pad = KeyPad(["*1"])
    pad.press("*", INFO, 1.0)
    assert pad.next_timeout() == 2.0
    assert pad.handle_timeout(1.9) == ""
    assert pad.handle_timeout(2.1) == "*"
    pad.press("*", INFO, 3.0)
    assert pad.flush() == "*"
