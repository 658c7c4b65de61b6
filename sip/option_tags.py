"""Lists of words in headers: option tags and methods (RFC 3261 sections 19.2 and 20.5)."""

from functools import lru_cache

from sip.message import Request, Response

RELIABLE = "100rel"
"Provisional responses that are acknowledged (RFC 3262)."
TIMER = "timer"
"Session timers (RFC 4028)."


@lru_cache(maxsize=1024)
def words(line: str) -> frozenset[str]:
    """Return the words of a header line, in lower case; there are few different ones."""
    return frozenset(word.strip(" \t").lower() for word in line.split(","))


def has_option(message: Request | Response, header: str, tag: str) -> bool:
    """Tell whether a word, given in lower case, is in a header such as `Supported`."""
    lines = message.headers.getlist(header)
    return bool(lines) and any(tag in words(line) for line in lines)


def supports(message: Request | Response, tag: str) -> bool:
    """Tell whether the sender knows an extension: who requires it supports it."""
    return has_option(message, "Supported", tag) or has_option(message, "Require", tag)
