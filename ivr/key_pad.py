"""One party's keys, whichever way they come: a key that comes in two ways counts once.

Some telephones press a key as telephone event (:rfc:`4733`), as INFO and as tone all at once. The
ways meet here, in front of the star codes, or a code would be dialled twice and digits double.

INFO may be late: one that is lost is repeated after half a second, and some telephones send the
next one only when the last one is done with. So who has once pressed a key in two ways is known
for it, and each of its presses swallows its double for some seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ivr.star_codes import PASS, Ruling, StarCodes


class Way(StrEnum):
    """How a key comes."""

    RFC4733 = "rfc4733"
    INFO = "info"
    IN_BAND = "in_band"


SAME_KEY_S: Final = 0.2
"The same key in another way within this time is the same press."

LATE_S: Final = 5.0
"The same for a party that is known to press each key in these two ways, if it is behind."

REMEMBERED: Final = 32


@dataclass(slots=True)
class _Press:
    key: str
    at: float
    ways: set[Way] = field(default_factory=set)


class KeyPad:
    """The keys of one party. Times are monotonic seconds."""

    __slots__ = ("_codes", "_doubling", "_in_band_codes", "_presses")

    def __init__(self, codes: Iterable[str] = (), *, in_band_codes: bool = False) -> None:
        """Raise `StarCodeError` where codes are ambiguous or don't begin with `*`.

        `in_band_codes`: tones dial codes too, though the other party has heard them already.
        """
        self._codes = StarCodes(codes)
        self._in_band_codes = in_band_codes
        self._presses: list[_Press] = []
        "The last few; mostly none, and an empty `deque` takes 760 octets."
        self._doubling: set[Way] = set()
        "Ways that have come together."

    def with_codes(self, codes: Iterable[str], *, in_band_codes: bool) -> "KeyPad":
        """Return a pad for other codes that knows what this one has heard."""
        other = KeyPad(codes, in_band_codes=in_band_codes)
        other._presses, other._doubling = self._presses, self._doubling
        return other

    def press(self, key: str, way: Way, at: float, *, replaying: bool = False) -> Ruling | None:
        """Rule on a key that went down at `at`; None for one that counts already.

        `replaying`: earlier digits are still on their way to the other party.
        """
        if self._is_known(key, way, at):
            return None
        if way is Way.IN_BAND and not self._in_band_codes:
            return PASS
        return self._codes.press(key, at, replaying=replaying)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due, if at all."""
        return self._codes.next_timeout()

    def handle_timeout(self, now: float) -> str:
        """Return the digits that became no code and are to be sent now."""
        return self._codes.handle_timeout(now)

    def flush(self) -> str:
        """Give up waiting, and return what was waited for."""
        return self._codes.flush()

    def _is_known(self, key: str, way: Way, at: float) -> bool:
        behind_s = LATE_S if way in self._doubling else SAME_KEY_S
        for press in self._presses:
            near = press.key == key and -SAME_KEY_S <= at - press.at <= behind_s
            if near and way not in press.ways:
                press.ways.add(way)
                self._doubling |= press.ways
                return True
        self._presses.append(_Press(key, at, {way}))
        del self._presses[:-REMEMBERED]
        return False
