"""How a call ends: what the caller is told, and what the row says."""

from collections.abc import Sequence

from cdr.records import Disposition
from recording.reasons import Reason, ReasonKey, because

NOBODY = because(ReasonKey.NOT_CONNECTED)

BUSY_CODES = frozenset({486, 600, 603})
"As Asterisk maps them to BUSY."

USER_BUSY = 17
NO_ANSWER = 19
UNSPECIFIED = 31
"Causes of ITU-T Q.850."


class CallOver(Exception):  # noqa: N818 - the end of a call is no error
    """The call ends: what the caller is told, and what the row says."""

    def __init__(
        self,
        code: int,
        phrase: str,
        disposition: Disposition,
        why: Reason | None = None,
        *,
        side: str = "server",
        cause: int | None = None,
    ) -> None:
        super().__init__(phrase)
        self.code = code
        "SIP status for a caller who was not answered yet."
        self.phrase = phrase
        self.disposition = disposition
        self.why = why
        "Why the parties never talked."
        self.side = side
        "Who ended it: caller, callee or server."
        self.cause = cause
        "Q.850, for the row and for the Reason of a BYE (:rfc:`3326`)."


def all_failed(codes: list[int], number: str) -> CallOver:
    """Choose what the caller hears when every contact failed (:rfc:`3261#section-16.7`)."""
    best = next((code for code in codes if code in BUSY_CODES), None) or min(codes)
    if best in BUSY_CODES:
        key = ReasonKey.REJECTED if best == 603 else ReasonKey.BUSY
        phrase = "Decline" if best == 603 else "Busy Here"
        why = because(key, number=number)
        return CallOver(best, phrase, "BUSY", why, side="callee", cause=USER_BUSY)
    if best in {408, 480, 503}:
        return no_answer(ReasonKey.UNREACHABLE, number, side="callee")
    why = because(ReasonKey.REJECTED, number=number)
    if best < 400 or best in {401, 407}:
        # A redirection or a challenge was for us; the caller could do nothing with it.
        best = 500
    return CallOver(best, "Call Failed", "FAILED", why, side="callee", cause=UNSPECIFIED)


def likeliest(overs: Sequence[CallOver]) -> CallOver:
    """Choose among the answers of several parties: who is busy is there, at least."""
    order: tuple[Disposition, ...] = ("BUSY", "NO ANSWER", "FAILED")
    return min(overs, key=lambda over: order.index(over.disposition))


def no_answer(key: ReasonKey, number: str, *, side: str = "server") -> CallOver:
    """Return the end of a call that nobody took."""
    why = because(key, number=number)
    return CallOver(480, "Temporarily Unavailable", "NO ANSWER", why, side=side, cause=NO_ANSWER)


def cancelled() -> CallOver:
    """Return the end of a call whose caller gave up."""
    why = because(ReasonKey.CANCELLED)
    return CallOver(487, "Request Terminated", "NO ANSWER", why, side="caller")


def nobody(code: int, phrase: str, number: str) -> CallOver:
    """Return the end of a call to a number behind which there is nobody."""
    return CallOver(code, phrase, "FAILED", because(ReasonKey.UNREACHABLE, number=number))


def busy(number: str) -> CallOver:
    """Return the end of a call to an extension that is in as many calls as it may be."""
    why = because(ReasonKey.BUSY, number=number)
    return CallOver(486, "Busy Here", "BUSY", why, side="callee")
