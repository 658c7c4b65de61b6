"""The tolerant, bounded front of `sipmessage`: octets to messages (RFC 3261 section 7).

`sipmessage` knows the grammar of single values; this file knows how hostile octets become
header lines. Rules that are ours:

- Only CRLF and LF end a line (`str.splitlines` would also split at VT, FS or U+2028 and let
  headers be smuggled); a bare CR anywhere in the header is refused.
- Numbers are ASCII digits of a bounded length: `int` alone also takes `1_0`, `+5` and Arabic.
- Blanks between header name and colon are legal (RFC 3261 section 7.3.1) and removed here, so
  `Via :` is the same header as `Via:` for everyone and can't bypass a check.
- Octets that are no UTF-8 are read as Latin-1. What identifies transactions and dialogs has to
  be ASCII, so this can change no more than a display name.
- A datagram may be longer than its message: the body is cut to Content-Length.

A bad request raises `RemoteProtocolError` with as much of the request as was read, so that it
can be answered; a bad response is never answered.
"""

import re
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

import sipmessage
from sipmessage import URI, Address, CSeq, MediaType, Parameters, Via

from sip.address import HostPort
from sip.errors import RemoteProtocolError
from sip.headers import CANONICAL, HeaderTable, canonical
from sip.name_addr import MAX_KNOWN, parse_address, parse_uri, tag_of, user_of
from sip.via import TopVia, parse_top_via

__all__ = [
    "URI",
    "Address",
    "CSeq",
    "Headers",
    "MediaType",
    "Parameters",
    "Request",
    "Response",
    "Via",
    "is_keepalive",
    "parse",
    "parse_address",
    "parse_uri",
    "tag_of",
    "user_of",
]

MAX_MESSAGE = 65_535
"Octets of a whole message: what a UDP datagram can carry."
MAX_HEADERS = 100
"Header lines; RFC 4475 longreq has 45."
MAX_HEADER = 8_192
"Characters of one header value."

_SINGLE = frozenset(
    ("Call-ID", "Content-Length", "Content-Type", "CSeq", "Expires", "From", "Max-Forwards", "To")
)
_MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")
_METHOD_WORDS = (
    "ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER "
    "SUBSCRIBE UPDATE"
)
_METHODS = frozenset(_METHOD_WORDS.split())
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_USUAL_BLANK_LINE = re.compile(rb"\r\n\r\n")
_FOLDED = re.compile(r"\n[ \t]")
"These two are found faster so than by `find` and `in`."
_FOLD = re.compile(r"[ \t]*\n[ \t]+")
_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_VERSION = re.compile(r"SIP/[0-9]{1,3}\.[0-9]{1,3}", re.IGNORECASE)
_CSEQ = re.compile(rf"([0-9]{{1,10}})[ \t]+({_TOKEN.pattern})")
_NOWHERE = URI(scheme="sip", host="invalid")


class Head(NamedTuple):
    """What names the transaction and the dialog of a message, each read once."""

    call_id: str
    cseq: int
    method: str
    "The method in CSeq: for responses the only one."
    from_tag: str
    to_tag: str
    "Empty where there is none."
    via: TopVia


class Headers(HeaderTable, sipmessage.Headers):
    """The headers of one message."""


class _Message(sipmessage.Message):
    octets: int = 0
    "Length of the datagram or piece of a stream; 0 for a message built by hand."

    @cached_property
    def head(self) -> Head:
        """The mandatory headers, which `parse` has checked.

        Those of a message built by hand are read when first asked for, which may raise
        `RemoteProtocolError`.
        """
        return _read_head({name: self.headers.getlist(name) for name in _MANDATORY})

    @property
    def from_address(self) -> Address:
        """The From value; raises `RemoteProtocolError`, which `parse` has ruled out."""
        return parse_address(self.headers["From"])

    @from_address.setter
    def from_address(self, value: Address) -> None:
        self.headers.set("From", str(value))

    @property
    def to_address(self) -> Address:
        """The To value; raises `RemoteProtocolError`, which `parse` has ruled out."""
        return parse_address(self.headers["To"])

    @to_address.setter
    def to_address(self, value: Address) -> None:
        self.headers.set("To", str(value))


class Request(_Message, sipmessage.Request):
    """A request; `head` holds the parsed mandatory headers."""

    headers: Headers

    def __init__(self, method: str, uri: URI, body: bytes = b"") -> None:
        # Not by way of the base, which would make a table of headers for nothing.
        self.method = method
        self.uri = uri
        self.body = body
        self.headers = Headers()


ANSWERED: Final = Request("ANSWERED", URI(scheme="sip", host="invalid"))
"""What is kept in place of a request that is answered, which is 5 KB fewer.

Its transaction lives on for half a minute only to absorb retransmissions, and at hundreds of calls
a second that is most of them; its call lives on for as long as people talk."""


class Response(_Message, sipmessage.Response):
    """A response; `head` holds the parsed mandatory headers."""

    headers: Headers
    source: HostPort | None = None
    "Where it came from, once it has."

    def __init__(self, code: int, phrase: str, body: bytes = b"") -> None:
        self.code = code
        self.phrase = phrase
        self.body = body
        self.headers = Headers()


def is_keepalive(data: bytes) -> bool:
    """Whether a datagram or a line of a stream is only CRLFs or NULs (RFC 5626 section 3.5.1)."""
    return not data.strip(b"\r\n\0")


def parse(data: bytes) -> Request | Response:
    """Return the message in a datagram or a framed piece of a stream.

    Raises `RemoteProtocolError`; its `request` is set where an answer can be addressed.
    """
    if len(data) > MAX_MESSAGE:
        raise RemoteProtocolError(513, "Message Too Large")
    octets = len(data)
    data = data.lstrip(b"\r\n")
    lines, end, problem = usual_lines(data) or any_lines(data)
    start = _known_start(lines[0]) if len(lines[0]) <= MAX_KNOWN else _read_start(lines[0])
    message = _new_message(start)
    message.octets = octets
    problem = _read_headers(lines, message.headers, end) or start[2] or problem
    if not problem:
        problem = _read_body(data, end, message) or _check(message)
    if problem:
        request = message if isinstance(message, Request) else None
        raise RemoteProtocolError(*problem, request=request)
    return message


Problem = tuple[int, str] | None

Lines = tuple[list[str], int, Problem]
"The unfolded header lines, where the body begins, and what is wrong with how they end."


def usual_lines(data: bytes) -> Lines | None:
    """Cut the header at its CRLFs; None where that is not all there is to it."""
    blank = _USUAL_BLANK_LINE.search(data)
    if blank is None:
        return None
    try:
        text = data[: blank.start()].decode("utf-8")
    except UnicodeDecodeError:
        return None
    lines = text.split("\r\n")
    pairs = len(lines) - 1
    if text.count("\n") != pairs or text.count("\r") != pairs or _FOLDED.search(text):
        return None
    return lines, blank.end(), None


def any_lines(data: bytes) -> Lines:
    """Cut and unfold the header, however its lines end."""
    blank = _BLANK_LINE.search(data)
    head = data[: blank.start()] if blank else data.rstrip(b"\r\n")
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    text = text.replace("\r\n", "\n")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    problem: Problem = None
    if "\r" in text:
        text, problem = text.replace("\r", " "), (400, "Bare CR In Header")
    if blank is None:
        problem = problem or (400, "Missing Blank Line")
    return text.split("\n"), blank.end() if blank else len(data), problem


Start = tuple[str, URI, Problem] | tuple[int, str, Problem]
"Method and Request-URI, or status code and phrase."


def _read_start(line: str) -> Start:
    """Read the request line or status line (RFC 3261 sections 7.1 and 7.2)."""
    if line[:4].upper() == "SIP/":
        return _read_status_line(line)
    parts = line.split(" ")
    method = parts[0]
    if _TOKEN.fullmatch(method) is None:
        raise RemoteProtocolError(400, "Not SIP")
    version = parts[-1] if len(parts) > 1 else ""
    if _VERSION.fullmatch(version) is None:
        # With one blank too many the line still is a request and gets its 400; a line without
        # a version at all is something else.
        if not any(_VERSION.fullmatch(part) for part in parts):
            raise RemoteProtocolError(400, "Not SIP")
        return method, _NOWHERE, (400, "Bad Request Line")
    if version.upper() != "SIP/2.0":
        return method, _NOWHERE, (505, "Version Not Supported")
    if len(parts) != 3:
        return method, _NOWHERE, (400, "Bad Request Line")
    try:
        return method, parse_uri(parts[1]), None
    except RemoteProtocolError as error:
        return method, _NOWHERE, (error.status, error.reason)


_known_start = lru_cache(maxsize=1024)(_read_start)


def _read_status_line(line: str) -> tuple[int, str, Problem]:
    version, _, rest = line.partition(" ")
    code, _, phrase = rest.partition(" ")
    well_formed = (
        version.upper() == "SIP/2.0" and len(code) == 3 and code.isascii() and code.isdigit()
    )
    if not well_formed or not 100 <= int(code) <= 699:
        return 0, phrase, (400, "Bad Status Line")
    return int(code), phrase, None


def _new_message(start: Start) -> Request | Response:
    if isinstance(start[0], str):
        return Request(start[0], start[1])
    return Response(start[0], start[1])


def _read_headers(lines: list[str], headers: Headers, octets: int) -> Problem:
    """Fill `headers` and return the first problem; what can be read is read in spite of it.

    `octets`: how many there are of them, of which no single one can have more.
    """
    problem: Problem = None
    fields = headers.fields
    for line in lines[1 : MAX_HEADERS + 1]:
        name, colon, value = line.partition(":")
        key = CANONICAL.get(name)
        if key is None:
            key = _odd_name(name, headers)
            if not key:
                colon = ""
        if not colon:
            problem = problem or (400, "Bad Header Line")
        elif octets > MAX_HEADER and len(value) > MAX_HEADER:
            problem = problem or (400, "Header Too Long")
        elif key not in fields:
            fields[key] = [value.strip(" \t")]
        elif key in _SINGLE:
            problem = problem or (400, f"Several {key}")
        else:
            fields[key].append(value.strip(" \t"))
    if len(lines) > MAX_HEADERS + 1:
        problem = problem or (400, "Too Many Headers")
    return problem


def _odd_name(name: str, headers: Headers) -> str:
    """Return what a header is stored under that is not written as usual; empty: it is no name."""
    name = name.rstrip(" \t")
    known = canonical(name) in CANONICAL
    return headers.key(name) if known or _TOKEN.fullmatch(name) else ""


def _read_body(data: bytes, begin: int, message: Request | Response) -> Problem:
    """Cut the body to Content-Length (RFC 3261 section 18.3)."""
    values = message.headers.fields.get("Content-Length")
    if values is None:
        message.body = data[begin:]
        return None
    text = values[0]
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        return 400, "Bad Content-Length"
    end = begin + int(text)
    if end > len(data):
        return 400, "Body Shorter Than Content-Length"
    message.body = data[begin:end]
    return None


def _read_head(fields: dict[str, list[str]]) -> Head:
    """Read the mandatory headers (RFC 3261 section 8.1.1); raises `RemoteProtocolError`."""
    try:
        via, cseq, call_id = fields["Via"][0], fields["CSeq"][0], fields["Call-ID"][0]
        from_, to = fields["From"][0], fields["To"][0]
    except LookupError:
        via = cseq = call_id = from_ = to = ""
    if not (via and from_ and to and call_id and cseq):
        missing = next(name for name in _MANDATORY if not any(fields.get(name, ())[:1]))
        raise RemoteProtocolError(400, f"Missing {missing}")
    if not (call_id.isascii() and call_id.isprintable() and " " not in call_id):
        raise RemoteProtocolError(400, "Bad Call-ID")
    number, method = _read_cseq(cseq)
    try:
        top = parse_top_via(via)
    except ValueError as error:
        raise RemoteProtocolError(400, "Bad Via") from error
    return Head(call_id, number, method, tag_of(from_), tag_of(to), top)


@lru_cache(maxsize=1024)
def _read_cseq(value: str) -> tuple[int, str]:
    """Return number and method; few numbers are high."""
    match = _CSEQ.fullmatch(value)
    if match is None or int(match[1]) >= 1 << 31:
        raise RemoteProtocolError(400, "Bad CSeq")
    return int(match[1]), match[2]


def _check(message: Request | Response) -> Problem:
    """Check the mandatory headers once and keep what they say."""
    try:
        head = message.head = _read_head(message.headers.fields)
    except RemoteProtocolError as error:
        return error.status, error.reason
    hops = message.headers.fields.get("Max-Forwards")
    if hops is not None and not (hops[0].isascii() and hops[0].isdigit() and len(hops[0]) <= 5):
        return 400, "Bad Max-Forwards"
    if isinstance(message, Request) and head.method != message.method:
        known = message.method in _METHODS
        return (400, "CSeq Method Mismatch") if known else (501, "Not Implemented")
    return None
