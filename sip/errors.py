"""The two-sided tree of errors of this package.

SipError
+-- LocalProtocolError     we did what the protocol or the state does not allow: our bug
+-- RemoteProtocolError    the peer did; carries the status code to answer
    +-- StreamError        so badly that nobody knows where its next message starts
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sip.message import Request


class SipError(Exception):
    """Anything wrong with SIP."""


class LocalProtocolError(SipError):
    """A call that the state of the usage or transaction does not allow: a bug of ours."""


class RemoteProtocolError(SipError):
    """The peer broke a rule.

    `status` and `reason` are the answer that a request deserves (RFC 3261 section 21). Where
    enough of a bad request survived to address an answer, `request` holds what was read.
    """

    def __init__(self, status: int, reason: str, *, request: "Request | None" = None) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.request = request


class StreamError(RemoteProtocolError):
    """A stream has lost the borders of its messages (RFC 3261 section 18.3).

    Its connection has to be closed; where `request` is set, after the answer to it.
    """
