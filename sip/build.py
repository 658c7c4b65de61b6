"""Octets that we send: requests, their ACK and CANCEL, and responses.

Everything is built from fields in one canonical form, long names and `Name: value`, because
cheap phones compare headers by case and need the blank. Nothing is passed through from another
leg; a value that would start a new line loses its line ends.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from sip.address import HostPort
from sip.errors import LocalProtocolError, RemoteProtocolError
from sip.headers import CANONICAL
from sip.message import Request
from sip.via import parse_top_via, stamp

HeaderList = Iterable[tuple[str, str]]

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    430: "Flow Failed",
    439: "First Hop Lacks Outbound Support",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")
_REPEATED = ("From", "To", "Call-ID", "CSeq")
"What a response repeats of its request, besides Via."
_LONG = {name: name for name in ("Via", *_REPEATED, "Content-Length")}
_COMPACT = _LONG | {"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Content-Length": "l"}

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")


def clean(value: str) -> str:
    """Return a header value without anything that could end its line."""
    # What is printable throughout, as nearly all values are, has no control characters.
    return value if value.isprintable() else _CONTROLS.sub(" ", value)


def _lines(headers: HeaderList) -> list[str]:
    lines = []
    for name, value in headers:
        if name not in CANONICAL and _TOKEN.fullmatch(name) is None:
            raise LocalProtocolError(f"not a header name: {name!r}")
        lines.append(f"{name}: {value if value.isprintable() else clean(value)}")
    return lines


def _finish(
    lines: list[str], body: bytes, content_type: str | None, *, length: str = "Content-Length"
) -> bytes:
    if body:
        lines.append(f"Content-Type: {clean(content_type or 'application/sdp')}")
    lines.append(f"{length}: {len(body)}\r\n\r\n")
    return "\r\n".join(lines).encode("utf-8", "replace") + body


class OutgoingRequest(NamedTuple):
    """A request of ours, and what its ACK and CANCEL have to repeat."""

    method: str
    uri: str
    via: str
    "The one Via line; its branch names the transaction."
    branch: str
    from_: str
    to: str
    call_id: str
    cseq: int
    routes: tuple[str, ...] = ()
    max_forwards: int = 70
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    content_type: str | None = None

    def __bytes__(self) -> bytes:
        lines = [
            f"{self.method} {clean(self.uri)} SIP/2.0",
            f"Via: {self.via}",
            f"Max-Forwards: {self.max_forwards}",
            *[f"Route: {route}" for route in self.routes],
            f"From: {clean(self.from_)}",
            f"To: {clean(self.to)}",
            f"Call-ID: {clean(self.call_id)}",
            f"CSeq: {self.cseq} {self.method}",
            *_lines(self.headers),
        ]
        return _finish(lines, self.body, self.content_type)

    def ack(self, to: str) -> "OutgoingRequest":
        """Return the ACK for a response of 300 or more (RFC 3261 section 17.1.1.3)."""
        return self._twin("ACK", to, ())

    def cancel(self, headers: tuple[tuple[str, str], ...] = ()) -> "OutgoingRequest":
        """Return the CANCEL (RFC 3261 section 9.1): same Via, no body, no Require."""
        return self._twin("CANCEL", self.to, headers)

    def _twin(
        self, method: str, to: str, headers: tuple[tuple[str, str], ...]
    ) -> "OutgoingRequest":
        return self._replace(
            method=method,
            to=to,
            headers=headers,
            body=b"",
            content_type=None,
            max_forwards=70,
        )


def with_tag(value: str, tag: str) -> str:
    """Return a From or To value with a tag."""
    return f"{value};tag={tag}" if tag else value


def response(
    request: Request,
    source: HostPort,
    code: int,
    *,
    to_tag: str = "",
    reason: str | None = None,
    headers: HeaderList = (),
    body: bytes = b"",
    content_type: str | None = None,
    compact: bool = False,
) -> bytes:
    """Return a response (RFC 3261 section 8.2.6), also to a request that is half broken.

    `to_tag` is added where the request has no To-tag of its own. `compact`: with the short names
    of section 7.3.3, which some phones don't know.
    """
    written = _COMPACT if compact else _LONG
    received = request.headers.fields
    vias = received["Via"]
    lines = [
        f"SIP/2.0 {code} {clean(reason or REASONS.get(code, 'Unknown'))}",
        f"{written['Via']}: {_stamped(request, source)}",
    ]
    if len(vias) > 1:
        lines += [f"{written['Via']}: {via}" for via in vias[1:]]
    for name in _REPEATED:
        if name in received:
            lines.append(f"{written[name]}: {received[name][0]}")
            # Callers give a tag only to requests whose mandatory headers could be read.
            if name == "To" and to_tag and not request.head.to_tag:
                lines[-1] += f";tag={to_tag}"
    lines += _lines(headers)
    return _finish(lines, body, content_type, length=written["Content-Length"])


def _stamped(request: Request, source: HostPort) -> str:
    """Return the first Via line with the source in it; one that can't be read as it came."""
    line = request.headers["Via"]
    try:
        return stamp(line, request.head.via, source)
    except RemoteProtocolError:
        pass  # another header is at fault, perhaps
    try:
        return stamp(line, parse_top_via(line), source)
    except ValueError:
        return line
