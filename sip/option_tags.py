"""Option tags: what a peer supports and what it insists on (RFC 3261 section 19.2)."""

from sip.dialog import header_values
from sip.message import Request, Response

RELIABLE = "100rel"
"Provisional responses that are acknowledged (RFC 3262)."
TIMER = "timer"
"Session timers (RFC 4028)."


def has_option(message: Request | Response, header: str, tag: str) -> bool:
    """Tell whether an option tag is in `Supported` or `Require`."""
    return tag in {value.lower() for value in header_values(message.headers.getlist(header))}


def supports(message: Request | Response, tag: str) -> bool:
    """Tell whether the sender knows an extension: who requires it supports it."""
    return has_option(message, "Supported", tag) or has_option(message, "Require", tag)
