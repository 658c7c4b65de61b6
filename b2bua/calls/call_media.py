"""The media of one call: its two legs, the bridge between them, and what we say into them.

There is none of it until legs are lent, or come from another conversation with their parties. A
party that goes into another conversation takes its leg along, and hears nothing from here.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from b2bua.calls.call_over import NOBODY, CallOver, not_encrypted
from b2bua.calls.inbox import Inbox, LegLost
from b2bua.calls.services import CallServices
from b2bua.calls.sessions.bridge import Bridge, Side
from b2bua.calls.sessions.media_way import MediaWay
from b2bua.calls.sessions.negotiation import Negotiation
from b2bua.calls.sessions.transcodable import transcodable
from b2bua.media.leg import MediaLeg
from b2bua.media.lending import NoPortError
from b2bua.media.to_worker import PlayPart
from sip.errors import RemoteProtocolError
from sip.secure_media import NoUsableKey, SrtpRequired

logger = logging.getLogger("b2bua.calls.call")

T = TypeVar("T")


class CallMedia:
    """Two legs, once there are any."""

    def __init__(
        self,
        services: CallServices,
        inbox: Inbox,
        *,
        call_id: str,
        on_worker_died: Callable[[], None],
    ) -> None:
        """`on_worker_died`: told before the call is, by its inbox."""
        self.legs: list[MediaLeg] = []
        self.convertible = transcodable(services.config.media)
        "Codecs that we may transcode into each other."
        self._services = services
        self._inbox = inbox
        self._call_id = call_id
        self._on_worker_died = on_worker_died
        self._bridge: Bridge | None = None
        self._away: set[Side] = set()
        "Sides that are in another conversation."

    @property
    def is_there(self) -> bool:
        """Whether there are legs."""
        return self._bridge is not None

    @property
    def bridge(self) -> Bridge:
        """What joins the legs, once there are any."""
        assert self._bridge is not None
        return self._bridge

    def side_of(self, leg_id: int) -> Side:
        """Return whose leg that is."""
        return Side.A if leg_id == self.legs[0].leg_id else Side.B

    def speaks_g711(self, side: Side) -> bool:
        """Whether G.711 is what was agreed with a side, if there was anything to agree."""
        return self._bridge is not None and self._bridge.sides[side].law is not None

    # --- legs

    async def lend(self, way: MediaWay) -> None:
        """Get both legs before anybody is answered; raises `CallOver` (503).

        `way`: how media goes to the caller.
        """
        services = self._services
        first, second = await self._lent(services.plane.lend_two(services.ways.bind))
        bridge = self.use(first, second)
        for each in bridge.sides:
            each.lifts = services.config.media.wideband_after_menu
        caller, callee = bridge.sides
        caller.meet(way)
        # Until it is known who the other party is, it is where the caller is.
        callee.meet(way.plain)

    async def lend_beside(self, leg: MediaLeg) -> MediaLeg:
        """Get a leg on the media worker of another one; raises `CallOver` (503)."""
        services = self._services
        return await self._lent(services.plane.lend(services.ways.bind, beside=leg))

    async def _lent(self, lending: Awaitable[T]) -> T:
        try:
            return await lending
        except NoPortError as error:
            self._log("no media leg", str(error))
            raise CallOver(503, "Service Unavailable", "FAILED", NOBODY) from error

    def use(
        self,
        first: MediaLeg,
        second: MediaLeg,
        sides: tuple[Negotiation | None, Negotiation | None] = (None, None),
        *,
        apart: bool = False,
    ) -> Bridge:
        """Take two legs; `sides`: what was said already with parties of other conversations.

        `apart`: they are not to be joined, for they may be on different media workers.
        """
        for leg in (first, second):
            self.listen_to(leg)
        self.legs = [first, second]
        bridge = self._bridge = Bridge(first, second, self.convertible, sides, closed=apart)
        return bridge

    def listen_to(self, leg: MediaLeg) -> None:
        """Have a leg's events come to the call."""
        leg.on_event = self._inbox.deliver
        leg.on_lost = self._leg_lost

    def _leg_lost(self) -> None:
        self._on_worker_died()
        self._inbox.deliver(LegLost())

    def give_away(self, side: Side) -> None:
        """Let a party go into another conversation, with its leg if there is one."""
        self._away.add(side)
        if self._bridge is not None:
            self._bridge.lend()

    def take_back(self, side: Side) -> None:
        """Have a party here again; raises `SdpError` where the two have nothing in common now."""
        self._away.discard(side)
        self.bridge.take_back()

    # --- offer and answer

    def negotiate(self, step: Callable[[], T]) -> T:
        """Take a step of offer and answer; raises `CallOver` (488)."""
        try:
            return step()
        except RemoteProtocolError as error:
            self._log("no media", str(error))
            if isinstance(error, SrtpRequired | NoUsableKey):
                raise not_encrypted(error.reason) from error
            raise CallOver(488, "Not Acceptable Here", "FAILED", NOBODY) from error

    def _log(self, what: str, reason: str) -> None:
        logger.info(what, extra={"call_id": self._call_id, "reason": reason})

    # --- what a side hears from us

    def hear(self, side: Side, *parts: PlayPart) -> int | None:
        """Let a side hear `parts` and nothing else; None where we don't speak its codec."""
        return self._play(side, parts, kept=self._services.config.recording.announcements)

    def entertain(self, side: Side, *parts: PlayPart) -> int | None:
        """Let a side hear music, as `hear` does; whether it is recorded has its own setting."""
        return self._play(side, parts, kept=self._services.config.recording.hold_music)

    def _play(self, side: Side, parts: tuple[PlayPart, ...], *, kept: bool) -> int | None:
        coding = self.bridge.sides[side].coding if side not in self._away else None
        return None if coding is None else self.legs[side].play(parts, *coding, kept=kept)

    def hush(self, side: Side) -> None:
        """End what a side hears from us: it hears the other one again."""
        if side not in self._away:
            self.legs[side].stop_play()
