"""Session descriptions as frozen values (RFC 8866, which replaced RFC 4566).

`parse` and `bytes()` are inverses over what is kept. Kept is what offer and answer need:
origin, name, connection, times, attributes and media. Lines that only describe (`i=`, `u=`,
`e=`, `p=`, `b=`, `k=`, `r=`, `z=`) are read over: a back-to-back user agent writes its own
description and passes nothing on that it does not know.

Tolerated, because phones in the field do it: bare LF as line end, blanks before it, a
missing `s=` or `t=`, session lines in any order after `v=`, IPv6 behind `IP4` and the reverse.
Not tolerated: control characters, digits other than ASCII, anything beyond the bounds below.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from sip.errors import RemoteProtocolError

MAX_MEDIA = 32
"m-lines of one description; RFC 3264 lets them only grow in number."

MAX_LINES = 1024
"Lines of one description: 32 m-lines with 30 attributes each still fit."

MAX_KNOWN = 1024
"Characters of what stands below an m-line, where it is remembered."

MAX_NUMBER_DIGITS = 20
"Session id and version: 64 bits. `int` on unbounded digits costs quadratic time."

SECRET = frozenset({"crypto"})
"Attributes that carry keys (:rfc:`4568`): never shown, and kept no longer than the description."

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"Without LF, which ends lines; the CR before it is gone when this is looked for."
_NO_LINE = re.compile(r"\n(?![A-Za-z]=)")
_BLANKS = re.compile(r"[ \t]+(?=\n)")
_TOKEN = re.compile(r"[^\s:]+")


class SdpError(RemoteProtocolError):
    """The description cannot be used: 488 (Not Acceptable Here), RFC 3261 section 21.4.26."""

    def __init__(self, reason: str) -> None:
        super().__init__(488, reason)


class Origin(NamedTuple):
    """`o=`: who made the description, and which state of it this is."""

    session_id: int

    version: int
    "One more with each change, and only then (:rfc:`3264#section-8`)."

    username: str = "-"

    host: str = ""
    "The creator's address; empty: that of the description's connection."


class Attribute(NamedTuple):
    """`a=name` or `a=name:value`. A tuple, because lists of them are hashed to be remembered."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value}"

    def __repr__(self) -> str:
        """Show all but a key: what is printed for a human may be kept by somebody."""
        value = "..." if self.name in SECRET else self.value
        return f"Attribute(name={self.name!r}, value={value!r})"


class MediaDescription(NamedTuple):
    """One `m=` line with what belongs to it. See :rfc:`8866#section-5.14`."""

    kind: str
    "`audio`, `video`, `image`, ..."

    port: int
    "0: refused or ended (:rfc:`3264#section-6`)."

    profile: str
    "`RTP/AVP`, `RTP/SAVP`, `udptl`, ..., as the peer wrote it."

    formats: tuple[str, ...]
    "Payload types for RTP, in order of preference."

    port_count: int = 1
    "The number after the slash of `49170/2`; 1 where there is none."

    connection: str | None = None
    "The address of a `c=` of its own, with its `/ttl` where it has one."

    attributes: tuple[Attribute, ...] = ()

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of all attributes of this name that have one."""
        return tuple(a.value for a in self.attributes if a.name == name and a.value is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDescription:
    """An offer or an answer."""

    origin: Origin

    name: str = "-"

    connection: str | None = None
    "The address of the session's `c=`."

    times: tuple[str, ...] = ("0 0",)
    "Values of `t=`; an answer repeats those of its offer (:rfc:`3264#section-6`)."

    attributes: tuple[Attribute, ...] = ()

    media: tuple[MediaDescription, ...] = ()

    known: dict[str, object] = field(default_factory=dict, init=False, compare=False, repr=False)
    "What was read out of it, by whoever may want to read it again."

    def __str__(self) -> str:
        origin = self.origin
        owner = origin.host or self.connection or "0.0.0.0"  # noqa: S104 - an empty address
        lines = [
            "v=0",
            f"o={origin.username} {origin.session_id} {origin.version} {_address(owner)}",
            f"s={self.name}",
        ]
        if self.connection is not None:
            lines.append(f"c={_address(self.connection)}")
        lines += [f"t={each}" for each in self.times]
        lines += [f"a={each}" for each in self.attributes]
        for media in self.media:
            lines += _media_lines(media)
        lines.append("")
        return "\r\n".join(lines)

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")

    @classmethod
    def parse(cls, data: bytes) -> "SessionDescription":
        """Read the body of a message; raises `SdpError`."""
        return parse(data)


def parse(data: bytes) -> SessionDescription:
    """Read the body of a message; raises `SdpError`."""
    session, *sections = _text(data).split("\nm=")
    if len(sections) > MAX_MEDIA:
        raise SdpError("too many m-lines")
    fields = _fields(session)
    origin = fields.get("o", ())
    if len(origin) != 1:
        raise SdpError("needs exactly one o=")
    name = fields.get("s", ("",))[0]
    return SessionDescription(
        origin=_parse_origin(origin[0]),
        name=name if name.strip() else "-",
        connection=_parse_connection(fields),
        times=tuple(fields.get("t", ("0 0",))),
        attributes=_attributes(fields),
        media=tuple(map(_parse_media, sections)),
    )


Below = tuple[str | None, tuple[Attribute, ...]]
"Address and attributes of an m-line."


def _text(data: bytes) -> str:
    """Return the body with bare LF between its lines and no blanks before them.

    Only CRLF or LF ends a line. Every line is `type=value`, free of control characters.
    """
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").rstrip("\r\n")
    if text.count("\n") >= MAX_LINES:
        raise SdpError("too many lines")
    if " \n" in text or "\t\n" in text:
        text = _BLANKS.sub("", text)
    text = text.rstrip(" \t")
    if text[:4] not in {"v=0", "v=0\n"}:
        raise SdpError("does not start with v=0")
    if _NO_LINE.search(text):
        raise SdpError("a line is not type=value")
    # The first test is the cheaper one, and nearly always enough.
    if not text.replace("\n", "").isprintable() and _CONTROL.search(text):
        raise SdpError("control character")
    return text


def _fields(text: str) -> dict[str, list[str]]:
    """Return the values of lines by their type."""
    fields: dict[str, list[str]] = {}
    for line in text.split("\n"):
        fields.setdefault(line[:1], []).append(line[2:])
    return fields


def _parse_origin(value: str) -> Origin:
    fields = value.split()
    if len(fields) != 6:
        raise SdpError("o= needs six fields")
    username, session_id, version, _net, _type, host = fields
    return Origin(
        username=username,
        session_id=_number(session_id, 2**64 - 1),
        version=_number(version, 2**64 - 1),
        host=host,
    )


def _parse_connection(fields: dict[str, list[str]]) -> str | None:
    """Return the address of the first `c=`: a repeated one is for multicast."""
    if "c" not in fields:
        return None
    parts = fields["c"][0].split()
    if len(parts) != 3 or parts[0].upper() != "IN":
        raise SdpError("c= is not IN IP4 or IN IP6 with an address")
    return parts[2]


def _parse_media(section: str) -> MediaDescription:
    """Read a section, which begins behind its `m=`."""
    line, _, rest = section.partition("\n")
    parts = line.split()
    if len(parts) < 4:
        raise SdpError("m= needs four fields")
    kind, ports, profile, *formats = parts
    port, slash, count = ports.partition("/")
    connection, attributes = _read_below(rest)
    return MediaDescription(
        kind=kind,
        port=_number(port, 65535),
        port_count=_number(count, 65535) if slash else 1,
        profile=profile,
        formats=tuple(formats),
        connection=connection,
        attributes=attributes,
    )


def _read_below(text: str) -> Below:
    """Read what stands below an m-line. A telephone says the same in each of its calls."""
    if len(text) > MAX_KNOWN or any(f"a={name}" in text for name in SECRET):
        return _parse_below(text)
    return _known_below(text)


def _parse_below(text: str) -> Below:
    fields = _fields(text)
    return _parse_connection(fields), _attributes(fields)


_known_below = lru_cache(maxsize=1024)(_parse_below)


def _attributes(fields: dict[str, list[str]]) -> tuple[Attribute, ...]:
    """Read the `a=` lines; one without a name is of no use and left out."""
    attributes = [_read_attribute(text) for text in fields.get("a", ())]
    return tuple(each for each in attributes if each is not None)


def _read_attribute(text: str) -> Attribute | None:
    name, colon, value = text.partition(":")
    if _TOKEN.fullmatch(name) is None:
        return None
    return Attribute(name=name, value=value if colon else None)


def _number(text: str, highest: int) -> int:
    digits = text.isascii() and text.isdigit() and len(text) <= MAX_NUMBER_DIGITS
    if not digits or int(text) > highest:
        raise SdpError("not a number within its range")
    return int(text)


def _address(host: str) -> str:
    return f"IN {'IP6' if ':' in host else 'IP4'} {host}"


def _media_lines(media: MediaDescription) -> list[str]:
    ports = str(media.port) if media.port_count == 1 else f"{media.port}/{media.port_count}"
    lines = [f"m={media.kind} {ports} {media.profile} {' '.join(media.formats)}"]
    if media.connection is not None:
        lines.append(f"c={_address(media.connection)}")
    lines += [f"a={each}" for each in media.attributes]
    return lines
