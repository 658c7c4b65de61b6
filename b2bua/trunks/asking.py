"""Asking trunks something outside of calls, and waiting for what they say."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from sip.address import Flow
from sip.endpoint import Endpoint
from sip.events import RequestCompleted
from sip.locating import Destination
from sip.message import Response
from sip.outside_client import OutsideRequest

Answer = tuple[Response | None, int]
"The final response and its code; none with 408 after silence, 503 without a way there."


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What asking takes, and who waits for which answer."""

    endpoint: Endpoint
    kick: Callable[[], None]
    clock: Callable[[], float]
    way: Callable[[Destination], Flow | None]
    "From us to a destination; None where we don't speak its transport or family."
    dice: Callable[[], float]
    "Numbers below 1, for what must not happen everywhere at once."
    _waiting: dict[int, asyncio.Future[Answer]] = field(default_factory=dict)

    async def ask(self, request: OutsideRequest, patience_s: float) -> Answer:
        """Send a request and return what came of it."""
        request_id = self.endpoint.ask(request, self.clock())
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        self.kick()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    return await answer
        finally:
            del self._waiting[request_id]
        return None, 408

    def completed(self, event: RequestCompleted) -> None:
        """Take the answer to a request outside of calls."""
        answer = self._waiting.get(event.request_id)
        if answer is not None and not answer.done():
            answer.set_result((event.response, event.code))
