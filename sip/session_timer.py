"""Session timers as values: who refreshes, how often (RFC 4028).

One of the two ends of a dialog, the refresher, sends UPDATE or re-INVITE at half the interval; the
other ends the call when none comes. What is agreed on is said in `Session-Expires` of a request
and of its 2xx. `sip/session_keeper.py` holds the timers.

A peer that does not know the extension is left alone: some phones start a further stream of
audio with each re-INVITE.
"""

import re
from dataclasses import dataclass

from sip.message import Request, Response
from sip.option_tags import TIMER, supports
from sip.timers import Timer

SMALLEST_S = 90
"RFC 4028 section 4: no interval may be shorter."

_VALUE = re.compile(r"([0-9]{1,9})((?:\s*;[^;]*)*)")
_REFRESHER = re.compile(r"(?:^|;)\s*refresher\s*=\s*(uac|uas)\s*(?:;|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """What we ask for and what we bear."""

    expires_s: int = 1800
    "Interval that we ask for, and the longest that we agree to."
    min_se_s: int = SMALLEST_S
    "Shortest interval that we agree to; a request for less gets 422."


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """The value of a Session-Expires header."""

    interval_s: int
    refresher: str = ""
    "`uac` or `uas`, of the transaction; empty: the server chooses."

    @classmethod
    def of(cls, message: Request | Response) -> "SessionExpires | None":
        """Return the value; None where there is none that can be read."""
        match = _VALUE.fullmatch(message.headers.get("Session-Expires") or "")
        if match is None or int(match[1]) == 0:
            return None
        refresher = _REFRESHER.search(match[2])
        return cls(int(match[1]), refresher[1].lower() if refresher else "")

    def __str__(self) -> str:
        return f"{self.interval_s}{f';refresher={self.refresher}' if self.refresher else ''}"


def min_se(message: Request | Response) -> int:
    """Return the Min-SE of a message, the smallest interval of all without one."""
    match = _VALUE.fullmatch(message.headers.get("Min-SE") or "")
    return max(SMALLEST_S, int(match[1]) if match else 0)


def is_too_small(request: Request, policy: SessionPolicy) -> bool:
    """Tell whether a request wants a shorter session than we bear (422, section 9)."""
    asked = SessionExpires.of(request)
    return asked is not None and asked.interval_s < policy.min_se_s and supports(request, TIMER)


def agree(request: Request, policy: SessionPolicy) -> SessionExpires | None:
    """Return what our 2xx to a request says; None: no timer (section 9)."""
    asked, known = SessionExpires.of(request), supports(request, TIMER)
    if asked is None and not known:
        return None
    longest = max(policy.expires_s, min_se(request))
    if asked is None:
        return SessionExpires(longest, "uac")
    interval = min(max(asked.interval_s, policy.min_se_s), longest)
    return SessionExpires(interval, (asked.refresher or "uac") if known else "uas")


@dataclass(slots=True, kw_only=True, eq=False)
class SessionState:
    """What a usage keeps of its session timer."""

    interval_s: int
    ours: bool
    "We refresh."
    refresh: Timer | None = None
    expiry: Timer | None = None

    def stop(self) -> None:
        """Let no timer run any more."""
        for timer in (self.refresh, self.expiry):
            if timer is not None:
                timer.cancel()
