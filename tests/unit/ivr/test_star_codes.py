"""Star codes: what is ours is consumed, all else reaches the other party in order."""

import pytest

from ivr.star_codes import DEFAULT_CODES, StarAction, StarCodeError, StarCodes


class Party:
    """Presses keys; collects what the other party gets."""

    def __init__(self, *codes: str) -> None:
        self.star = StarCodes(codes or DEFAULT_CODES)
        self.now = 10.0
        self.dialled: list[str] = []
        self.through = ""

    def press(self, keys: str, step: float = 0.2) -> None:
        for key in keys:
            self.now += step
            ruling = self.star.press(key, self.now)
            self.through += ruling.replay
            if not ruling.withheld:
                assert not ruling.replay
                self.through += key
            if ruling.code:
                self.dialled.append(ruling.code)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.through += self.star.handle_timeout(self.now)


@pytest.mark.parametrize("code", DEFAULT_CODES)
def test_a_code_is_consumed(code: str) -> None:
    party = Party()
    party.press(code)
    assert (party.dialled, party.through) == ([code], "")
    party.wait(5)
    assert party.through == ""


def test_the_shipped_table() -> None:
    assert DEFAULT_CODES["*1"] is StarAction.TOGGLE
    assert DEFAULT_CODES["*0"] is StarAction.WITHDRAW


def test_ordinary_digits_are_not_delayed() -> None:
    party = Party()
    assert not party.star.press("1", 10.0).withheld
    assert party.star.next_timeout() is None


def test_digits_that_are_no_code_are_replayed_in_order() -> None:
    party = Party()
    party.press("*71")
    assert (party.dialled, party.through) == ([], "*71")


def test_a_star_alone_is_replayed_after_a_second() -> None:
    party = Party()
    party.press("*")
    assert party.through == ""
    assert party.star.next_timeout() == pytest.approx(party.now + 1.0)
    party.wait(0.9)
    assert party.through == ""
    party.wait(0.2)
    assert party.through == "*"
    assert party.star.next_timeout() is None


def test_a_late_second_digit_is_no_code_even_if_nobody_looked_at_the_clock() -> None:
    party = Party()
    party.press("*")
    party.press("1", step=1.1)
    assert (party.dialled, party.through) == ([], "*1")


def test_exactly_a_second_is_in_time() -> None:
    star = StarCodes(DEFAULT_CODES)
    star.press("*", 10.0)
    assert star.press("1", 11.0).code == "*1"


def test_a_second_star_may_begin_the_code() -> None:
    party = Party()
    party.press("**1")
    assert (party.dialled, party.through) == (["*1"], "*")
    party.press("*", step=3)
    party.press("*5", step=0.1)
    assert (party.dialled, party.through) == (["*1", "*5"], "**")


def test_later_digits_queue_behind_a_replay() -> None:
    star = StarCodes(DEFAULT_CODES)
    ruling = star.press("4", 10.0, replaying=True)
    assert (ruling.withheld, ruling.replay) == (True, "4")
    assert star.press("*", 10.1, replaying=True).replay == ""
    assert star.press("1", 10.2, replaying=True).code == "*1"


def test_longer_codes_and_codes_with_a_hash() -> None:
    party = Party("*21#", "*2*3")
    party.press("*21#")
    party.press("*2*3")
    party.press("*2*4")
    assert (party.dialled, party.through) == (["*21#", "*2*3"], "*2*4")


def test_a_broken_off_code_may_hold_the_beginning_of_another() -> None:
    party = Party("*23", "*1")
    party.press("*2*1")
    assert (party.dialled, party.through) == (["*1"], "*2")


def test_a_party_without_codes_has_no_buffer() -> None:
    star = StarCodes(())
    assert not star.press("*", 10.0).withheld


def test_flush_gives_back_what_was_waited_for() -> None:
    star = StarCodes(DEFAULT_CODES)
    star.press("*", 10.0)
    assert star.flush() == "*"
    assert star.flush() == ""


@pytest.mark.parametrize("codes", [("1",), ("*",), ("*1", "*12"), ("*x",), ("",), ("#1",)])
def test_tables_that_can_not_work_are_refused(codes: tuple[str, ...]) -> None:
    with pytest.raises(StarCodeError):
        StarCodes(codes)
