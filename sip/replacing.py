"""Which usage an INVITE with Replaces takes over, if it may be taken over at all (RFC 3891 3).

The caller's right to do so is another matter, and the application's.
"""

from sip.errors import RemoteProtocolError
from sip.invite_usage import InviteUsage, UsageTable
from sip.message import Request
from sip.replaces import Replaces
from sip.usage_state import UsageState

ANSWERED = frozenset({UsageState.ANSWERED, UsageState.ESTABLISHED})


def replaced_by(request: Request, usages: UsageTable) -> InviteUsage | None:
    """Return the usage that an INVITE replaces; None where it replaces nothing.

    Raises `RemoteProtocolError`: 400 for a header that nobody can read, 481 where there is no
    such dialog or it is one that still rings here, 486 for an answered dialog where only an
    early one was meant, 603 for one that is at its end.
    """
    values = request.headers.getlist("Replaces")
    if not values:
        return None
    if len(values) > 1 or request.method != "INVITE":
        raise RemoteProtocolError(400, "Bad Replaces")
    replaces = Replaces.parse(values[0])
    usage = usages.by_dialog((replaces.call_id, replaces.to_tag, replaces.from_tag))
    if usage is None:
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    if usage.state is UsageState.ENDING:
        raise RemoteProtocolError(603, "Decline")
    if usage.state in ANSWERED:
        if replaces.early_only:
            raise RemoteProtocolError(486, "Busy Here")
        return usage
    if usage.state is not UsageState.RINGING or usage.calling is None:
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    return usage
