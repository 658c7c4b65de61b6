"""What stands about SRTP in an offer or an answer, taken off and put on (:rfc:`4568`).

`offer_answer.py` knows plain RTP only. So a description that comes is *read*: the audio line
that we go on with becomes a plain one, and what it said about keys is returned beside it. A
description that goes out is *dressed*: its audio line gets the secure profile and its keys.

Peers spell a wish for SRTP in two ways: a secure profile (`RTP/SAVP`: SRTP or nothing), or the
plain one with keys (SRTP if you can, plain RTP if not). RFC 4568 knows the first only; the
second is what telephones mean by "optional".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sip.audio_stream import USABLE_PROFILES, NoCommonCodec, audio_index
from sip.media_lines import in_place
from sip.sdes import Crypto, read
from sip.sdp import Attribute, MediaDescription, SdpError, SessionDescription

PLAIN_PROFILES = {"RTP/SAVP": "RTP/AVP", "RTP/SAVPF": "RTP/AVPF"}
SECURE_PROFILES = {plain: secure for secure, plain in PLAIN_PROFILES.items()}


class Srtp(StrEnum):
    """What is wanted of a peer."""

    OFF = "off"
    OPTIONAL = "optional"
    "SRTP with who can do it, plain RTP with the others."
    REQUIRED = "required"
    "SRTP or no call."


class SrtpRequired(SdpError):  # noqa: N818 - the name says what is wrong, not that it is
    """The peer must use SRTP and doesn't, or not in a way that we could follow: 488."""

    def __init__(self, reason: str = "SRTP is required") -> None:
        super().__init__(reason)


class NoUsableKey(SdpError):  # noqa: N818 - the name says what is wrong, not that it is
    """The peer wants SRTP, and none of its keys or suites is of use to us: 488."""

    def __init__(self, reason: str = "no usable key for SRTP") -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMedia:
    """A description of the peer, for `offer_answer.py`."""

    session: SessionDescription
    "Its audio line is plain; audio lines that we pass over have port 0."

    index: int
    "Of the audio line."

    profile: str
    "Of that line, as the peer wrote it."

    crypto: tuple[Crypto, ...]
    "Keys that it offers or answers; none: plain RTP."


def read_media(session: SessionDescription, wanted: Srtp) -> ReadMedia:
    """Choose the audio line that fits best with what is wanted of the peer.

    Raises `SrtpRequired` where it must not be plain RTP and is, `NoUsableKey` where it must be
    SRTP and can't, and another `SdpError` where there is no line that we could use.
    """
    if wanted is Srtp.OFF and len(session.media) == 1 and _is_plain(session.media[0]):
        # As nearly all are: it stays as it is, with what is known of it.
        return ReadMedia(session=session, index=0, profile=session.media[0].profile, crypto=())
    lines = [(index, m) for index, m in enumerate(session.media) if m.kind == "audio" and m.port]
    secure = [] if wanted is Srtp.OFF else [each for each in lines if _keys(each[1])]
    plain = [each for each in lines if each[1].profile.upper() in USABLE_PROFILES]
    if secure:
        index, media = secure[0]
        return _read(session, index, _keys(media))
    if plain and wanted is not Srtp.REQUIRED:
        return _read(session, plain[0][0], ())
    if plain:
        raise SrtpRequired
    if lines and wanted is not Srtp.OFF:
        raise NoUsableKey
    if any(media.profile.upper() in PLAIN_PROFILES for _, media in lines):
        raise NoUsableKey("SRTP is not switched on here")
    # Says what is wrong: no audio, or a profile that is not supported.
    return _read(session, audio_index(session), ())


def read_answer(session: SessionDescription, wanted: Srtp) -> ReadMedia:
    """Read an answer to an offer of ours that was made as `wanted` says.

    One that accepts a secure profile and names no key can mean plain RTP only: there are
    telephones that repeat a profile which they don't know. It is taken for that where SRTP is
    optional.
    """
    try:
        return read_media(session, wanted)
    except NoUsableKey:
        if wanted is not Srtp.OPTIONAL:
            raise
    return _read(session, _first_audio(session), ())


def as_plain(session: SessionDescription) -> SessionDescription:
    """Return the description without a word of SRTP, whatever is wanted of the peer."""
    return _read(session, _first_audio(session), ()).session


def profile_of(session: SessionDescription) -> str:
    """Return the profile of the audio line of a plain description."""
    return session.media[audio_index(session)].profile


def dressed(
    session: SessionDescription, profile: str, crypto: Sequence[Crypto]
) -> SessionDescription:
    """Return a description of ours with this profile and these keys on its audio line."""
    index = audio_index(session)
    media = session.media[index]
    keys = tuple(Attribute(name="crypto", value=str(each)) for each in crypto)
    line = media._replace(profile=profile, attributes=(*media.attributes, *keys))
    return replace(session, media=in_place(session.media, index, line))


def _keys(media: MediaDescription) -> tuple[Crypto, ...]:
    """Return the usable keys of a line for RTP."""
    profile = media.profile.upper()
    usable = profile in PLAIN_PROFILES or profile in USABLE_PROFILES
    return read(media.values("crypto")) if usable else ()


def _first_audio(session: SessionDescription) -> int:
    """Return the place of the first line for RTP, plain or secure."""
    for index, media in enumerate(session.media):
        profile = media.profile.upper()
        known = profile in PLAIN_PROFILES or profile in USABLE_PROFILES
        if media.kind == "audio" and media.port and known:
            return index
    raise NoCommonCodec("no audio by RTP")


def _read(session: SessionDescription, index: int, crypto: tuple[Crypto, ...]) -> ReadMedia:
    profile = session.media[index].profile
    media = tuple(
        _plain_line(each)
        if place == index
        else each._replace(port=0)
        if each.kind == "audio"
        else each
        for place, each in enumerate(session.media)
    )
    return ReadMedia(
        session=replace(session, media=media), index=index, profile=profile, crypto=crypto
    )


def _is_plain(media: MediaDescription) -> bool:
    """Tell whether a line is for RTP, in use, and without a word of SRTP."""
    if media.kind != "audio" or not media.port or media.profile.upper() not in USABLE_PROFILES:
        return False
    return "crypto" not in [each.name for each in media.attributes]


def _plain_line(media: MediaDescription) -> MediaDescription:
    profile = media.profile.upper()
    kept = tuple(each for each in media.attributes if each.name != "crypto")
    return media._replace(profile=PLAIN_PROFILES.get(profile, media.profile), attributes=kept)
