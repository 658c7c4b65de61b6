import string

import pytest

from b2bua.dial_pattern import MAX_DIGITS, DialPattern, DialPatternError


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("112", ["112"], ["1120", "11", "0112", ""]),
        ("0Z.", ["010", "0301234567"], ["0", "01", "0049", "00", "030a"]),
        ("00.", ["001", "0049301234"], ["00", "0", "10"]),
        ("XX", ["00", "99"], ["0", "000", "0X"]),
        ("N", list("23456789"), ["0", "1", "*"]),
        ("Z", list("123456789"), ["0", "#"]),
        ("[13-5]X", ["10", "39", "45", "50"], ["20", "60", "-0", "[0"]),
        ("[1-35-7]", list("123567"), ["4", "8", "-"]),
        ("+49.", ["+491", "+4930"], ["49301", "+49", "++491", "+49+1"]),
        ("*7#", ["*7#"], ["*7", "7#", "**7#"]),
        (".", ["0", "123"], ["", "+1", "*"]),
    ],
)
def test_what_a_pattern_fits(pattern: str, fits: list[str], does_not: list[str]) -> None:
    parsed = DialPattern.parse(pattern)
    assert str(parsed) == pattern
    assert [number for number in fits if not parsed.matches(number)] == []
    assert [number for number in does_not if parsed.matches(number)] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "_0Z.",
        "0Z.1",
        "0!",
        "x",
        "[",
        "[]",
        "[1",
        "[1-]",
        "[-1]",
        "[5-1]",
        "[1-2-3]",
        "[^1]",
        "[a-z]",
        "(1)",
        "1|2",
        "1{3}",
        "1?",
        "\\d",
        "1\n",
        "\u0661",
        "0Z..",
    ],
)
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(DialPatternError):
        DialPattern.parse(text)


def test_a_number_has_an_end() -> None:
    pattern = DialPattern.parse(".")
    assert pattern.matches("1" * MAX_DIGITS)
    assert not pattern.matches("1" * (MAX_DIGITS + 1))


@pytest.mark.parametrize("pattern", [".", "0.", "XXX", "[0-9][0-9][0-9]", "*#+", "NZX"])
def test_only_ascii_digits_are_digits(pattern: str) -> None:
    parsed = DialPattern.parse(pattern)
    for strange in ("\u0661\u0662\u0663", "\uff11\uff12\uff13", "\u00b2\u00b3\u00b9", "12\u0663"):
        assert not parsed.matches(strange)
    for character in set(string.printable) - set("+0123456789*#"):
        for text in (character, f"12{character}", f"{character}12", f"0{character}"):
            assert not parsed.matches(text)
