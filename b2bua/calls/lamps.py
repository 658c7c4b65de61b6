"""What lamps on telephones show: that the extension's call is recorded, and who is in a call.

A telephone subscribes to the star code of its record key, or to an extension. The calls only say
that something may have changed; it is looked at once per turn of the loop, and only where
somebody watches. How often a telephone is told is the notifier's business (`sip/notifier.py`).
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from b2bua.calls.services import CallServices
from b2bua.directory import Extension
from b2bua.routing import ToExtension, ToRecordKey
from b2bua.trunks.arrival import dialled_number
from sip.dialog_info import DialogInfo
from sip.events import RequestOffered

logger = logging.getLogger("b2bua.calls.lamps")

RECORD_KEY, CALLS = "record-key", "calls"
"What of an extension is watched."


class Watched(Protocol):
    """Who knows the calls."""

    def record_lamp(self, number: str) -> DialogInfo:
        """Return how the record key of an extension is to be lit."""

    def call_lamp(self, number: str) -> DialogInfo:
        """Return whether an extension is in a call, or rung."""


class Lamps:
    """All lamps that are watched."""

    def __init__(self, services: CallServices, calls: Watched) -> None:
        self._services = services
        self._notifier = services.endpoint.notifier
        self._calls = calls
        self._stale: set[str] = set()
        "Numbers of extensions whose lamps may show what is not so any more."

    def subscribe(self, event: RequestOffered) -> None:
        """Answer a SUBSCRIBE whose sender the gate has verified."""
        services, now = self._services, self._services.clock()
        watcher = event.identity
        assert isinstance(watcher, Extension)
        resource = self._resource(watcher, dialled_number(event.request, None))
        if isinstance(resource, int):
            services.endpoint.respond(event.transaction, resource, now)
            return
        services.endpoint.accept_subscription(
            event.transaction,
            owner=watcher.number,
            resource=_name(*resource),
            shown=self._look(*resource),
            now=now,
        )

    def changed(self, numbers: Iterable[str]) -> None:
        """Look at the lamps of some extensions soon; cheap where nobody watches them."""
        if not self._notifier:
            return  # nobody watches anything
        watched = {number for number in numbers if self._is_watched(number)}
        if watched and not self._stale:
            asyncio.get_running_loop().call_soon(self._show)
        self._stale |= watched

    def keep_house(self) -> None:
        """End what extensions watched that are none any more."""
        now = self._services.clock()
        for owner in self._notifier.owners():
            if self._services.directory.get(owner) is None:
                logger.info("may watch no more", extra={"extension": owner})
                self._notifier.revoke(owner, now)
                self._services.kick()

    # --- inside

    def _resource(self, watcher: Extension, dialled: str) -> tuple[str, str] | int:
        """Return what of whom is to be watched, or the code that refuses it."""
        destination = self._services.plan.from_extension(dialled, watcher)
        match destination:
            case ToRecordKey():
                return RECORD_KEY, watcher.number
            case ToExtension(extension):
                allowed = self._services.config.lamps.allows(watcher.number, extension.number)
                return (CALLS, extension.number) if allowed else 403
        return 404

    def _is_watched(self, number: str) -> bool:
        return any(self._notifier.is_watched(_name(kind, number)) for kind in (RECORD_KEY, CALLS))

    def _look(self, kind: str, number: str) -> DialogInfo:
        look = self._calls.record_lamp if kind == RECORD_KEY else self._calls.call_lamp
        return look(number)

    def _show(self) -> None:
        stale, self._stale = self._stale, set()
        now = self._services.clock()
        for number in stale:
            for kind in (RECORD_KEY, CALLS):
                self._notifier.show(_name(kind, number), self._look(kind, number), now)
        self._services.kick()


def _name(kind: str, number: str) -> str:
    return f"{kind}:{number}"
