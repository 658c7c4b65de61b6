"""Why a request or a response ends a call: Reason (RFC 3326, in responses RFC 6432)."""

import re

from sip.dialog import header_values
from sip.message import Request, Response

_Q850 = re.compile(
    r"Q\.850[ \t]*;(?:.*;)?[ \t]*cause[ \t]*=[ \t]*([0-9]{1,3})(?![0-9])", re.IGNORECASE
)


def q850_cause(message: Request | Response | None) -> int | None:
    """Return the cause of the telephone network that a message names, 1 to 127."""
    values = header_values(message.headers.getlist("Reason")) if message is not None else ()
    for value in values:
        match = _Q850.match(value.lstrip(" \t"))
        if match is not None and 1 <= int(match[1]) <= 127:
            return int(match[1])
    return None


def q850_reason(cause: int) -> tuple[str, str]:
    """Return the header that names a cause."""
    return "Reason", f"Q.850;cause={cause}"
