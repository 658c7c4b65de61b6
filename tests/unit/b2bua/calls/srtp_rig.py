"""Telephones with SRTP: what they say, what they are told, and which keys the worker gets."""

from dataclasses import replace

from b2bua.directory import Extension
from b2bua.media.to_worker import SetRemote, SrtpKeys
from sip import sdes
from sip.events import InviteOffered
from sip.sdes import Crypto, fresh
from sip.sdp import SessionDescription
from sip.secure_media import Srtp
from tests.unit.b2bua.calls.call_rig import House, extension
from tests.unit.b2bua.calls.phone import Phone, sdp

CM_80, CM_32, GCM = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_256_GCM"

WITHOUT_TLS = "[media]\nsrtp_without_tls = true\nmax_transcoded = 0\n"


def own(number: str, srtp: Srtp | None = None, mode: str = "off") -> Extension:
    return replace(extension(number, mode), srtp=srtp)


def secure(
    host: str, *keys: Crypto, profile: str = "RTP/SAVP", version: int = 1, direction: str = ""
) -> bytes:
    """A description with keys."""
    lines = "".join(f"a=crypto:{each}\r\n" for each in keys)
    plain = sdp(host, version=version, direction=direction or "sendrecv").decode()
    return (plain.replace("RTP/AVP", profile) + lines).encode()


def said(body: bytes) -> tuple[str, dict[int, Crypto]]:
    """Profile and keys of a description."""
    media = SessionDescription.parse(body).media[0]
    return media.profile, {each.tag: each for each in sdes.read(media.values("crypto"))}


def version(body: bytes) -> int:
    return SessionDescription.parse(body).origin.version


def keys(house: House, leg: int) -> SrtpKeys | None:
    """What the worker was told last of a leg."""
    return [m.srtp for m in house.plane.of(SetRemote) if m.leg_id == leg][-1]


def assert_keys(found: SrtpKeys | None, ours: Crypto, theirs: Crypto) -> None:
    assert found is not None
    assert (found.ours.suite, found.ours.key) == (ours.suite, ours.inline.key)
    assert (found.theirs.suite, found.theirs.key) == (theirs.suite, theirs.inline.key)


async def answer(phone: Phone, offered: InviteOffered, suite: str = CM_80) -> tuple[Crypto, Crypto]:
    """Answer an offer with SRTP; returns the server's line and the phone's."""
    profile, lines = said(offered.request.body)
    theirs = next(each for each in lines.values() if each.suite == suite)
    mine = fresh(theirs.tag, suite)
    phone.answer(offered, secure(phone.host, mine, profile=profile))
    return theirs, mine
