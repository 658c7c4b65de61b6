"""The m-lines that we write: one for audio, and those of the peer that we refuse beside it."""

from functools import lru_cache

from sip.address import HostPort
from sip.audio_stream import Direction, read_wishes
from sip.payload import NAMING, Payload, write_payloads
from sip.sdp import Attribute, MediaDescription

Lines = tuple[MediaDescription, ...]


def audio_line(
    payloads: tuple[Payload, ...],
    local: HostPort,
    direction: Direction,
    source: MediaDescription | None,
    *,
    profile: str = "RTP/AVP",
) -> MediaDescription:
    """Write our audio line; the packet times are those of `source`."""
    wishes = read_wishes(source) if source is not None else None
    times = (wishes.ptime_ms, wishes.maxptime_ms) if wishes is not None else (None, None)
    return MediaDescription(
        kind="audio",
        port=local.port,
        profile=profile,
        formats=_formats(payloads),
        attributes=_below_audio_line(payloads, direction, *times),
    )


def with_payloads(media: MediaDescription, payloads: tuple[Payload, ...]) -> MediaDescription:
    """Return an audio line with other payload types."""
    kept = [each for each in media.attributes if each.name not in NAMING]
    return media._replace(formats=_formats(payloads), attributes=(*write_payloads(payloads), *kept))


@lru_cache(maxsize=256)
def _formats(payloads: tuple[Payload, ...]) -> tuple[str, ...]:
    return tuple(str(each.payload_type) for each in payloads)


@lru_cache(maxsize=256)
def _below_audio_line(
    payloads: tuple[Payload, ...],
    direction: Direction,
    ptime_ms: int | None,
    maxptime_ms: int | None,
) -> tuple[Attribute, ...]:
    times = [
        Attribute(name=name, value=str(value))
        for name, value in (("ptime", ptime_ms), ("maxptime", maxptime_ms))
        if value is not None
    ]
    return (*write_payloads(payloads), *times, Attribute(name=direction))


def in_place(others: Lines, index: int, line: MediaDescription) -> Lines:
    """Return the m-lines with another one at `index`."""
    return (*others[:index], line, *others[index + 1 :])


def alone_in_place(others: Lines, index: int, line: MediaDescription) -> Lines:
    """Return the m-lines with another one at `index`, and all others refused."""
    if len(others) == 1:
        return (line,)
    return in_place(tuple(_refused(each) for each in others), index, line)


def _refused(media: MediaDescription) -> MediaDescription:
    """Return the m-line with port 0. The formats mean nothing, but one must be there."""
    return MediaDescription(
        kind=media.kind, port=0, profile=media.profile, formats=media.formats[:1]
    )
