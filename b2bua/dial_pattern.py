"""Patterns of dialled numbers in Asterisk's notation, without its leading underscore.

`X` stands for 0 to 9, `Z` for 1 to 9, `N` for 2 to 9, `[13-5]` for one of these, and a `.` at
the end for one or more digits. Everything else is itself. A number is digits, with `+` in front
at most: what else a phone dials matches no pattern, so no text of a caller gets any further.
"""

import re
from dataclasses import dataclass
from typing import Final

MAX_DIGITS: Final = 32
"Of a number; E.164 has 15, prefixes and extensions of private networks come on top."

_CLASSES: Final = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}
_PIECE: Final = re.compile(r"([XZN])|\[((?:[0-9](?:-[0-9])?)+)\]|(\+|[0-9*#])")


class DialPatternError(Exception):
    """The text is no pattern."""


@dataclass(frozen=True, slots=True)
class DialPattern:
    """One pattern."""

    text: str
    _regex: "re.Pattern[str]"

    @classmethod
    def parse(cls, text: str) -> "DialPattern":
        """Read a pattern; raises `DialPatternError`."""
        body, open_end = (text[:-1], True) if text.endswith(".") else (text, False)
        regex, position = "", 0
        while position < len(body):
            piece = _PIECE.match(body, position)
            if piece is None:
                raise DialPatternError(
                    f"{text!r} is no dial pattern: digits, X, Z, N, [1-5], and . at the end"
                )
            of_class, of_set, literal = piece.groups()
            regex += _CLASSES.get(of_class or "") or (
                f"[{of_set}]" if of_set else re.escape(literal)
            )
            position = piece.end()
        if not regex and not open_end:
            raise DialPatternError("an empty dial pattern")
        try:
            return cls(text, re.compile(regex + ("[0-9]+" if open_end else "")))
        except re.error as error:
            raise DialPatternError(f"{text!r} is no dial pattern: {error}") from error

    def matches(self, number: str) -> bool:
        """Tell whether the whole number fits."""
        return len(number) <= MAX_DIGITS and self._regex.fullmatch(number) is not None

    def __str__(self) -> str:
        return self.text
