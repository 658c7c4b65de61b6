"""Our registration with a provider, without its wire (RFC 3261 section 10.2, RFC 5626, RFC 3608).

`Registering` decides: when the next REGISTER is due, what it asks for, what an answer means.
The caller has the clock, the servers and the sending. The states are a table:

    OUT        not registered; the next try is due at `due_at`
    TRYING     a REGISTER is under way, and nothing holds
    IN         registered
    REFRESHING registered, the REGISTER that prolongs it is under way
    SHAKY      still registered, but the last try to prolong it failed
    LEAVING    the REGISTER that ends it is under way
    GONE       ended, for good
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from sip.contact import ContactValue, read_contacts
from sip.dialog import header_values
from sip.errors import RemoteProtocolError
from sip.message import Response

MAX_EXPIRES_S: Final = 7 * 86_400
"Longest interval to which a 423 can bring us."

NEXT_SERVER_S: Final = 1.0
"Until the next server of a list is tried."

PAUSE_S: Final = 30.0
"First pause when no server took us, doubled each time (:rfc:`5626#section-4.5`)."

REFUSED_PAUSE_S: Final = 300.0
"The same after a plain no: a wrong password doesn't become right, and accounts get locked."

MAX_PAUSE_S: Final = 1800.0

STEADY_S: Final = 60.0
"A connection that has lasted so long may be opened again at once when it ends."

MAX_RETRY_AFTER_S: Final = 3600.0

_DELTA: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_RETRY_AFTER: Final = re.compile(r"([0-9]{1,9})(?![0-9])", re.ASCII)


class State(Enum):
    """Where a registration stands; see the head of the file."""

    OUT = auto()
    TRYING = auto()
    IN = auto()
    REFRESHING = auto()
    SHAKY = auto()
    LEAVING = auto()
    GONE = auto()


class Input(Enum):
    """What moves it."""

    SEND = auto()
    "A REGISTER goes out."
    ACCEPTED = auto()
    FAILED = auto()
    EXPIRED = auto()
    "The time that was granted is over."
    LEAVE = auto()


_S, _I = State, Input

TABLE: Final[Mapping[State, Mapping[Input, State]]] = {
    _S.OUT: {
        _I.SEND: _S.TRYING,
        _I.ACCEPTED: _S.OUT,
        _I.FAILED: _S.OUT,
        _I.EXPIRED: _S.OUT,
        _I.LEAVE: _S.GONE,
    },
    _S.TRYING: {
        _I.SEND: _S.TRYING,
        _I.ACCEPTED: _S.IN,
        _I.FAILED: _S.OUT,
        _I.EXPIRED: _S.TRYING,
        # Whether it was accepted we shall not know, so it is ended like one that was.
        _I.LEAVE: _S.LEAVING,
    },
    _S.IN: {
        _I.SEND: _S.REFRESHING,
        _I.ACCEPTED: _S.IN,
        _I.FAILED: _S.IN,
        _I.EXPIRED: _S.OUT,
        _I.LEAVE: _S.LEAVING,
    },
    _S.REFRESHING: {
        _I.SEND: _S.REFRESHING,
        _I.ACCEPTED: _S.IN,
        _I.FAILED: _S.SHAKY,
        _I.EXPIRED: _S.TRYING,
        _I.LEAVE: _S.LEAVING,
    },
    _S.SHAKY: {
        _I.SEND: _S.REFRESHING,
        _I.ACCEPTED: _S.SHAKY,
        _I.FAILED: _S.SHAKY,
        _I.EXPIRED: _S.OUT,
        _I.LEAVE: _S.LEAVING,
    },
    _S.LEAVING: {
        _I.SEND: _S.LEAVING,
        _I.ACCEPTED: _S.GONE,
        _I.FAILED: _S.GONE,
        _I.EXPIRED: _S.LEAVING,
        _I.LEAVE: _S.LEAVING,
    },
    _S.GONE: dict.fromkeys(Input, _S.GONE),
}

HOLDING: Final = frozenset({State.IN, State.REFRESHING, State.SHAKY})
"States in which the provider sends us calls and takes ours."


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What a registrar has granted."""

    expires_at: float
    service_route: tuple[str, ...]
    "Route values for requests through this registrar (RFC 3608), empty: none."


class Registering:
    """One registration, from its first REGISTER to its last."""

    def __init__(
        self, *, contact_user: str, expires_s: int, now: float, dice: Callable[[], float]
    ) -> None:
        """`contact_user`: of our Contact, empty for one without; `dice`: numbers below 1."""
        self._contact_user = contact_user
        self._expires_s = expires_s
        self._dice = dice
        self._accepted_at = now
        self._losses = 0
        "Times in a row that the connection ended soon after we were taken."
        self._rounds = 0
        "Times in a row that no server took us."
        self.state = State.OUT
        self.due_at: float = now
        "When the next REGISTER is to go out; means nothing while one is under way."
        self.granted: Registered | None = None
        self.trouble = ""
        "Why the last try failed; empty: it didn't."

    @property
    def holds(self) -> bool:
        """Whether we are registered."""
        return self.state in HOLDING

    def expire(self, now: float) -> None:
        """Note what time has done."""
        if self.granted is not None and now >= self.granted.expires_at:
            self.granted = None
            self._feed(Input.EXPIRED)

    def begin(self, now: float) -> int:
        """Take note that a REGISTER goes out; returns its Expires, in seconds."""
        self.expire(now)
        self._feed(Input.SEND)
        return 0 if self.state is State.LEAVING else self._expires_s

    def leave(self) -> bool:
        """End it; true where a REGISTER with Expires 0 has to go out."""
        self._feed(Input.LEAVE)
        return self.state is State.LEAVING

    def completed(self, response: Response | None, code: int, now: float, *, last: bool) -> bool:
        """Take the final answer; true where the REGISTER is to be sent again at once.

        `last`: there is no further server that was not tried in this round. Without a response
        `code` is 408 or 503.
        """
        self.expire(now)
        if self.state is State.LEAVING:
            self._feed(Input.ACCEPTED if code < 300 else Input.FAILED)
            return False
        if response is not None and code < 300:
            self._accepted(response, now)
            return False
        if response is not None and code == 423 and self._longer(response):
            return True
        self._failed(response, code, now, last=last)
        return False

    def nowhere(self, trouble: str, now: float) -> None:
        """Take note that there is no server to send anything to."""
        self.expire(now)
        self._feed(Input.FAILED)
        self._pause(now, trouble, last=True, pause_s=PAUSE_S)

    def lost(self, now: float) -> None:
        """Take note that the connection has ended over which the registrar reaches us.

        We are still registered, but hear of no call until we have come again (:rfc:`5626`).
        """
        self.expire(now)
        if self.state not in HOLDING:
            return
        # A server that hangs up on us each time is not called once a second.
        self._losses = self._losses + 1 if now < self._accepted_at + STEADY_S else 0
        pause_s = min(NEXT_SERVER_S * 2 ** min(self._losses, 16), MAX_PAUSE_S)
        self.due_at = min(self.due_at, now + pause_s * (0.5 + self._dice() / 2))

    # --- what answers mean

    def _feed(self, given: Input) -> None:
        """Move on one input. The only place where `state` changes."""
        self.state = TABLE[self.state][given]

    def _accepted(self, response: Response, now: float) -> None:
        seconds = self._granted_s(response)
        if seconds <= 0:
            self._feed(Input.FAILED)
            self._pause(now, "accepted for no time at all", last=True, pause_s=PAUSE_S)
            return
        self._feed(Input.ACCEPTED)
        self._rounds, self.trouble = 0, ""
        self._accepted_at = now
        routes = header_values(response.headers.getlist("Service-Route"))
        self.granted = Registered(expires_at=now + seconds, service_route=routes)
        self.due_at = now + refresh_after(seconds, self._dice())

    def _granted_s(self, response: Response) -> int:
        """Return for how long we are registered (:rfc:`3261#section-10.2.4`).

        The 2xx lists the contacts of others as well; ours has our user part, even where the
        registrar has mended its address.
        """
        try:
            contacts = list(read_contacts(response.headers.getlist("Contact")))
        except RemoteProtocolError:
            contacts = []
        own = [each for each in contacts if (each.uri.user or "") == self._contact_user]
        for contact in own[:1] or contacts[:1]:
            seconds = _expires_of(contact)
            if seconds is not None:
                return seconds
        seconds = _delta(response.headers.get("Expires"))
        return self._expires_s if seconds is None else seconds

    def _longer(self, response: Response) -> bool:
        """Ask for as long as the registrar wants (:rfc:`3261#section-10.2.8`)."""
        wanted = _delta(response.headers.get("Min-Expires"))
        if wanted is None or not self._expires_s < wanted <= MAX_EXPIRES_S:
            return False
        self._expires_s = wanted
        return True

    def _failed(self, response: Response | None, code: int, now: float, *, last: bool) -> None:
        self._feed(Input.FAILED)
        if response is None:
            self._pause(now, _SILENCE[code], last=last, pause_s=PAUSE_S)
            return
        refused = 300 <= code < 500 and code not in {408, 423, 480, 482, 483}
        pause_s = REFUSED_PAUSE_S if refused else PAUSE_S
        wait = _RETRY_AFTER.match((response.headers.get("Retry-After") or "").strip())
        at_least = min(float(wait[1]), MAX_RETRY_AFTER_S) if wait else 0.0
        trouble = f"{code} {response.phrase}".strip()
        self._pause(now, trouble, last=last, pause_s=pause_s, at_least_s=at_least)

    def _pause(
        self, now: float, trouble: str, *, last: bool, pause_s: float, at_least_s: float = 0.0
    ) -> None:
        """Wait for the next try: the longer, the more often nobody took us."""
        self.trouble = trouble
        if not last:
            self.due_at = now + NEXT_SERVER_S
            return
        doubled = pause_s * 2 ** min(self._rounds, 16)
        self._rounds += 1
        self.due_at = now + max(at_least_s, min(doubled, MAX_PAUSE_S) * (0.5 + self._dice() / 2))


_SILENCE: Final = {408: "no answer", 503: "no way there"}


def refresh_after(granted_s: float, dice: float) -> float:
    """Return when to prolong a registration, in seconds after it was granted.

    Early enough for a second try before it ends, at different times for different trunks.
    """
    latest = granted_s - 40.0 if granted_s >= 160.0 else granted_s * 0.75
    return latest * (0.9 + dice / 10)


def _expires_of(contact: ContactValue) -> int | None:
    return _delta(contact.parameters.get("expires"))


def _delta(text: str | None) -> int | None:
    return int(text) if text is not None and _DELTA.fullmatch(text.strip()) else None
