"""SIP and SDP as text, read and written no further than the bench's telephone needs."""

import hashlib
import os
import re
from collections.abc import Sequence

Address = tuple[str, int]

CRLF = "\r\n"
COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
}
_AUTH_FIELD = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_USER = re.compile(r"sips?:([^@;>]+)@")


class Message:
    """A request or response, parsed no further than this phone needs."""

    __slots__ = ("body", "headers", "start")

    def __init__(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace").split(CRLF)
        self.start = lines[0]
        self.body = body.decode("utf-8", "replace")
        self.headers: dict[str, list[str]] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.setdefault(COMPACT.get(name, name), []).append(value.strip())

    def one(self, name: str) -> str:
        """Return the header's first value, or nothing."""
        values = self.headers.get(name)
        return values[0] if values else ""

    @property
    def status(self) -> int:
        """Status code of a response, 0 for a request."""
        return int(self.start[8:11]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """Method of a request, or the one that a response answers."""
        return self.start.split(" ", 1)[0] if not self.status else self.one("cseq").split()[-1]

    @property
    def branch(self) -> str:
        found = re.search(r"branch=([^;,\s]+)", self.one("via"))
        return found[1] if found else ""


def uri_of(value: str) -> str:
    """The URI in a From, To or Contact value."""
    found = re.search(r"<([^>]+)>", value)
    return found[1] if found else value.partition(";")[0].strip()


def user_of(value: str) -> str:
    found = _USER.search(value)
    return found[1] if found else ""


def authorization(challenge: str, user: str, password: str, method: str, uri: str) -> str:
    """Return the value of an Authorization header (:rfc:`2617#section-3.2.2`)."""
    asked = {name.lower(): quoted or bare for name, quoted, bare in _AUTH_FIELD.findall(challenge)}
    realm, nonce = asked.get("realm", ""), asked.get("nonce", "")
    ha1 = md5(f"{user}:{realm}:{password}")
    ha2 = md5(f"{method}:{uri}")
    value = f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}"'
    if "auth" in re.split(r"\s*,\s*", asked.get("qop", "")):
        cnonce = os.urandom(8).hex()
        response = md5(f"{ha1}:{nonce}:00000001:{cnonce}:auth:{ha2}")
        value += f', qop=auth, nc=00000001, cnonce="{cnonce}"'
    else:
        response = md5(f"{ha1}:{nonce}:{ha2}")
    if "opaque" in asked:
        value += f', opaque="{asked["opaque"]}"'
    return f'{value}, response="{response}", algorithm=MD5'


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def md5_challenge(response: Message) -> str:
    """The challenge in a 401 or 407 that this phone can answer."""
    for name in ("www-authenticate", "proxy-authenticate"):
        for value in response.headers.get(name, ()):
            if "algorithm" not in value.lower() or re.search(r'algorithm="?MD5"?(,|\s|$)', value):
                return value
    return ""


def sdp(media: Address) -> str:
    """An audio session with A-law and telephone-event (:rfc:`8866`)."""
    host, port = media
    lines = ["v=0", f"o=bench 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP 8 101", "a=rtpmap:8 PCMA/8000"]
    lines += ["a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:20", "a=sendrecv"]
    return CRLF.join(lines) + CRLF


def media_address(body: str) -> Address | None:
    """Where the session's audio wants to be sent to."""
    connection = re.search(r"^c=IN IP4 (\S+)", body, re.MULTILINE)
    media = re.search(r"^m=audio ([0-9]+) ", body, re.MULTILINE)
    if connection is None or media is None or media[1] == "0":
        return None
    return connection[1], int(media[1])


def octets(lines: Sequence[str], body: str) -> bytes:
    return (CRLF.join([*lines, f"Content-Length: {len(body)}", "", ""]) + body).encode()


REASONS = {180: "Ringing", 200: "OK", 405: "Method Not Allowed", 481: "No Such Call"}


def reply(request: Message, status: int, tag: str, contact: str = "", body: str = "") -> bytes:
    lines = [f"SIP/2.0 {status} {REASONS[status]}"]
    lines += [f"Via: {via}" for via in request.headers.get("via", ())]
    lines += [f"Record-Route: {route}" for route in request.headers.get("record-route", ())]
    to = request.one("to")
    lines += [f"From: {request.one('from')}", f"To: {to};tag={tag}" if tag else f"To: {to}"]
    lines += [f"Call-ID: {request.one('call-id')}", f"CSeq: {request.one('cseq')}"]
    lines += [contact] if contact else []
    lines += ["Content-Type: application/sdp"] if body else []
    return octets(lines, body)
