"""What the application does with calls: INVITE usages, by their numbers (:rfc:`5057`).

A call of the application for something that has just ended (the peer's BYE is still in the event
queue) is nobody's mistake: it does nothing, or completes with 481. A call that no order of
messages allows raises `LocalProtocolError`.
"""

from contextlib import suppress

from sip.address import Flow
from sip.build import HeaderList
from sip.core import Core
from sip.dialog import Dialog
from sip.errors import LocalProtocolError
from sip.events import InviteFailed
from sip.in_dialog_client import InDialogClient
from sip.invite_usage import InviteUsage
from sip.message import URI, Address, Request
from sip.peer import Peer
from sip.replaces import Replaces
from sip.uac import InviteClient
from sip.uas import InviteServer
from sip.usage_state import TALKING, UNANSWERED, WAITING, UsageState


class Calls:
    """All calls of an endpoint, in both directions."""

    def __init__(
        self,
        core: Core,
        *,
        invite_client: InviteClient,
        invite_server: InviteServer,
        in_dialog: InDialogClient,
        max_usages: int,
    ) -> None:
        self._core = core
        self._usages = core.usages
        self._uac = invite_client
        self._uas = invite_server
        self._client = in_dialog
        self._max_usages = max_usages

    # --- that come in

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

    # --- that go out

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
        if len(self._usages) >= self._max_usages:
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

    # --- that stand

    def bye(self, usage: int, now: float, headers: HeaderList = ()) -> int:
        """End a call; `RequestCompleted` follows, and the usage is forgotten."""
        found = self._usages.get(usage)
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
        found = self._usages.get(usage)
        if found is None:
            return self._client.too_late(usage)
        return self._client.request(
            found, method, now, headers=headers, body=body, content_type=content_type
        )

    def reinvite(self, usage: int, body: bytes, now: float, headers: HeaderList = ()) -> int:
        """Offer anew inside a call; `RequestCompleted` follows."""
        found = self._usages.get(usage)
        if found is None:
            return self._client.too_late(usage)
        return self._client.reinvite(found, body, now, headers)

    def abandon(self, usage: int, now: float) -> None:
        """End a usage by whatever its state needs; no event of it follows."""
        found = self._usages.get(usage)
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

    def move(self, old: Flow, new: Flow) -> None:
        """Let calls go on over the flow to which their device has moved (RFC 5626 section 4.3)."""
        self._usages.move(old, new)

    # --- what there is to know

    def state(self, usage: int) -> UsageState:
        """Return where a usage stands; `ENDED` for one that is forgotten."""
        found = self._usages.get(usage)
        return found.state if found is not None else UsageState.ENDED

    def dialog(self, usage: int) -> Dialog:
        """Return the dialog of a usage; early until there was a 2xx."""
        found = self._usages.get(usage)
        if found is None or found.dialog is None:
            raise LocalProtocolError(f"usage {usage} has no dialog")
        return found.dialog

    def takes_reliable(self, usage: int) -> bool:
        """Tell whether a 1xx with SDP to an offered INVITE will be sent reliably (RFC 3262)."""
        found = self._usages.get(usage)
        return found is not None and self._uas.takes_reliable(found)

    def takes_update(self, usage: int) -> bool:
        """Tell whether the peer of a usage says that it knows UPDATE (RFC 3311)."""
        found = self._usages.get(usage)
        return found is not None and found.peer_takes_update

    def replaced(self, replaces: Replaces) -> int | None:
        """Return the usage that a Replaces means, answered or not.

        Some telephones write the tags the other way round; no dialog can be meant but this one.
        """
        key = (replaces.call_id, replaces.to_tag, replaces.from_tag)
        swapped = (replaces.call_id, replaces.from_tag, replaces.to_tag)
        found = self._usages.by_dialog(key) or self._usages.by_dialog(swapped)
        return found.id if found is not None else None

    def count_with(self, peer: Peer) -> int:
        """Return how many INVITE usages there are with a peer, in both directions."""
        return self._usages.count_of(peer)

    def _living(self, usage: int, *states: UsageState) -> InviteUsage | None:
        """Return a usage in one of the states, None when it has ended meanwhile."""
        found = self._usages.get(usage)
        if found is None or found.state is UsageState.ENDING:
            self._core.count("late_calls")
            return None
        if found.state not in states:
            raise LocalProtocolError(f"usage {usage} is {found.state.name}")
        return found
