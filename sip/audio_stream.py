"""What one side of a leg says about its audio: the m-line that we use, read into a value."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

from sip.address import HostPort
from sip.payload import Payload, read_payloads
from sip.sdp import Attribute, MediaDescription, SdpError, SessionDescription

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

SENDS: dict[Direction, bool] = {
    "sendrecv": True,
    "sendonly": True,
    "recvonly": False,
    "inactive": False,
}
RECEIVES: dict[Direction, bool] = {
    "sendrecv": True,
    "sendonly": False,
    "recvonly": True,
    "inactive": False,
}
DIRECTION: dict[tuple[bool, bool], Direction] = {
    (SENDS[each], RECEIVES[each]): each for each in get_args(Direction)
}

USABLE_PROFILES = frozenset({"RTP/AVP", "RTP/AVPF"})
"SRTP (`SAVP`, `SAVPF`) is not among them: such an offer gets 488."

_WISHES = frozenset({"ptime", "maxptime", "rtcp", *get_args(Direction)})

_PACKET_TIME = re.compile(r"[ \t]*([1-9][0-9]{0,2})(?:\.[0-9]*)?[ \t]*", re.ASCII)

_RTCP = re.compile(r"[ \t]*([1-9][0-9]{0,4})(?: +IN +IP[46] +([^ \t]+))?[ \t]*", re.ASCII)


class NoCommonCodec(SdpError):  # noqa: N818 - the name says what is wrong, not that it is
    """The two sides have no codec in common, or none that we may touch: 488."""

    def __init__(self, reason: str = "no common codec") -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioStream:
    """What one side of a leg says about its audio."""

    remote: HostPort
    "Where it wants to receive. On an old-style hold the address is 0.0.0.0 or ::."

    payloads: tuple[Payload, ...]

    ptime_ms: int | None = None
    "Its wish for the length of a packet; None: not said, which means 20 (RFC 3551)."

    direction: Direction = "sendrecv"
    "From its own point of view, an old-style hold (`c=0.0.0.0`) counted in."

    profile: str = "RTP/AVP"

    rtcp_port: int = 0
    "Where it wants RTCP, if it says so (:rfc:`3605`); 0: one above RTP."

    @property
    def held(self) -> bool:
        """Whether it wants no media: `sendonly`, `inactive` or `c=0.0.0.0`."""
        return not RECEIVES[self.direction]

    def incoming(self) -> dict[int, Payload]:
        """Return the payload types that may arrive from this side: see `incoming_payloads`."""
        return incoming_payloads(self.payloads)


def incoming_payloads(payloads: tuple[Payload, ...]) -> dict[int, Payload]:
    """Return the payload types that may arrive from a side.

    These are the numbers of our own description. Peers that use their own numbers in both
    directions are common, so those count as well where they are not taken.
    """
    ours = {
        each.payload_type if each.receive_type is None else each.receive_type: each
        for each in payloads
    }
    theirs = {each.payload_type: each for each in payloads}
    return theirs | ours


def audio_stream(session: SessionDescription) -> AudioStream:
    """Read the one m-line that we use; raises `SdpError` where there is none.

    See :rfc:`3264#section-5.1`, and :rfc:`3264#section-8.4` for both spellings of hold.
    """
    known = session.known.get("audio")
    if isinstance(known, AudioStream):
        return known
    stream = session.known["audio"] = _audio_stream(session)
    return stream


def _audio_stream(session: SessionDescription) -> AudioStream:
    media = session.media[audio_index(session)]
    payloads = read_payloads(media)
    if not any(each.is_codec for each in payloads):
        raise NoCommonCodec("no codec with a name")
    host, unspecified = _address(media.connection or session.connection)
    said = read_wishes(media)
    direction = written_direction(session, media)
    if unspecified:
        direction = DIRECTION[SENDS[direction], False]
    return AudioStream(
        remote=HostPort(host, media.port),
        payloads=payloads,
        ptime_ms=said.ptime_ms,
        direction=direction,
        profile=media.profile,
        rtcp_port=_rtcp_port(said.rtcp, host),
    )


def audio_index(session: SessionDescription) -> int:
    """Return the place of the first audio line that is neither refused nor encrypted."""
    unusable = ""
    for index, media in enumerate(session.media):
        if media.kind == "audio" and media.port:
            if media.profile in USABLE_PROFILES or media.profile.upper() in USABLE_PROFILES:
                return index
            unusable = unusable or media.profile
    if not unusable:
        raise SdpError("no audio")
    raise NoCommonCodec(f"profile {unusable} is not supported")


def written_direction(session: SessionDescription, media: MediaDescription) -> Direction:
    """Return the direction of the m-line, else that of the session, else `sendrecv`."""
    return read_wishes(media).direction or _direction(session.attributes) or "sendrecv"


class Wishes(NamedTuple):
    """What an m-line says beside its codecs."""

    ptime_ms: int | None
    "None: nothing that is the length of a packet."
    maxptime_ms: int | None
    direction: Direction | None
    rtcp: tuple[str, ...]


def read_wishes(media: MediaDescription) -> Wishes:
    """Read the attributes of an m-line that are about its packets."""
    return _wishes(tuple([each for each in media.attributes if each.name in _WISHES]))


@lru_cache(maxsize=256)
def _wishes(attributes: tuple[Attribute, ...]) -> Wishes:
    return Wishes(
        ptime_ms=_packet_time(attributes, "ptime"),
        maxptime_ms=_packet_time(attributes, "maxptime"),
        direction=_direction(attributes),
        rtcp=tuple(each.value for each in attributes if each.name == "rtcp" and each.value),
    )


def _direction(attributes: tuple[Attribute, ...]) -> Direction | None:
    """Return the direction that is among them, the most open one of several."""
    named = {each.name for each in attributes}
    found: list[Direction] = [each for each in get_args(Direction) if each in named]
    return found[0] if found else None


def _packet_time(attributes: tuple[Attribute, ...], name: str) -> int | None:
    """Return whole milliseconds; what is no length of a packet is as if it were not there."""
    for each in attributes:
        if each.name == name and (match := _PACKET_TIME.fullmatch(each.value or "")):
            return int(match[1])
    return None


def _rtcp_port(values: tuple[str, ...], host: str) -> int:
    """Return the port of `a=rtcp`; one at another address than RTP's is as if it were not there."""
    for value in values:
        match = _RTCP.fullmatch(value)
        if match and int(match[1]) < 0x10000 and match[2] in (None, host):
            return int(match[1])
    return 0


@lru_cache(maxsize=256)
def _address(host: str | None) -> tuple[str, bool]:
    """Return the address of a `c=`, and whether it is none: numeric and unicast.

    Nothing is resolved here.
    """
    if host is None:
        raise SdpError("no c=")
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise SdpError("c= is not a numeric unicast address") from error
    if address.is_multicast or "%" in host:
        raise SdpError("c= is not a numeric unicast address")
    return str(address), address.is_unspecified
