"""How a number is written: nationally, internationally, and as a trunk wants it.

A number is read by its beginning: `+` and the international prefix stand before a country code,
the national prefix before the rest of a number at home. What begins otherwise is read only where
it comes from a trunk that sends whole numbers bare; a short code or a local number stays as it is.

Whatever is written can be read again: a form that would be ambiguous for a number gives way to
the international prefix.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

Form = Literal["unchanged", "+e164", "e164", "prefixed", "national"]
"+4930123, 4930123, 004930123, 030123; of a foreign number `national` is `prefixed`."

MIN_DIGITS: Final = 7
"Of a number with its country code; shorter ones are codes that mean something only where we are."

MAX_DIGITS: Final = 15
"ITU-T E.164."

_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberPlan:
    """What numbers begin with here."""

    country_code: str = ""
    "Empty: nothing is read, so nothing is changed."
    international_prefix: str = "00"
    national_prefix: str = "0"

    def read(self, number: str, *, bare: bool = False) -> str | None:
        """Return country code and number as digits (E.164); None where it can't be told.

        `bare`: a number that begins like none of these is one with its country code.
        """
        if not self.country_code:
            return None
        if number.startswith("+"):
            digits = number[1:]
        elif number.startswith(self.international_prefix):
            digits = number[len(self.international_prefix) :]
        elif number.startswith(self.national_prefix):
            digits = self.country_code + number[len(self.national_prefix) :]
        elif bare:
            digits = number
        else:
            return None
        whole = _DIGITS.fullmatch(digits) and MIN_DIGITS <= len(digits) <= MAX_DIGITS
        return digits if whole else None

    def write(self, digits: str, form: Form) -> str:
        """Return an E.164 number in a form."""
        if form == "e164" and self.read(digits, bare=True) == digits:
            return digits
        if form == "national" and digits.startswith(self.country_code):
            written = self.national_prefix + digits[len(self.country_code) :]
            if self.read(written) == digits:
                return written
        return f"+{digits}" if form == "+e164" else f"{self.international_prefix}{digits}"

    def rewrite(self, number: str, form: Form, *, bare: bool = False) -> str:
        """Return a number in a form; unchanged where it can't be read."""
        digits = None if form == "unchanged" else self.read(number, bare=bare)
        return number if digits is None else self.write(digits, form)

    def same(self, number: str, *, bare: bool = False) -> str:
        """Return what all spellings of a number have in common."""
        return self.read(number, bare=bare) or number.removeprefix("+")
