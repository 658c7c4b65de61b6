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

from sip.errors import RemoteProtocolError

MAX_MEDIA = 32
"m-lines of one description; RFC 3264 lets them only grow in number."

MAX_LINES = 1024
"Lines of one description: 32 m-lines with 30 attributes each still fit."

MAX_NUMBER_DIGITS = 20
"Session id and version: 64 bits. `int` on unbounded digits costs quadratic time."

SECRET = frozenset({"crypto"})
"Attributes that carry keys (:rfc:`4568`): never shown, and kept no longer than the description."

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"Without LF, which ends lines; the CR before it is gone when this is looked for."
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_TOKEN = re.compile(r"[^\s:]+")


class SdpError(RemoteProtocolError):
    """The description cannot be used: 488 (Not Acceptable Here), RFC 3261 section 21.4.26."""

    def __init__(self, reason: str) -> None:
        super().__init__(488, reason)


@dataclass(frozen=True, slots=True)
class Origin:
    """`o=`: who made the description, and which state of it this is."""

    session_id: int

    version: int
    "One more with each change, and only then (:rfc:`3264#section-8`)."

    username: str = "-"

    host: str = ""
    "The creator's address; empty: that of the description's connection."


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """`a=name` or `a=name:value`."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value}"

    def __repr__(self) -> str:
        """Show all but a key: what is printed for a human may be kept by somebody."""
        value = "..." if self.name in SECRET else self.value
        return f"Attribute(name={self.name!r}, value={value!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDescription:
    """One `m=` line with what belongs to it. See :rfc:`8866#section-5.14`."""

    kind: str
    "`audio`, `video`, `image`, ..."

    port: int
    "0: refused or ended (:rfc:`3264#section-6`)."

    port_count: int = 1
    "The number after the slash of `49170/2`; 1 where there is none."

    profile: str
    "`RTP/AVP`, `RTP/SAVP`, `udptl`, ..., as the peer wrote it."

    formats: tuple[str, ...]
    "Payload types for RTP, in order of preference."

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
        lines.extend(f"t={each}" for each in self.times)
        lines.extend(f"a={each}" for each in self.attributes)
        for media in self.media:
            lines.extend(_media_lines(media))
        return "".join(f"{line}\r\n" for line in lines)

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")

    @classmethod
    def parse(cls, data: bytes) -> "SessionDescription":
        """Read the body of a message; raises `SdpError`."""
        return parse(data)


def parse(data: bytes) -> SessionDescription:
    """Read the body of a message; raises `SdpError`."""
    session, *sections = _sections(_lines(data))
    if len(sections) > MAX_MEDIA:
        raise SdpError("too many m-lines")
    origin = _parse_origin(_single(session, "o"))
    connection = _optional(session, "c")
    name = _optional(session, "s")
    return SessionDescription(
        origin=origin,
        name=name if name and name.strip() else "-",
        connection=None if connection is None else _parse_connection(connection),
        times=tuple(value for kind, value in session if kind == "t") or ("0 0",),
        attributes=_attributes(session),
        media=tuple(_parse_media(section) for section in sections),
    )


Line = tuple[str, str]
'Type and value: `("c", "IN IP4 192.0.2.1")`.'


def _lines(data: bytes) -> list[Line]:
    """Cut the body into lines, blanks at their ends dropped. Only CRLF or LF ends one."""
    text = data.decode("utf-8", "surrogateescape")
    lines = [line.removesuffix("\r").rstrip(" \t") for line in text.rstrip("\r\n").split("\n")]
    if len(lines) > MAX_LINES:
        raise SdpError("too many lines")
    if lines[0] != "v=0":
        raise SdpError("does not start with v=0")
    for line in lines:
        if line[1:2] != "=" or not line[0].isascii() or not line[0].isalpha():
            raise SdpError("a line is not type=value")
    if _CONTROL.search("\n".join(lines)):
        raise SdpError("control character")
    return [(line[0], line[2:]) for line in lines]


def _sections(lines: list[Line]) -> list[list[Line]]:
    """Return the session's lines, and those of each media description after them."""
    sections: list[list[Line]] = [[]]
    for line in lines:
        if line[0] == "m":
            sections.append([])
        sections[-1].append(line)
    return sections


def _optional(section: list[Line], kind: str) -> str | None:
    """Return the value of the first line of this type: a repeated `c=` is for multicast."""
    return next((value for each, value in section if each == kind), None)


def _single(section: list[Line], kind: str) -> str:
    values = [value for each, value in section if each == kind]
    if len(values) != 1:
        raise SdpError(f"needs exactly one {kind}=")
    return values[0]


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


def _parse_connection(value: str) -> str:
    fields = value.split()
    if len(fields) != 3 or fields[0].upper() != "IN":
        raise SdpError("c= is not IN IP4 or IN IP6 with an address")
    return fields[2]


def _parse_media(section: list[Line]) -> MediaDescription:
    fields = section[0][1].split()
    if len(fields) < 4:
        raise SdpError("m= needs four fields")
    kind, ports, profile, *formats = fields
    port, slash, count = ports.partition("/")
    connection = _optional(section, "c")
    return MediaDescription(
        kind=kind,
        port=_number(port, 65535),
        port_count=_number(count, 65535) if slash else 1,
        profile=profile,
        formats=tuple(formats),
        connection=None if connection is None else _parse_connection(connection),
        attributes=_attributes(section),
    )


def _attributes(section: list[Line]) -> tuple[Attribute, ...]:
    """Read the `a=` lines; one without a name is of no use and left out."""
    attributes = [_attribute(text) for kind, text in section if kind == "a"]
    return tuple(each for each in attributes if each is not None)


def _attribute(text: str) -> Attribute | None:
    """Read what stands after `a=`. A telephone says the same in each of its calls."""
    if text.partition(":")[0] in SECRET:
        return _read_attribute(text)
    return _known_attribute(text)


def _read_attribute(text: str) -> Attribute | None:
    name, colon, value = text.partition(":")
    if _TOKEN.fullmatch(name) is None:
        return None
    return Attribute(name=name, value=value if colon else None)


_known_attribute = lru_cache(maxsize=1024)(_read_attribute)


def _number(text: str, highest: int) -> int:
    if not _DIGITS.fullmatch(text) or len(text) > MAX_NUMBER_DIGITS or int(text) > highest:
        raise SdpError("not a number within its range")
    return int(text)


def _address(host: str) -> str:
    return f"IN {'IP6' if ':' in host else 'IP4'} {host}"


def _media_lines(media: MediaDescription) -> list[str]:
    ports = str(media.port) if media.port_count == 1 else f"{media.port}/{media.port_count}"
    lines = [f"m={media.kind} {ports} {media.profile} {' '.join(media.formats)}"]
    if media.connection is not None:
        lines.append(f"c={_address(media.connection)}")
    lines.extend(f"a={each}" for each in media.attributes)
    return lines
