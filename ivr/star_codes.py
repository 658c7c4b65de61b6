"""Star codes among a party's digits: what is a code is ours, the rest is passed on.

Only `*` opens a buffer, so ordinary digits are never delayed. What turns out to be no code
is sent to the other party again, in order; digits that come while this is still going on
queue behind, or they would overtake. One recogniser belongs to one party that may use
codes; which codes those are is its caller's table.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

INTER_DIGIT_S: Final = 1.0
"The digits of a code begin within this time of each other."


class StarAction(StrEnum):
    """What the shipped codes ask for."""

    TOGGLE = "toggle"
    MASK = "mask"
    UNMASK = "unmask"
    WITHDRAW = "withdraw"
    "Consent; the outside party may do this too."


DEFAULT_CODES: Final = {
    "*1": StarAction.TOGGLE,
    "*5": StarAction.MASK,
    "*6": StarAction.UNMASK,
    "*0": StarAction.WITHDRAW,
}


class StarCodeError(Exception):
    """The table of codes can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What becomes of a digit, and of those that waited for it."""

    withheld: bool
    "The digit must not reach the other party as it is."
    code: str = ""
    "This code was dialled; its digits are consumed."
    replay: str = ""
    "To be sent to the other party now, as fresh events."


PASS: Final = Ruling(withheld=False)


class StarCodes:
    """The recogniser. Times are monotonic seconds."""

    __slots__ = ("_buffer", "_codes", "_deadline", "_inter_digit_s", "_prefixes")

    def __init__(self, codes: Iterable[str], *, inter_digit_s: float = INTER_DIGIT_S) -> None:
        """Raise `StarCodeError` where codes are ambiguous or don't begin with `*`."""
        self._codes, self._prefixes = _table(tuple(codes))
        self._inter_digit_s = inter_digit_s
        self._buffer = ""
        self._deadline = 0.0

    def press(self, key: str, now: float, *, replaying: bool = False) -> Ruling:
        """Rule on a digit that begins at `now`.

        `replaying`: earlier digits are still on their way to the other party.
        """
        late = self._expire(now)
        if not self._buffer and (key != "*" or not self._prefixes):
            # What was given up just now goes out first.
            return Ruling(withheld=True, replay=late + key) if late or replaying else PASS
        buffer, replay = self._buffer + key, late
        while buffer and buffer not in self._codes and buffer not in self._prefixes:
            replay += buffer[0]
            # Only `*` can begin a code.
            skip = len(buffer) if "*" not in buffer[1:] else buffer.index("*", 1)
            replay += buffer[1:skip]
            buffer = buffer[skip:]
        if buffer in self._codes:
            self._buffer = ""
            return Ruling(withheld=True, code=buffer, replay=replay)
        self._buffer = buffer
        self._deadline = now + self._inter_digit_s
        return Ruling(withheld=True, replay=replay)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due, if at all."""
        return self._deadline if self._buffer else None

    def handle_timeout(self, now: float) -> str:
        """Return the digits that became no code and are to be sent now."""
        return self._expire(now)

    def flush(self) -> str:
        """Give up waiting, and return what was waited for: the table changes, or the call."""
        buffer, self._buffer = self._buffer, ""
        return buffer

    def _expire(self, now: float) -> str:
        # A digit exactly at the limit still belongs to the code.
        return self.flush() if self._buffer and now > self._deadline else ""


@lru_cache(maxsize=64)
def _table(codes: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Return codes and their beginnings; nearly all parties have the same ones."""
    prefixes = frozenset(code[:n] for code in codes for n in range(1, len(code)))
    for code in sorted(codes):
        if len(code) < 2 or code[0] != "*" or not set(code[1:]) <= set("0123456789*#"):
            raise StarCodeError(f"{code!r} is no star code: `*`, then digits, `*` or `#`")
        if code in prefixes:
            raise StarCodeError(f"{code} is the beginning of another code")
    return frozenset(codes), prefixes
