"""The user agent core: datagrams and a clock in, datagrams and events out (RFC 3261 section 8).

`Endpoint` is the whole of SIP for the application. It reads no clock and opens no socket: a shell
from `sip.io` calls `receive` and `handle_timeout`, and sends what `send_queue` gives out.

A call of the application for something that has just ended (the peer's BYE is still in the event
queue) is nobody's mistake: it does nothing, or completes with 481. A call that no order of
messages allows raises `LocalProtocolError`.

Deviations from the RFCs, on purpose: responses go to the packet's source even without `rport`, and
never open a connection (section 18.2.2); requests inside a dialog follow the flow, not the remote
target (see `sip/dialog.py`).
"""

import logging
import random
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial

from sip.address import Flow, HostPort
from sip.build import HeaderList
from sip.core import Core
from sip.dialog import Dialog
from sip.dialog_info import DialogInfo
from sip.errors import LocalProtocolError, StreamError
from sip.events import Authorized, Event, InviteFailed, Refused
from sip.in_dialog_client import InDialogClient
from sip.in_dialog_server import InDialogServer
from sip.invite_usage import InviteUsage
from sip.message import URI, Address, Request
from sip.notifier import Notifier, NotifierLimits
from sip.outside_client import OutsideClient, OutsideRequest, Series
from sip.peer import Peer
from sip.receiver import Authorize, Receiver
from sip.refer import Refer
from sip.refer_server import ReferServer
from sip.replaces import Replaces
from sip.session_timer import SessionPolicy
from sip.timers import Timers
from sip.uac import InviteClient
from sip.uas import InviteServer
from sip.usage_state import TALKING, UNANSWERED, WAITING, UsageState

__all__ = ["Authorized", "Endpoint", "Refused", "UsageState"]

logger = logging.getLogger("sip")

ALLOW = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS")


TOKEN_OCTETS = 12


def _random_tokens() -> Iterator[str]:
    """Yield random words, a bundle of which costs one system call."""
    digits = 2 * TOKEN_OCTETS
    while True:
        bundle = secrets.token_hex(64 * TOKEN_OCTETS)
        for begin in range(0, len(bundle), digits):
            yield bundle[begin : begin + digits]


class Endpoint:
    """A SIP user agent, client and server, over any transport."""

    def __init__(
        self,
        *,
        contact: HostPort,
        authorize: Authorize,
        timers: Timers | None = None,
        user_agent: str = "Mitschnitt",
        token: Callable[[], str] | None = None,
        allow: Iterable[str] = ALLOW,
        supported: Iterable[str] = (),
        session: SessionPolicy | None = None,
        dice: Callable[[], float] = random.random,
        subscriptions: NotifierLimits | None = None,
        max_transactions: int = 100_000,
        max_usages: int = 10_000,
    ) -> None:
        self._core = Core(
            contact=contact,
            timers=timers or Timers(),
            user_agent=user_agent,
            token=token or partial(next, _random_tokens()),
            allow=tuple(allow),
            supported=tuple(supported),
            session=session,
            dice=dice,
        )
        self._max_usages = max_usages
        self._client = InDialogClient(self._core)
        self._uac = InviteClient(self._core, self._client)
        self._outside = OutsideClient(self._core)
        self._uas = InviteServer(self._core, self._client)
        self._refers = ReferServer(self._core, self._client)
        self._server = InDialogServer(self._core, self._uas, self._refers)
        self.notifier = Notifier(self._core, self._client, subscriptions or NotifierLimits())
        "Who watches our lamps."
        self._receiver = Receiver(
            self._core,
            authorize=authorize,
            max_transactions=max_transactions,
            max_usages=max_usages,
            invite_client=self._uac,
            invite_server=self._uas,
            in_dialog=self._server,
            notifier=self.notifier,
        )

    @property
    def contact(self) -> HostPort:
        """Our address in Via and Contact, where `advertise` says nothing else."""
        return self._core.contact

    @contact.setter
    def contact(self, value: HostPort) -> None:
        self._core.contact = value

    def advertise(self, advertised: Callable[[Flow], HostPort]) -> None:
        """Tell the other end of each flow an address of its own in Via and Contact."""
        self._core.advertised = advertised

    def send_large_requests(self, by_tcp: Callable[[HostPort], Flow | None]) -> None:
        """Send what is too large for a datagram by TCP, to whoever can be connected."""
        self._core.transactions.large.way = by_tcp

    def answer_life_signs(self, is_registered: Callable[[Flow], bool]) -> None:
        """Answer the STUN of those who are reached over their flow (RFC 5626 section 4.4.2)."""
        self._core.is_registered = is_registered

    def calls_with(self, peer: Peer) -> int:
        """Return how many INVITE usages there are with a peer, in both directions."""
        return self._core.usages.count_of(peer)

    def advertised(self, flow: Flow) -> HostPort:
        """Return our address as the other end of a flow is told it."""
        return self._core.advertised(flow)

    @property
    def counters(self) -> dict[str, int]:
        """Occurrences since the start; the names are in `sip.core.COUNTERS`."""
        return self._core.counters

    @property
    def transactions(self) -> int:
        """Transactions alive."""
        return len(self._core.transactions)

    @property
    def usages(self) -> int:
        """INVITE usages alive."""
        return len(self._core.usages)

    @property
    def refer_subscriptions(self) -> int:
        """Referrers who wait for the end of what they asked for."""
        return len(self._refers)

    # --- the shell's side

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a datagram or a framed message; never raises."""
        try:
            self._receiver.receive(data, flow, now)
        except Exception:
            # The bulkhead: one message that breaks us does not break the others.
            self._core.count("failed")
            logger.exception("message failed", extra={"source": str(flow.remote)})

    def refuse(self, error: StreamError, flow: Flow) -> None:
        """Answer what broke a stream, where it can be answered; never raises."""
        try:
            self._receiver.refuse(error, flow)
        except Exception:
            self._core.count("failed")
            logger.exception("refusal failed", extra={"source": str(flow.remote)})

    def handle_timeout(self, now: float) -> None:
        """Do what is due; to be called at `next_timeout`. Never raises."""
        pop_due = self._core.heap.pop_due
        while (callback := pop_due(now)) is not None:
            try:
                callback(now)
            except Exception:
                self._core.count("failed")
                logger.exception("timer failed")

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is to be called, on the clock of `now`."""
        return self._core.heap.next_when()

    def transport_failed(self, flow: Flow, now: float) -> None:
        """Note that nothing can be sent on a flow (section 18.4)."""
        self._core.transactions.transport_failed(flow, now)

    def connection_lost(self, flow: Flow, now: float) -> None:
        """Note that a connection has ended (RFC 5626 section 4.3).

        A request that was under way on it is answered by nobody any more; calls that stand go
        on, and move to the connection over which their peer speaks next.
        """
        self._core.transactions.connection_lost(flow, now)
        self.notifier.connection_lost(flow, now)

    def move_calls(self, old: Flow, new: Flow) -> None:
        """Let calls go on over the flow to which their device has moved (RFC 5626 section 4.3)."""
        self._core.usages.move(old, new)

    def flows(self) -> set[Flow]:
        """Return the flows that transactions, calls and subscriptions need."""
        core = self._core
        return core.transactions.flows() | core.usages.flows() | set(self.notifier.flows())

    def send_queue(self) -> list[tuple[bytes, Flow]]:
        """Hand over the messages to send."""
        outbox = self._core.outbox
        if not outbox:
            return []
        drained = outbox.copy()
        outbox.clear()
        return drained

    def events(self) -> list[Event]:
        """Hand over what happened."""
        events = self._core.events
        if not events:
            return []
        drained = events.copy()
        events.clear()
        return drained

    # --- the application's side: calls that come in

    def provisional(
        self, usage: int, code: int, now: float, body: bytes = b"", headers: HeaderList = ()
    ) -> None:
        """Send a 1xx to an offered INVITE; it is repeated once a minute."""
        found = self._living(usage, *UNANSWERED)
        if found is not None:
            self._uas.provisional(found, code, now, body, headers)

    def answer(self, usage: int, body: bytes, now: float, headers: HeaderList = ()) -> None:
        """Accept an offered INVITE; `AckReceived` or `AckMissing` follows."""
        found = self._living(usage, *UNANSWERED)
        if found is not None:
            self._uas.answer(found, body, now, headers)

    def reject(
        self,
        usage: int,
        code: int,
        now: float,
        reason: str | None = None,
        headers: HeaderList = (),
    ) -> None:
        """Refuse an offered INVITE with 300 to 699; the usage is forgotten."""
        found = self._living(usage, *UNANSWERED)
        if found is not None:
            self._uas.reject(found, code, now, reason, headers)

    def respond(
        self,
        transaction: int,
        code: int,
        now: float,
        *,
        reason: str | None = None,
        headers: HeaderList = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> None:
        """Answer a `RequestOffered`, `ReinviteReceived` or `InDialogReceived`."""
        self._server.respond(
            transaction,
            code,
            now,
            reason=reason,
            headers=headers,
            body=body,
            content_type=content_type,
        )

    # --- lamps

    def accept_subscription(
        self, transaction: int, *, owner: str, resource: str, shown: DialogInfo, now: float
    ) -> bool:
        """Let the sender of a SUBSCRIBE that was offered watch `resource`; see `Notifier`."""
        found = self._core.transactions.by_id(transaction)
        if found is None or found.final:
            self._core.count("late_calls")
            return False
        return self.notifier.accept(found, owner=owner, resource=resource, shown=shown, now=now)

    # --- transfers

    def accept_refer(self, transaction: int, refer: Refer, now: float) -> int | None:
        """Take a REFER: 202 and a first NOTIFY, or 200 for who wants none (RFC 4488).

        Returns the number that `notify_refer` wants; None where the REFER had ended meanwhile.
        """
        return self._server.accept_refer(transaction, refer, now)

    def notify_refer(
        self, subscription: int, code: int, now: float, reason: str | None = None
    ) -> None:
        """Tell the referrer how its INVITE goes; a final status is the last one."""
        self._refers.notify(subscription, code, now, reason)

    def replaced(self, replaces: Replaces) -> int | None:
        """Return the usage that a Replaces means, answered or not.

        Some telephones write the tags the other way round; no dialog can be meant but this one.
        """
        key = (replaces.call_id, replaces.to_tag, replaces.from_tag)
        usages = self._core.usages
        found = usages.by_dialog(key) or usages.by_dialog((key[0], key[2], key[1]))
        return found.id if found is not None else None

    # --- calls that go out

    def invite(
        self,
        *,
        target: URI,
        flow: Flow,
        from_: Address,
        to: Address,
        body: bytes,
        now: float,
        headers: HeaderList = (),
        caused_by: Request | None = None,
        routes: tuple[str, ...] = (),
        peer: Peer | None = None,
        silence_s: float | None = None,
    ) -> int:
        """Call `target` over `flow`; without a body the 2xx has the offer and `ack` the answer.

        `caused_by`: the INVITE on whose behalf, which must have hops left (`sip/hops.py`).
        `peer`: with whose credentials challenges are answered, and who may speak from which
        other addresses; `silence_s`: how long nothing at all may come back, None: 64*T1.
        """
        if len(self._core.usages) >= self._max_usages:
            self._core.count("overloaded")
            usage = self._core.new_id()
            self._core.events.append(InviteFailed(usage, 503, "Service Unavailable"))
            return usage
        return self._uac.invite(
            target=target,
            flow=flow,
            from_=from_,
            to=to,
            body=body,
            headers=headers,
            caused_by=caused_by,
            now=now,
            routes=routes,
            peer=peer,
            silence_s=silence_s,
        ).id

    def cancel(self, usage: int, now: float, headers: HeaderList = ()) -> None:
        """Give up a call that goes out; one that was just answered gets BYE instead.

        `headers` say why (RFC 3326).
        """
        found = self._living(usage, *WAITING, UsageState.CANCELLING, *TALKING)
        if found is None or found.state is UsageState.CANCELLING:
            return
        if found.calling is None:
            raise LocalProtocolError(f"usage {usage} is no call of ours")
        if found.state in WAITING:
            self._uac.cancel(found, now, headers)
        else:
            self._client.bye(found, now, headers)

    def prack(self, usage: int, body: bytes, now: float) -> None:
        """Answer the offer in a reliable 1xx to an `invite` without a body (RFC 3262)."""
        found = self._living(usage, *WAITING, UsageState.CANCELLING, *TALKING)
        if found is not None and found.state in WAITING:
            self._uac.answer_early(found, body, now)

    def ack(self, usage: int, body: bytes, now: float) -> None:  # noqa: ARG002 - one signature
        """Send the ACK with the answer to a late offer, of `invite` or `reinvite`."""
        found = self._living(usage, *TALKING)
        if found is not None:
            self._client.ack(found, body)

    # --- requests outside of calls

    def series(self) -> Series:
        """Return what makes requests outside of dialogs belong together."""
        return Series(call_id=self._core.token(), local_tag=self._core.token())

    def ask(self, request: OutsideRequest, now: float) -> int:
        """Send a request outside of any dialog; `RequestCompleted` without a usage follows."""
        return self._outside.request(request, now)

    def keep_alive(self, flow: Flow) -> None:
        """Send the empty lines that keep a flow open (RFC 5626 section 4.4.1)."""
        self._core.outbox.append((b"\r\n\r\n", flow))

    # --- calls that stand

    def bye(self, usage: int, now: float, headers: HeaderList = ()) -> int:
        """End a call; `RequestCompleted` follows, and the usage is forgotten."""
        found = self._core.usages.get(usage)
        if found is None:
            return self._client.too_late(usage)
        if found.reliable is not None and found.reliable.answer is not None:
            # Our 2xx still waits for a PRACK: it is not sent any more.
            self._uas.reject(found, 480, now)
            return self._client.too_late(usage)
        return self._client.bye(found, now, headers)

    def request(
        self,
        usage: int,
        method: str,
        now: float,
        *,
        body: bytes = b"",
        content_type: str | None = None,
        headers: HeaderList = (),
    ) -> int:
        """Send a request inside a dialog; `RequestCompleted` follows."""
        found = self._core.usages.get(usage)
        if found is None:
            return self._client.too_late(usage)
        return self._client.request(
            found, method, now, headers=headers, body=body, content_type=content_type
        )

    def reinvite(self, usage: int, body: bytes, now: float, headers: HeaderList = ()) -> int:
        """Offer anew inside a call; `RequestCompleted` follows."""
        found = self._core.usages.get(usage)
        if found is None:
            return self._client.too_late(usage)
        return self._client.reinvite(found, body, now, headers)

    def abandon(self, usage: int, now: float) -> None:
        """End a usage by whatever its state needs; no event of it follows."""
        found = self._core.usages.get(usage)
        if found is None:
            return
        found.silent = True
        if found.state in UNANSWERED and found.invite is not None:
            self._uas.reject(found, 500, now)
        elif found.state in WAITING:
            self._uac.cancel(found, now)
        elif found.state in TALKING:
            with suppress(LocalProtocolError):
                self._client.ack(found, b"")
            self._client.bye(found, now)

    def dialog(self, usage: int) -> Dialog:
        """Return the dialog of a usage; early until there was a 2xx."""
        found = self._core.usages.get(usage)
        if found is None or found.dialog is None:
            raise LocalProtocolError(f"usage {usage} has no dialog")
        return found.dialog

    def takes_reliable(self, usage: int) -> bool:
        """Tell whether a 1xx with SDP to an offered INVITE will be sent reliably (RFC 3262)."""
        found = self._core.usages.get(usage)
        return found is not None and self._uas.takes_reliable(found)

    def takes_update(self, usage: int) -> bool:
        """Tell whether the peer of a usage says that it knows UPDATE (RFC 3311)."""
        found = self._core.usages.get(usage)
        return found is not None and found.peer_takes_update

    def state(self, usage: int) -> UsageState:
        """Return where a usage stands; `ENDED` for one that is forgotten."""
        found = self._core.usages.get(usage)
        return found.state if found is not None else UsageState.ENDED

    def _living(self, usage: int, *states: UsageState) -> InviteUsage | None:
        """Return a usage in one of the states, None when it has ended meanwhile."""
        found = self._core.usages.get(usage)
        if found is None or found.state is UsageState.ENDING:
            self._core.count("late_calls")
            return None
        if found.state not in states:
            raise LocalProtocolError(f"usage {usage} is {found.state.name}")
        return found
