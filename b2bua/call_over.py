"""How a call ends: what the caller is told, and what the row says."""

from cdr.records import Disposition
from recording.reasons import Reason, ReasonKey, because

NOBODY = because(ReasonKey.NOT_CONNECTED)

BUSY_CODES = frozenset({486, 600, 603})
"As Asterisk maps them to BUSY."


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


def all_failed(codes: list[int], number: str) -> CallOver:
    """Choose what the caller hears when every contact failed (:rfc:`3261#section-16.7`)."""
    best = next((code for code in codes if code in BUSY_CODES), None) or min(codes)
    if best in BUSY_CODES:
        key = ReasonKey.REJECTED if best == 603 else ReasonKey.BUSY
        phrase = "Decline" if best == 603 else "Busy Here"
        return CallOver(best, phrase, "BUSY", because(key, number=number), side="callee")
    if best in {408, 480, 503}:
        why = because(ReasonKey.UNREACHABLE, number=number)
        return CallOver(480, "Temporarily Unavailable", "NO ANSWER", why, side="callee")
    why = because(ReasonKey.REJECTED, number=number)
    return CallOver(best, "Call Failed", "FAILED", why, side="callee")
