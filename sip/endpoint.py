"""The user agent core: datagrams and a clock in, datagrams and events out (RFC 3261 section 8).

`Endpoint` is the whole of SIP for the application. It reads no clock and opens no socket: a shell
from `sip.io` calls `receive` and `handle_timeout`, and sends what `send_queue` gives out.

Deviations from the RFCs, on purpose: responses go to the packet's source even without `rport`, and
never open a connection (section 18.2.2); requests inside a dialog follow the flow, not the remote
target (see `sip/dialog.py`).
"""

import logging
import random
import secrets
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from sip.address import Flow, HostPort
from sip.build import HeaderList
from sip.calls import Calls
from sip.core import Core
from sip.dialog_info import DialogInfo
from sip.errors import StreamError
from sip.events import Event
from sip.in_dialog_client import InDialogClient
from sip.in_dialog_server import InDialogServer
from sip.notifier import Notifier, NotifierLimits
from sip.outside_client import OutsideClient, OutsideRequest, Series
from sip.receiver import Authorize, Receiver
from sip.refer import Refer
from sip.refer_server import ReferServer
from sip.session_timer import SessionPolicy
from sip.timers import Timers
from sip.uac import InviteClient
from sip.uas import InviteServer

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
        client = InDialogClient(self._core)
        invite_client = InviteClient(self._core, client)
        invite_server = InviteServer(self._core, client)
        self._outside = OutsideClient(self._core)
        self._refers = ReferServer(self._core, client)
        self._server = InDialogServer(self._core, invite_server, self._refers)
        self.calls = Calls(
            self._core,
            invite_client=invite_client,
            invite_server=invite_server,
            in_dialog=client,
            max_usages=max_usages,
        )
        "What the application does with calls."
        self.notifier = Notifier(self._core, client, subscriptions or NotifierLimits())
        "Who watches our lamps."
        self._receiver = Receiver(
            self._core,
            authorize=authorize,
            max_transactions=max_transactions,
            max_usages=max_usages,
            invite_client=invite_client,
            invite_server=invite_server,
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

    # --- the application's side: requests that come in, but for those that begin a call

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

    def accept_subscription(
        self, transaction: int, *, owner: str, resource: str, shown: DialogInfo, now: float
    ) -> bool:
        """Let the sender of a SUBSCRIBE that was offered watch `resource`; see `Notifier`."""
        found = self._server.pending(transaction)
        if found is None:
            return False
        return self.notifier.accept(found, owner=owner, resource=resource, shown=shown, now=now)

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

    # --- the application's side: requests outside of calls

    def series(self) -> Series:
        """Return what makes requests outside of dialogs belong together."""
        return Series(call_id=self._core.token(), local_tag=self._core.token())

    def ask(self, request: OutsideRequest, now: float) -> int:
        """Send a request outside of any dialog; `RequestCompleted` without a usage follows."""
        return self._outside.request(request, now)

    def keep_alive(self, flow: Flow) -> None:
        """Send the empty lines that keep a flow open (RFC 5626 section 4.4.1)."""
        self._core.outbox.append((b"\r\n\r\n", flow))
