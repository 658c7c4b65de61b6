"""Guessing passwords is made slow: per account, per source, and for both together.

A try counts before its password is checked, so that a hundred tries at once are a hundred
tries. A success takes back what it had counted. Time is a parameter (seconds, monotonic).

Who tries one account from many places slows that account down for everyone, but only to half
a minute: a stranger must not be able to lock the owner out. The same pair of account and
source has to wait longer.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

MAX_ENTRIES = 10_000
"Of each kind; the one that was unused longest is forgotten."


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """After `free` tries each further one has to wait, twice as long each time."""

    free: int
    first_s: float
    longest_s: float
    forget_s: float = 1800.0
    "So long after the last try the count starts anew."

    def wait_s(self, tries: int) -> float:
        """Return how long after the last of so many tries the next one may come."""
        if tries < self.free:
            return 0.0
        # Bounded: 2 to the power of a stranger's count is a large number.
        doublings = min(tries - self.free, 20)
        return min(self.first_s * 2.0**doublings, self.longest_s)


PAIR = Rule(free=5, first_s=2.0, longest_s=900.0)
ACCOUNT = Rule(free=10, first_s=1.0, longest_s=30.0)
SOURCE = Rule(free=20, first_s=2.0, longest_s=300.0)


@dataclass(slots=True)
class _Tries:
    count: int
    last: float


class _Table:
    """Counts by key, bounded."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._tries: OrderedDict[Hashable, _Tries] = OrderedDict()

    def wait_s(self, key: Hashable, now: float) -> float:
        tries = self._tries.get(key)
        if tries is None or now - tries.last > self._rule.forget_s:
            return 0.0
        return max(0.0, tries.last + self._rule.wait_s(tries.count) - now)

    def count(self, key: Hashable, now: float) -> None:
        tries = self._tries.pop(key, None)
        if tries is None or now - tries.last > self._rule.forget_s:
            tries = _Tries(0, now)
        tries.count, tries.last = tries.count + 1, now
        self._tries[key] = tries
        if len(self._tries) > MAX_ENTRIES:
            self._tries.popitem(last=False)

    def take_back(self, key: Hashable) -> None:
        tries = self._tries.get(key)
        if tries is not None:
            tries.count -= 1

    def forget(self, key: Hashable) -> None:
        self._tries.pop(key, None)


class LoginThrottle:
    """Tells whether a login may be tried now."""

    def __init__(self) -> None:
        self._pairs = _Table(PAIR)
        self._accounts = _Table(ACCOUNT)
        self._sources = _Table(SOURCE)

    def enter(self, account: str, source: str, now: float) -> float:
        """Count a try and return 0, or return how many seconds the next one has to wait."""
        wait_s = max(
            self._pairs.wait_s((account, source), now),
            self._accounts.wait_s(account, now),
            self._sources.wait_s(source, now),
        )
        if wait_s > 0:
            return wait_s
        self._pairs.count((account, source), now)
        self._accounts.count(account, now)
        self._sources.count(source, now)
        return 0.0

    def succeeded(self, account: str, source: str) -> None:
        """Forget the tries of one who knew the password after all.

        The source keeps the count of its other tries: an attacker with one account of his own
        would otherwise wipe it clean again and again.
        """
        self._pairs.forget((account, source))
        self._accounts.take_back(account)
        self._sources.take_back(source)
