"""What a usage keeps of reliable provisional responses (RFC 3262)."""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sip.build import HeaderList
from sip.dialog import Dialog
from sip.message import Request
from sip.timers import Timer

MAX_WAITING = 16
"Provisional responses that wait for a PRACK; the oldest of more are left out."

_RACK = re.compile(r"([0-9]{1,10})[ \t]+([0-9]{1,10})[ \t]+INVITE")


@dataclass(slots=True, kw_only=True, eq=False)
class Unpracked:
    """A 1xx that we send until its PRACK comes."""

    data: bytes
    rseq: int
    interval: float
    "Seconds until it is sent again: T1, doubled without a limit but `deadline`."
    deadline: float
    described: bool
    "It carries a session description, so that no 2xx may overtake it."
    timer: Timer | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class ReliableState:
    """What a server usage keeps of its reliable provisional responses."""

    cseq: int
    "Of the INVITE."
    rseq: int
    "Of the newest."
    unpracked: Unpracked | None = None
    waiting: deque[tuple[int, bytes, HeaderList]] = field(
        default_factory=lambda: deque(maxlen=MAX_WAITING)
    )
    "Provisional responses that are to follow: code, body, headers."
    answer: Callable[[float], None] | None = None
    "The 2xx that is to follow."
    answered: bool = False
    "A session description has gone out in one: the answer to the INVITE, or our offer."
    offering: bool = False
    "It was our offer, and waits for its answer in the PRACK."

    @property
    def holds_answer(self) -> bool:
        """Whether a 2xx has to wait."""
        return self.unpracked is not None and self.unpracked.described

    def stop(self) -> None:
        """Send nothing more; a PRACK that is under way is still taken."""
        if self.unpracked is not None and self.unpracked.timer is not None:
            self.unpracked.timer.cancel()
        self.waiting.clear()
        self.answer = None

    def acknowledged(self, prack: Request) -> bool:
        """Take a PRACK; false when it matches nothing that is open (481)."""
        pending, match = self.unpracked, _RACK.fullmatch(prack.headers.get("RAck") or "")
        if pending is None or match is None:
            return False
        if (int(match[1]), int(match[2])) != (pending.rseq, self.cseq):
            return False
        if pending.timer is not None:
            pending.timer.cancel()
        self.unpracked = None
        return True


@dataclass(slots=True, kw_only=True, eq=False)
class Fork:
    """One early dialog of a call of ours; proxies may make several."""

    dialog: Dialog
    rseq: int | None = None
    "Of the last reliable 1xx."
    answered: bool = False
    "One of them had a session description: the answer to our offer."
    unsent: str = ""
    "RAck of a PRACK that has to hold our answer to the peer's offer."
