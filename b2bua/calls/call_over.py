"""How a call ends: what the caller is told, and what the row says."""

from collections.abc import Sequence

from cdr.records import Disposition
from recording.reasons import Reason, ReasonKey, because

NOBODY = because(ReasonKey.NOT_CONNECTED)

BUSY_CODES = frozenset({486, 600, 603})
"As Asterisk maps them to BUSY."

USER_BUSY = 17
NO_ANSWER = 19
EXCHANGE_ROUTING_ERROR = 25
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
        redirect: str = "",
        warning: str = "",
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
        self.redirect = redirect
        "Where the telephone itself sends the call (3xx)."
        self.warning = warning
        "What a 488 adds for a human; empty: the usual."


class CutOff(CallOver):
    """The ground is gone: the media worker died, or the server stops."""


class Unanswered(CallOver):
    """Whoever was rung did not answer: somebody else may be rung."""


def all_failed(codes: list[int], number: str) -> Unanswered:
    """Choose what the caller hears when every contact failed (:rfc:`3261#section-16.7`)."""
    best = next((code for code in codes if code in BUSY_CODES), None) or min(codes)
    if best in BUSY_CODES:
        key = ReasonKey.REJECTED if best == 603 else ReasonKey.BUSY
        phrase = "Decline" if best == 603 else "Busy Here"
        why = because(key, number=number)
        return Unanswered(best, phrase, "BUSY", why, side="callee", cause=USER_BUSY)
    if best in {408, 480, 503}:
        return no_answer(ReasonKey.UNREACHABLE, number, side="callee")
    why = because(ReasonKey.REJECTED, number=number)
    if best < 400 or best in {401, 407}:
        # A redirection or a challenge was for us; the caller could do nothing with it.
        best = 500
    return Unanswered(best, "Call Failed", "FAILED", why, side="callee", cause=UNSPECIFIED)


def likeliest(overs: Sequence[Unanswered]) -> Unanswered:
    """Choose among the answers of several parties: they are busy when all of them are."""
    order: tuple[Disposition, ...] = ("NO ANSWER", "BUSY", "FAILED")
    return min(overs, key=lambda over: order.index(over.disposition))


def no_answer(key: ReasonKey, number: str, *, side: str = "server") -> Unanswered:
    """Return the end of a call that nobody took."""
    why = because(key, number=number)
    return Unanswered(480, "Temporarily Unavailable", "NO ANSWER", why, side=side, cause=NO_ANSWER)


def circle(number: str) -> CallOver:
    """Return the end of a call that would only be forwarded in a circle."""
    why = because(ReasonKey.FORWARDED_IN_CIRCLE, number=number)
    return CallOver(482, "Loop Detected", "FAILED", why, cause=EXCHANGE_ROUTING_ERROR)


def cancelled() -> CallOver:
    """Return the end of a call whose caller gave up."""
    why = because(ReasonKey.CANCELLED)
    return CallOver(487, "Request Terminated", "NO ANSWER", why, side="caller")


def not_encrypted(warning: str, *, side: str = "server") -> Unanswered:
    """Return the end of a call that needed SRTP which did not come about."""
    why = because(ReasonKey.NO_SRTP)
    return Unanswered(
        488, "Not Acceptable Here", "FAILED", why, side=side, cause=UNSPECIFIED, warning=warning
    )


def nobody(code: int, phrase: str, number: str) -> CallOver:
    """Return the end of a call to a number behind which there is nobody."""
    return CallOver(code, phrase, "FAILED", because(ReasonKey.UNREACHABLE, number=number))


def busy(number: str) -> Unanswered:
    """Return the end of a call to an extension that is in as many calls as it may be."""
    why = because(ReasonKey.BUSY, number=number)
    return Unanswered(486, "Busy Here", "BUSY", why, side="callee")
