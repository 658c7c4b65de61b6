"""One call between two extensions: from the offered INVITE to its closed row.

A call is a coroutine with an inbox. It reads top to bottom as the call goes: find whom to
ring, ring, answer, talk, end. Whatever ends it is raised as `CallOver` and met in one place,
so each way out releases the same things in the same order.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from b2bua.bridge import Bridge, Side
from b2bua.call_over import NOBODY, CallOver, all_failed
from b2bua.call_record import CallRecord
from b2bua.call_recording import CallRecording
from b2bua.config import Config
from b2bua.directory import Directory, Extension
from b2bua.media.leg import LegEvent, MediaLeg
from b2bua.media.messages import MediaResumed, MediaTimeout
from b2bua.media.plane import MediaPlane, NoPortError
from b2bua.routing import NoRoute, route
from cdr.journal import Journal
from recording.reasons import ReasonKey, because
from sip.endpoint import Endpoint
from sip.errors import RemoteProtocolError
from sip.events import (
    AckMissing,
    AckReceived,
    Event,
    InDialogReceived,
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteOffered,
    InviteProgressed,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.message import URI, Address
from sip.registrar import Binding, Registrar

logger = logging.getLogger("b2bua.call")

INBOX_SIZE = 256
"Events. A peer that sends more than the call can read is ended with it."

RELEASE_PATIENCE_S = 1.0
"For the media worker's last words about a leg."


@dataclass(frozen=True, slots=True)
class LegLost:
    """The media worker died under the call."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The server stops."""


CallEvent = Event | LegEvent | LegLost | Shutdown


@dataclass(frozen=True, slots=True, kw_only=True)
class CallServices:
    """What a call needs of the house."""

    config: Config
    endpoint: Endpoint
    kick: Callable[[], None]
    plane: MediaPlane
    journal: Journal
    directory: Directory
    registrar: Registrar
    media_host: str
    recordings: Path
    clock: Callable[[], float]
    attach: Callable[[int, "Call"], None]
    "Have a usage's events delivered to a call."


class Call:
    """The B2BUA between one caller's usage and one callee's."""

    def __init__(self, services: CallServices, offered: InviteOffered, caller: Extension) -> None:
        self._s = services
        self._caller = caller
        self._callee = caller
        self._request = offered.request
        self._a = offered.usage
        self._b: int | None = None
        self._usages = [self._a]
        self._branches: set[int] = set()
        self._legs: list[MediaLeg] = []
        self._bridge: Bridge | None = None
        self._silent: set[int] = set()
        self._answered = False
        self._inbox: asyncio.Queue[CallEvent] = asyncio.Queue(INBOX_SIZE)
        self._record = CallRecord(services.journal, services.clock)
        self._record.open(offered, caller)
        self._recording = CallRecording(
            plane=services.plane,
            journal=services.journal,
            record=self._record,
            folder=services.recordings,
            minimum_s=services.config.recording.min_duration_s,
        )

    @property
    def call_id(self) -> str:
        """The call's `uniqueid`."""
        return self._record.uniqueid

    @property
    def usages(self) -> tuple[int, ...]:
        """Every usage that was ever attached to the call."""
        return tuple(self._usages)

    def deliver(self, event: CallEvent) -> None:
        """Put an event into the inbox; an inbox that overflows ends the call."""
        try:
            self._inbox.put_nowait(event)
        except asyncio.QueueFull:
            logger.error("call inbox full, call ended", extra={"call_id": self.call_id})
            with contextlib.suppress(asyncio.QueueEmpty):
                self._inbox.get_nowait()
            self._inbox.put_nowait(Shutdown())

    async def run(self) -> None:
        """Carry the call from offer to closed row; never raises for what a peer did."""
        over = CallOver(500, "Server Internal Error", "FAILED", NOBODY)
        try:
            await self._connect()
            await self._talk()
        except CallOver as reason:
            # Without its traceback: frames that hold the call would make a cycle of garbage.
            over = reason.with_traceback(None)
        except Exception:
            logger.exception("call failed", extra={"call_id": self.call_id})
        ended_after = self._record.elapsed()
        self._hang_up(over)
        await self._finish(over, ended_after)

    # --- connecting

    async def _connect(self) -> None:
        callee, bindings = self._find()
        self._callee = callee
        self._record.routed(callee)
        self._recording.decide(self._caller, callee)
        self._bridge = await self._lend_legs()
        offer = self._negotiate(self._bridge.forward_offer, Side.A, self._request.body)
        for binding in bindings:
            self._invite(binding, callee, offer)
        self._s.kick()
        try:
            async with asyncio.timeout(self._s.config.sip.ring_timeout_s):
                answered = await self._ring()
        except TimeoutError:
            why = because(ReasonKey.NOT_ANSWERED)
            raise CallOver(480, "Temporarily Unavailable", "NO ANSWER", why) from None
        self._accept(answered)

    def _find(self) -> tuple[Extension, tuple[Binding, ...]]:
        dialled = self._request.uri.user or ""
        why = because(ReasonKey.UNREACHABLE, number=dialled)
        destination = route(dialled, self._s.directory)
        if isinstance(destination, NoRoute):
            raise CallOver(destination.code, destination.reason, "FAILED", why)
        callee = destination.extension
        bindings = self._s.registrar.bindings(callee.number, self._s.clock())
        if not bindings:
            raise CallOver(480, "Temporarily Unavailable", "NO ANSWER", why)
        return callee, bindings

    async def _lend_legs(self) -> Bridge:
        try:
            first = await self._s.plane.lend(self._s.media_host)
            self._adopt_leg(first)
            second = await self._s.plane.lend(self._s.media_host, beside=first)
            self._adopt_leg(second)
        except NoPortError as error:
            logger.warning("no media leg", extra={"call_id": self.call_id, "reason": str(error)})
            raise CallOver(503, "Service Unavailable", "FAILED", NOBODY) from error
        return Bridge(first, second)

    def _adopt_leg(self, leg: MediaLeg) -> None:
        self._legs.append(leg)
        leg.on_event = self.deliver
        leg.on_lost = lambda: self.deliver(LegLost())

    def _negotiate(self, step: Callable[[Side, bytes], bytes], side: Side, body: bytes) -> bytes:
        try:
            return step(side, body)
        except RemoteProtocolError as error:
            logger.info("no media", extra={"call_id": self.call_id, "reason": str(error)})
            raise CallOver(488, "Not Acceptable Here", "FAILED", NOBODY) from error

    def _invite(self, binding: Binding, callee: Extension, offer: bytes) -> None:
        endpoint = self._s.endpoint
        host = endpoint.contact.host
        usage = endpoint.invite(
            target=URI.parse(binding.contact),
            flow=binding.flow,
            from_=Address(
                name=self._caller.name,
                uri=URI(scheme="sip", user=self._caller.number, host=host),
            ),
            to=Address(uri=URI(scheme="sip", user=callee.number, host=host)),
            body=offer,
            now=self._s.clock(),
        )
        self._branches.add(usage)
        self._usages.append(usage)
        self._s.attach(usage, self)

    # --- ringing

    async def _ring(self) -> InviteAnswered:
        """Return the first answer; raises `CallOver` when there will be none."""
        failures: list[int] = []
        while True:
            event = await self._inbox.get()
            match event:
                case InviteAnswered() if event.usage in self._branches:
                    return event
                case InviteProgressed() if event.usage in self._branches:
                    self._progress(event)
                case InviteFailed() if event.usage in self._branches:
                    self._branches.discard(event.usage)
                    failures.append(event.code)
                    if not self._branches:
                        raise all_failed(failures, self._request.uri.user or "")
                case InviteCancelled():
                    why = because(ReasonKey.CANCELLED)
                    raise CallOver(487, "Request Terminated", "NO ANSWER", why, side="caller")
                case LegLost() | Shutdown():
                    raise CallOver(503, "Service Unavailable", "FAILED", NOBODY)
                case _:
                    self._small_talk(event)

    def _progress(self, event: InviteProgressed) -> None:
        """Pass ringing on; early media only where one contact alone can send it."""
        body = b""
        if event.response.body and len(self._branches) == 1 and self._bridge is not None:
            body = self._negotiate(self._bridge.forward_answer, Side.B, event.response.body)
        code = 183 if body else 180
        self._s.endpoint.provisional(self._a, code, self._s.clock(), body=body)
        self._s.kick()

    def _accept(self, answered: InviteAnswered) -> None:
        self._b = answered.usage
        self._branches.discard(answered.usage)
        for usage in self._branches:
            self._s.endpoint.cancel(usage, self._s.clock())
        self._branches.clear()
        assert self._bridge is not None
        body = self._negotiate(self._bridge.forward_answer, Side.B, answered.response.body)
        self._s.endpoint.answer(self._a, body, self._s.clock())
        self._s.kick()
        self._answered = True
        self._record.join(self._callee, side=Side.B)
        self._record.answered(self._callee)

    # --- talking

    async def _talk(self) -> None:
        while True:
            event = await self._inbox.get()
            match event:
                case AckReceived() if event.usage == self._a:
                    assert self._bridge is not None
                    self._recording.start_automatic(self._bridge)
                case UsageEnded():
                    raise CallOver(0, "", "ANSWERED", side=self._side(event.usage))
                case AckMissing():
                    raise CallOver(0, "", "ANSWERED")
                case ReinviteReceived():
                    await self._renegotiate(event)
                case MediaTimeout():
                    self._fall_silent(event)
                case MediaResumed():
                    self._silent.discard(event.leg_id)
                case LegLost():
                    self._recording.worker_died()
                    raise CallOver(0, "", "ANSWERED")
                case Shutdown():
                    raise CallOver(0, "", "ANSWERED")
                case _:
                    self._small_talk(event)

    def _side(self, usage: int) -> str:
        return "caller" if usage == self._a else "callee"

    def _fall_silent(self, event: MediaTimeout) -> None:
        self._silent.add(event.leg_id)
        if len(self._silent) == len(self._legs) and not (self._bridge and self._bridge.held):
            raise CallOver(0, "", "ANSWERED")

    def _small_talk(self, event: CallEvent) -> None:
        """Answer what needs an answer and changes nothing."""
        if isinstance(event, InDialogReceived):
            code = 200 if event.request.method == "OPTIONS" else 405
            if event.request.method == "INFO":
                code = 415
            self._s.endpoint.respond(event.transaction, code, self._s.clock())
            self._s.kick()
        elif isinstance(event, ReinviteReceived):
            self._s.endpoint.respond(event.transaction, 491, self._s.clock())
            self._s.kick()

    async def _renegotiate(self, event: ReinviteReceived) -> None:
        """Pass a re-INVITE's offer across and its answer back (:rfc:`3261#section-14`)."""
        endpoint, side = self._s.endpoint, Side.A if event.usage == self._a else Side.B
        other = self._b if side is Side.A else self._a
        assert self._bridge is not None
        assert other is not None
        code, body = 488, b""
        with contextlib.suppress(RemoteProtocolError):
            if event.request.body:
                offer = self._bridge.forward_offer(side, event.request.body)
                request_id = endpoint.reinvite(other, offer, self._s.clock())
                self._s.kick()
                code, answer = await self._reinvite_result(request_id)
                if code < 300:
                    body = self._bridge.forward_answer(side.other, answer)
        endpoint.respond(
            event.transaction,
            code,
            self._s.clock(),
            body=body,
            content_type="application/sdp" if body else None,
        )
        self._s.kick()

    async def _reinvite_result(self, request_id: int) -> tuple[int, bytes]:
        while True:
            event = await self._inbox.get()
            match event:
                case RequestCompleted() if event.request_id == request_id:
                    body = event.response.body if event.response is not None else b""
                    return event.code, body
                case UsageEnded() | LegLost() | Shutdown():
                    self.deliver(event)
                    return 503, b""
                case _:
                    self._small_talk(event)

    # --- the end

    def _hang_up(self, over: CallOver) -> None:
        """Stop the recording, tell both sides, give the ports back.

        Each step is taken even where one before it raises (the stack unwinds in the opposite
        order, so the first step stands last).
        """
        now = self._s.clock()
        endpoint = self._s.endpoint
        with contextlib.ExitStack() as steps:
            for leg in self._legs:
                steps.callback(leg.release)
            steps.callback(self._s.kick)
            for usage in (self._a, self._b, *self._branches):
                if usage is not None:
                    steps.callback(endpoint.abandon, usage, now)
            if not self._answered and over.code != 487:
                steps.callback(endpoint.reject, self._a, over.code, now, reason=over.phrase)
            steps.callback(self._recording.stop)

    async def _finish(self, over: CallOver, ended_after: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_PATIENCE_S):
                for leg in self._legs:
                    await leg.released.wait()
        for side, leg in enumerate(self._legs):
            leg.on_event = leg.on_lost = None
            self._record.leave(side, leg.statistics)
        verdict = await self._recording.verdict(connected=self._answered, not_connected=over.why)
        self._record.close(over.disposition, verdict, ended_after=ended_after, side=over.side)
