"""What reaches a call, and the one queue in which it waits for the call to read it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from b2bua.calls.call_over import NOBODY, CutOff
from b2bua.calls.party import Party
from b2bua.media.leg import LegEvent
from b2bua.patience import patiently, settle
from recording.controller import Action, Wish
from sip.events import Event, InviteOffered

logger = logging.getLogger("b2bua.calls.call")

INBOX_SIZE = 256
"Events. A peer that sends more than the call can read is ended with it."


@dataclass(frozen=True, slots=True)
class LegLost:
    """The media worker died under the call."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The server stops."""


@dataclass(frozen=True, slots=True)
class RecordKeyPressed:
    """An extension of the call asks for a recording from outside of the call."""

    number: str
    wish: Wish
    done: "asyncio.Future[Action]"
    "What came of it, for whoever asked to say it."


@dataclass(frozen=True, slots=True)
class PickedUp:
    """Somebody fetches the call while it rings at an extension."""

    number: str
    "The extension's."
    taker: Party
    offered: InviteOffered


@dataclass(frozen=True, slots=True)
class LineReturned:
    """A party that was lent for a transfer is back: the target could not be had."""


@dataclass(frozen=True, slots=True)
class LineKept:
    """A party that was lent for a transfer talks to the target now."""


@dataclass(frozen=True, slots=True)
class LineEnded:
    """A party that was lent for a transfer has gone."""


@dataclass(frozen=True, slots=True)
class Surrendered:
    """An attended transfer has taken a party away: the referrer is left, and wants to leave."""

    side: int
    "The referrer's."


@dataclass(frozen=True, slots=True)
class OfferAgain:
    """It is time to try a re-INVITE of ours again (RFC 3261 section 14.1)."""

    side: int


LineEvent = LineReturned | LineKept | LineEnded | Surrendered

CallEvent = (
    Event | LegEvent | LegLost | Shutdown | RecordKeyPressed | PickedUp | LineEvent | OfferAgain
)


class Attachable(Protocol):
    """Who takes events."""

    def deliver(self, event: CallEvent) -> None: ...


class Inbox:
    """The events of one call, in order."""

    def __init__(self, call_id: str, clock: Callable[[], float]) -> None:
        self._call_id = call_id
        self._clock = clock
        self._events: list[CallEvent] = []
        "Seldom more than one; an empty `deque` would be the largest thing in a call."
        self._reader: asyncio.Future[None] | None = None
        "The call, while it waits."

    def deliver(self, event: CallEvent) -> None:
        """Put an event in; an inbox that overflows ends the call."""
        if len(self._events) >= INBOX_SIZE:
            logger.error("call inbox full, call ended", extra={"call_id": self._call_id})
            del self._events[0]
            event = Shutdown()
        self._events.append(event)
        if self._reader is not None:
            settle(self._reader, None)

    async def next_event(self, deadline: float | None = None) -> CallEvent | None:
        """Return the next event; None once the clock is past `deadline`.

        What ends a call in every phase is raised here, as `CutOff`.
        """
        while not self._events:
            if deadline is not None and deadline <= self._clock():
                return None
            await self._arrival(deadline)
        event = self._events.pop(0)
        if isinstance(event, LegLost | Shutdown):
            raise CutOff(503, "Service Unavailable", "FAILED", NOBODY)
        return event

    async def _arrival(self, deadline: float | None) -> None:
        """Wait for an event, or for `deadline`."""
        reader = self._reader = asyncio.get_running_loop().create_future()
        try:
            if deadline is None:
                await reader
            else:
                await patiently(reader, deadline - self._clock(), None)
        finally:
            self._reader = None
