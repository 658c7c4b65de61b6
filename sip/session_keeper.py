"""Session timers at work: what requests and answers say, refreshing, and the end (RFC 4028)."""

from functools import partial
from typing import Literal, Protocol

from sip.build import HeaderList
from sip.core import Core
from sip.events import RefreshDue
from sip.invite_usage import InviteUsage
from sip.message import Request, Response
from sip.option_tags import TIMER, supports
from sip.session_timer import (
    SMALLEST_S,
    SessionExpires,
    SessionPolicy,
    SessionState,
    agree,
    min_se,
)
from sip.usage_state import UsageState

TRY_AGAIN_S = 10.0
"After a refresh that the peer could not take just now, and that did not say when it can."

MAX_LONGER = 3
"How often a peer may want a longer interval before we take its 422 for an answer."


class Dialogs(Protocol):
    """What the keeper needs of the client inside dialogs."""

    def update(self, usage: InviteUsage, now: float) -> None:
        """Refresh the session by an UPDATE without a body."""

    def lose(self, usage: InviteUsage, cause: Literal["timeout", "gone"], now: float) -> None:
        """Take the dialog for dead."""


class SessionKeeper:
    """The session timers of all usages."""

    def __init__(self, core: Core, dialogs: Dialogs) -> None:
        self._core = core
        self._dialogs = dialogs

    # --- our requests

    def request_headers(self, usage: InviteUsage | None) -> HeaderList:
        """Return what an INVITE (`None`: the first), re-INVITE or UPDATE of ours says."""
        policy = self._core.session
        if policy is None:
            return ()
        if usage is None or usage.session is None:
            if usage is not None and not usage.peer_has_timer:
                return ()
            return self._wishes(usage, SessionExpires(policy.expires_s))
        refresher = "uac" if usage.session.ours else "uas"
        return self._wishes(usage, SessionExpires(usage.session.interval_s, refresher))

    def _wishes(self, usage: InviteUsage | None, value: SessionExpires) -> HeaderList:
        assert self._core.session is not None
        least = max(self._core.session.min_se_s, usage.min_se_s if usage is not None else 0)
        if value.interval_s < least:
            value = SessionExpires(least, value.refresher)
        wishes = [("Session-Expires", str(value))]
        return [*wishes, ("Min-SE", str(least))] if least > SMALLEST_S else wishes

    def longer(self, usage: InviteUsage, response: Response) -> bool:
        """Take the Min-SE of a 422; true when the request is to be sent again (section 7.3)."""
        least = min_se(response)
        if self._core.session is None or usage.longer >= MAX_LONGER or least <= usage.min_se_s:
            return False
        usage.longer += 1
        usage.peer_has_timer = True
        usage.min_se_s = least
        if usage.session is not None:
            usage.session.interval_s = max(usage.session.interval_s, least)
        return True

    def answered(self, usage: InviteUsage, response: Response, now: float) -> None:
        """Take what the 2xx to a request of ours says (section 7.2)."""
        if self._core.session is None:
            return
        value = SessionExpires.of(response)
        usage.peer_has_timer = value is not None or supports(response, TIMER)
        if value is None:
            self._stop(usage)
        else:
            self._start(usage, value.interval_s, now, ours=value.refresher != "uas")

    # --- requests of the peer

    def accept(self, usage: InviteUsage, request: Request, now: float) -> HeaderList:
        """Agree with a request of the peer; returns what our 2xx says."""
        policy: SessionPolicy | None = self._core.session
        if policy is None:
            return ()
        usage.peer_has_timer = supports(request, TIMER)
        value = agree(request, policy)
        if value is None:
            self._stop(usage)
            return ()
        self._start(usage, value.interval_s, now, ours=value.refresher == "uas")
        said = [("Session-Expires", str(value))]
        return [*said, ("Require", TIMER)] if value.refresher == "uac" else said

    # --- the timers

    def _start(self, usage: InviteUsage, interval_s: int, now: float, *, ours: bool) -> None:
        self._stop(usage)
        if usage.state is UsageState.ENDED:
            return  # a late response
        usage.longer = 0
        state = usage.session = SessionState(interval_s=interval_s, ours=ours)
        heap = self._core.heap
        # Both ends watch: a refresher whose refreshes fail has no session either (section 10).
        last = interval_s - min(32.0, interval_s / 3)
        state.expiry = heap.start(now + last, partial(self._expire, usage))
        if ours:
            state.refresh = heap.start(now + interval_s / 2, partial(self._refresh, usage))

    @staticmethod
    def _stop(usage: InviteUsage) -> None:
        if usage.session is not None:
            usage.session.stop()
            usage.session = None

    def _refresh(self, usage: InviteUsage, now: float) -> None:
        if usage.session is None or usage.state is not UsageState.ESTABLISHED:
            return
        if usage.peer_takes_update:
            self._dialogs.update(usage, now)
        else:
            self._core.tell(usage, RefreshDue(usage.id))
        # Until the 2xx, which starts all anew, we may have to ask again.
        self.refresh_again(usage, now)

    def refresh_again(self, usage: InviteUsage, now: float, after_s: float | None = None) -> None:
        """Refresh once more, where the refresh is ours."""
        state = usage.session
        if state is None or not state.ours:
            return
        if state.refresh is not None:
            state.refresh.cancel()
        wait: float = self._core.timers.give_up + TRY_AGAIN_S if after_s is None else after_s
        state.refresh = self._core.heap.start(now + wait, partial(self._refresh, usage))

    def _expire(self, usage: InviteUsage, now: float) -> None:
        self._core.count("sessions_expired")
        usage.bye_headers = (("Reason", 'SIP;cause=408;text="Session timer expired"'),)
        self._dialogs.lose(usage, "timeout", now)
