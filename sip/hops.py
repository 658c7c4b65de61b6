"""How far a call may still go, and whether it has been here before (RFC 3261 16.3, RFC 5393).

An INVITE that we send on behalf of another has one hop less than that one, so a circle through
any number of back-to-back user agents ends (483). A circle of proxies back to us ends at its
first turn (482): the branch of our INVITE says, readable for us only, for which Request-URI it
was sent, and what comes back for the same one is a loop. For another one it is a spiral, such as
a call through a provider to a number of ours, and legal.
"""

import hashlib

from sip.dialog import header_values
from sip.message import Request
from sip.via import parse_top_via

MAX_FORWARDS = 70
MAX_VIAS = 70
"More are not looked at: Max-Forwards ends such a request."


def hops_left(request: Request) -> int:
    """Return the Max-Forwards of a request, which `parse` has checked."""
    return int(request.headers.get("Max-Forwards") or MAX_FORWARDS)


def mark_of(branch: str) -> str:
    """Return the mark that a branch of ours ends with; empty for none."""
    _, dot, mark = branch.partition(".")
    return dot + mark


class LoopMarks:
    """Marks in the branches of our requests."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret[:64]

    def mark(self, request: Request) -> str:
        """Return what the branch of a request ends with that is sent because of this one."""
        uri = request.uri
        seed = f"{uri.user or ''}\n{'' if uri.user else uri.host}".lower().encode()
        return "." + hashlib.blake2b(seed, key=self._secret, digest_size=6).hexdigest()

    def is_loop(self, request: Request) -> bool:
        """Tell whether a request is one of ours that has come back for the same target."""
        lines = request.headers.getlist("Via")
        if len(lines) == 1 and "," not in lines[0]:
            return False
        vias = header_values(lines)[1 : MAX_VIAS + 1]
        mark = self.mark(request)
        return any(_branch(via).endswith(mark) for via in vias)


def _branch(via: str) -> str:
    try:
        return parse_top_via(via).branch
    except ValueError:
        return ""
