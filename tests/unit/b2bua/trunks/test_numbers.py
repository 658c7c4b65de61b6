"""Numbers in all their spellings."""

import pytest

from b2bua.trunks.numbers import Form, NumberPlan

GERMANY = NumberPlan(country_code="49")
AMERICA = NumberPlan(country_code="1", international_prefix="011", national_prefix="1")


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        ("+4930123450", "4930123450"),
        ("004930123450", "4930123450"),
        ("030123450", "4930123450"),
        ("0033145678901", "33145678901"),
        ("+33145678901", "33145678901"),
        ("4930123450", None),
        ("123450", None),
        ("110", None),
        ("116117", None),
        ("+49", None),
        ("0", None),
        ("00", None),
        ("", None),
        ("+", None),
        ("+49301234x", None),
        ("+4930*1", None),
        ("+" + "1" * 16, None),
        ("\u0664\u0669" * 5, None),
    ],
)
def test_how_a_number_is_read(number: str, digits: str | None) -> None:
    assert GERMANY.read(number) == digits


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        ("4930123450", "4930123450"),
        ("33145678901", "33145678901"),
        ("030123450", "4930123450"),
        ("101", None),
        ("116117", None),
    ],
)
def test_how_one_is_read_from_a_trunk_that_sends_them_bare(number: str, digits: str | None) -> None:
    assert GERMANY.read(number, bare=True) == digits


@pytest.mark.parametrize(
    ("form", "home", "abroad"),
    [
        ("+e164", "+4930123450", "+33145678901"),
        ("e164", "4930123450", "33145678901"),
        ("prefixed", "004930123450", "0033145678901"),
        ("national", "030123450", "0033145678901"),
    ],
)
def test_how_it_is_written(form: Form, home: str, abroad: str) -> None:
    assert GERMANY.rewrite("030123450", form) == home
    assert GERMANY.rewrite("+33145678901", form) == abroad


def test_another_country() -> None:
    assert AMERICA.rewrite("12025550123", "+e164") == "+12025550123"
    assert AMERICA.rewrite("+12025550123", "national") == "12025550123"
    assert AMERICA.rewrite("+4930123450", "national") == "0114930123450"


def test_a_form_that_could_be_read_as_another_number_gives_way() -> None:
    """+49 0123456 is no number in Germany; written nationally it would be one abroad."""
    assert GERMANY.rewrite("+490123456", "national") == "00490123456"


@pytest.mark.parametrize("number", ["110", "101", "*21#", "anonymous", "", "4930123450", "115"])
def test_what_can_not_be_read_stays_as_it_is(number: str) -> None:
    for form in ("+e164", "e164", "prefixed", "national"):
        assert GERMANY.rewrite(number, form) == number


def test_without_a_country_nothing_changes() -> None:
    for number in ("+4930123450", "030123450", "004930123450"):
        assert NumberPlan().rewrite(number, "national") == number


def test_unchanged_is_unchanged() -> None:
    assert GERMANY.rewrite("+4930123450", "unchanged") == "+4930123450"


def test_what_all_spellings_have_in_common() -> None:
    spellings = ("+4930123450", "004930123450", "030123450", "4930123450")
    assert {GERMANY.same(each, bare=True) for each in spellings} == {"4930123450"}
    assert NumberPlan().same("+4930123450") == NumberPlan().same("4930123450")
