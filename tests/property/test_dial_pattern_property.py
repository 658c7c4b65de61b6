"""No text of a caller gets through a dial pattern, and no text of an operator breaks one."""

from hypothesis import example, given
from hypothesis import strategies as st

from b2bua.dial_pattern import DialPattern, DialPatternError

ALLOWED = set("+0123456789*#")

PIECES = st.sampled_from(
    ["X", "Z", "N", "[0-9]", "[13-5]", "[1-23]", "[0-9-9]", "+", "*", "#", *"0123456789"]
)
PATTERNS = st.builds(
    lambda pieces, end: "".join(pieces) + end,
    st.lists(PIECES, max_size=12),
    st.sampled_from([".", ""]),
)


def parsed(text: str) -> DialPattern | None:
    try:
        return DialPattern.parse(text)
    except DialPatternError:
        return None


@given(st.one_of(st.text(max_size=60), st.text("0123456789[]-^XZN.+*#\\|(){}?!", max_size=60)))
def test_a_text_is_a_pattern_or_an_error_that_says_so(text: str) -> None:
    pattern = parsed(text)
    assert pattern is None or str(pattern) == text


@given(PATTERNS, st.text(max_size=20))
@example("[0-9-9]", "-")
def test_nothing_but_keys_of_a_telephone_matches(pattern: str, number: str) -> None:
    found = parsed(pattern)
    if found is not None and found.matches(number):
        assert set(number) <= ALLOWED


@given(PATTERNS, st.text("0123456789+*#-[]XZN.", max_size=20))
def test_nor_do_the_signs_of_the_pattern_itself(pattern: str, number: str) -> None:
    found = parsed(pattern)
    if found is not None and found.matches(number):
        assert set(number) <= ALLOWED


@given(st.from_regex(r"\A[0-9]{1,12}\Z"))
def test_a_number_matches_itself_and_every_wider_pattern(number: str) -> None:
    assert DialPattern.parse(number).matches(number)
    assert DialPattern.parse("X" * len(number)).matches(number)
    assert DialPattern.parse(".").matches(number)
    assert not DialPattern.parse(number + "X").matches(number)
