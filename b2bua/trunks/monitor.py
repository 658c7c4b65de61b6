"""Asking a trunk now and then whether it is there, where the operator wants that (OPTIONS).

Any answer but the proxy's own 408, 503 and 504 is a sign of life, also a refusal. A trunk none of
whose servers answers is down, and calls pass it over until one does. Not every provider likes to
be asked, so nobody is unless it is switched on.
"""

import asyncio
import logging
from typing import Final

from b2bua.trunks.asking import Answer, Office
from b2bua.trunks.trunk import Trunk
from sip.address import Flow
from sip.locating import Destination
from sip.message import URI, Address
from sip.outside_client import OutsideRequest

logger = logging.getLogger("b2bua.trunks")

PATIENCE_S: Final = 8.0
"For the answer to one OPTIONS."

GONE: Final = frozenset({408, 503, 504})

AGAIN_S: Final = 15.0
"At most until a trunk that is down is asked again."


class Monitor:
    """Watches one trunk."""

    def __init__(self, trunk: Trunk, office: Office) -> None:
        self._trunk = trunk
        self._office = office
        self._every_s = trunk.settings.monitor_s

    async def run(self) -> None:
        """Ask for ever."""
        # Not all trunks of a house at the same instant.
        await asyncio.sleep(self._office.dice())
        while True:
            self._note(await self._is_there())
            await asyncio.sleep(min(self._every_s, AGAIN_S) if self._trunk.down else self._every_s)

    async def _is_there(self) -> bool:
        """Ask its servers, one after the other, until one is there."""
        for place in self._trunk.servers:
            flow = self._office.way(place)
            if flow is None:
                continue
            if _lives(await self._office.ask(self._request(place, flow), PATIENCE_S)):
                return True
            self._not_there(place)
        return False

    def _not_there(self, place: Destination) -> None:
        self._trunk.note_failure(place)

    def _request(self, place: Destination, flow: Flow) -> OutsideRequest:
        trunk = self._trunk
        user = trunk.settings.account_user
        host = self._office.endpoint.advertised(flow).uri_host
        ourselves = trunk.uri(user) if user else URI(scheme="sip", host=host)
        return OutsideRequest(
            method="OPTIONS",
            target=trunk.uri(None),
            flow=flow,
            from_=Address(uri=ourselves),
            to=Address(uri=trunk.uri(None)),
            series=self._office.endpoint.series(),
            peer=trunk,
            routes=trunk.routes(place),
            headers=(("Accept", "application/sdp"),),
        )

    def _note(self, there: bool) -> None:  # noqa: FBT001 - the one thing that is known
        """Let calls know, and the log each change."""
        trunk = self._trunk
        if there == trunk.down:
            log = logger.info if there else logger.warning
            log("trunk is there" if there else "trunk is not there", extra={"trunk": trunk.name})
        trunk.down = not there


def _lives(answer: Answer) -> bool:
    response, code = answer
    return response is not None and code not in GONE
