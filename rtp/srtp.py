"""SRTP and SRTCP of one leg: what comes is opened before anything looks at it, what goes is sealed.

The arithmetic is libsrtp (extra `srtp`), looked for when the first leg needs it. This file is
what stands around it (:rfc:`3711`, :rfc:`7714`):

- Nothing of a packet is believed before its tag is right: no source, no SSRC, no digit. What
  does not pass is counted and forgotten, however much of it there is.
- One key, one session. A key that a renegotiation leaves as it was keeps its session, so the
  rollover counter goes on and no index is used twice. A new key of the peer begins at zero, as
  telephones do it (:rfc:`3711#section-3.3.1` would let the counter go on); what the old one
  has sealed is taken until the first packet that the new one has.
- A packet that we have sealed is never sealed again with other words: libsrtp refuses a number
  that was used. A duplicate of the far side is thus not passed on.
- An MKI of the peer is checked and cut off here; the library's Python face knows none. We send
  none ourselves.

Each packet is copied into the library and out of it, some 2 µs each way. Plain legs pay nothing:
what is called per packet is chosen when keys are agreed on.
"""

import importlib
import importlib.util
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol, cast

from rtp.fast_path import Receive, Send
from rtp.header import HEADER_SIZE
from rtp.statistics import NO_SSRC, Drops

MODULE: Final = "pylibsrtp"

PROFILES: Final = {
    "AES_CM_128_HMAC_SHA1_80": "SRTP_PROFILE_AES128_CM_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32": "SRTP_PROFILE_AES128_CM_SHA1_32",
    "AEAD_AES_128_GCM": "SRTP_PROFILE_AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM": "SRTP_PROFILE_AEAD_AES_256_GCM",
}
"Suites, as SDP and as the library name them."

TAG_OCTETS: Final = {
    "AES_CM_128_HMAC_SHA1_80": 10,
    "AES_CM_128_HMAC_SHA1_32": 4,
    # The tag is part of the ciphertext, and the MKI stands behind it (RFC 7714, section 13).
    "AEAD_AES_128_GCM": 0,
    "AEAD_AES_256_GCM": 0,
}
"Octets behind the MKI of an SRTP packet."

RTCP_TAG_OCTETS: Final = {**TAG_OCTETS, "AES_CM_128_HMAC_SHA1_32": 10}
"The short tag is for RTP only (:rfc:`4568#section-6.2.2`)."

MAX_STREAMS: Final = 256
"""SSRCs of one peer under one key; each costs memory as long as the key lasts. A telephone
begins a new one with a re-INVITE, not with a packet.
"""

_SSRC: Final = struct.Struct("!8xI")


class SrtpUnavailableError(Exception):
    """The extra `srtp` is not installed, or has not this suite."""


class ForgedError(BlockingIOError):
    """A packet was not let in, and was counted: to whoever reads it is as if none had come."""


class NotSealedError(OSError):
    """A packet could not be sealed, and so must not be sent."""


class _Session(Protocol):
    """What we use of `pylibsrtp.Session`."""

    def protect(self, packet: bytes) -> bytes: ...
    def protect_rtcp(self, packet: bytes) -> bytes: ...
    def unprotect(self, packet: bytes) -> bytes: ...
    def unprotect_rtcp(self, packet: bytes) -> bytes: ...
    def remove_stream(self, ssrc: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterKey:
    """With what one side seals."""

    suite: str
    "As :rfc:`4568` and :rfc:`7714` name it."
    key: bytes = field(repr=False)
    "Master key and salt."
    mki: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Both directions of a leg."""

    ours: MasterKey
    theirs: MasterKey


def is_available() -> bool:
    """Tell whether the extra `srtp` is installed; does not load it."""
    return importlib.util.find_spec(MODULE) is not None


class Sealer:
    """Our side: seals what we send."""

    __slots__ = ("_session", "key")

    def __init__(self, key: MasterKey) -> None:
        self.key = key
        self._session = _session(key, inbound=False)

    def rtp(self, packet: memoryview | bytes) -> bytes:
        """Return the packet as it may be sent; raises `NotSealedError`."""
        return _call(self._session.protect, packet)

    def rtcp(self, packet: bytes) -> bytes:
        """Return the compound as it may be sent; raises `NotSealedError`."""
        return _call(self._session.protect_rtcp, packet)

    def sending(self, send: Send) -> Send:
        """Return what seals before it calls `send`."""
        seal = self.rtp

        def send_sealed(packet: memoryview) -> object:
            return send(memoryview(seal(packet)))

        return send_sealed


class Opener:
    """The peer's side: opens what comes, or counts why not."""

    __slots__ = ("_drops", "_former", "_newest_ssrc", "_session", "_ssrcs", "key")

    def __init__(self, key: MasterKey, drops: Drops, former: "Opener | None" = None) -> None:
        """`former`: with the peer's last key, of which packets may still be under way."""
        self.key = key
        self._drops = drops
        self._former = former
        self._session = _session(key, inbound=True)
        self._newest_ssrc = NO_SSRC
        self._ssrcs: set[int] = set()
        if former is not None:
            former.forget_former()

    def forget_former(self) -> None:
        """Take nothing any more under the key before this one."""
        self._former = None

    def receiving(self, receive: Receive) -> Receive:
        """Return what opens what `receive` has read into its buffer."""
        open_in = self.open_in

        def receive_opened(buffer: bytearray) -> int:
            return open_in(buffer, receive(buffer))

        return receive_opened

    def open_in(self, buffer: bytearray, length: int) -> int:
        """Open the packet at the head of the buffer, where it is; return its new length.

        Raises `ForgedError`.
        """
        plain = self._open(bytes(memoryview(buffer)[:length]), rtcp=False)
        opened = len(plain)
        buffer[:opened] = plain
        return opened

    def rtcp(self, packet: bytes) -> bytes:
        """Return the compound in the clear; raises `ForgedError`."""
        return self._open(packet, rtcp=True)

    def _open(self, packet: bytes, *, rtcp: bool) -> bytes:
        if not b"\x80" <= packet[:1] <= b"\xbf":
            # STUN, or a few octets to keep a NAT open: as little RTP as it is on plain legs.
            self._count("malformed", rtcp=rtcp)
            raise ForgedError
        try:
            plain = self._unprotect(packet, rtcp=rtcp)
        except (_error(), ValueError) as error:
            if self._former is not None:
                return self._former._open(packet, rtcp=rtcp)  # noqa: SLF001 - one of us
            what = "replayed" if str(error).startswith("replay") else "forged"
            self._count(what, rtcp=rtcp)
            raise ForgedError from None
        self._former = None
        return plain

    def _count(self, what: str, *, rtcp: bool) -> None:
        name = "rtcp" if rtcp else what
        setattr(self._drops, name, getattr(self._drops, name) + 1)

    def _unprotect(self, packet: bytes, *, rtcp: bool) -> bytes:
        if self.key.mki:
            packet = self._without_mki(packet, rtcp=rtcp)
        if rtcp:
            return self._session.unprotect_rtcp(packet)
        plain = self._session.unprotect(packet)
        (ssrc,) = _SSRC.unpack_from(plain)
        if ssrc != self._newest_ssrc:
            self._begins(ssrc)
        return plain

    def _without_mki(self, packet: bytes, *, rtcp: bool) -> bytes:
        mki = self.key.mki
        tag = (RTCP_TAG_OCTETS if rtcp else TAG_OCTETS)[self.key.suite]
        end = len(packet) - tag
        start = end - len(mki)
        if start < HEADER_SIZE or packet[start:end] != mki:
            raise ValueError("another MKI")
        return packet[:start] + packet[end:]

    def _begins(self, ssrc: int) -> None:
        """Note an SSRC; raises `ValueError` for one too many."""
        if ssrc not in self._ssrcs and len(self._ssrcs) >= MAX_STREAMS:
            self._session.remove_stream(ssrc)
            raise ValueError("too many SSRCs")
        self._ssrcs.add(ssrc)
        self._newest_ssrc = ssrc


class Lock:
    """Both directions of a leg, from one agreement to the next."""

    __slots__ = ("opener", "sealer")

    def __init__(self, keys: Keys, drops: Drops, before: "Lock | None" = None) -> None:
        """Take over from `before` what the new agreement leaves as it was.

        Raises `SrtpUnavailableError`.
        """
        self.sealer: Sealer
        self.opener: Opener
        if before is not None and before.sealer.key == keys.ours:
            self.sealer = before.sealer
        else:
            self.sealer = Sealer(keys.ours)
        if before is not None and before.opener.key == keys.theirs:
            self.opener = before.opener
        else:
            self.opener = Opener(keys.theirs, drops, before.opener if before else None)

    def fits(self, keys: Keys) -> bool:
        """Tell whether an agreement changes nothing."""
        return (self.sealer.key, self.opener.key) == (keys.ours, keys.theirs)


def _call(seal: Callable[[bytes], bytes], packet: memoryview | bytes) -> bytes:
    try:
        return seal(bytes(packet))
    except (_error(), ValueError) as error:
        raise NotSealedError(str(error)) from None


@cache
def _error() -> type[Exception]:
    """Return what the library raises."""
    error: type[Exception] = importlib.import_module(MODULE).Error
    return error


def _session(key: MasterKey, *, inbound: bool) -> _Session:
    if not is_available():
        raise SrtpUnavailableError("SRTP needs the extra `srtp` (pylibsrtp)")
    if key.suite not in PROFILES:
        raise SrtpUnavailableError(f"there is no suite {key.suite}")
    library: Any = importlib.import_module(MODULE)
    policy = library.Policy(
        key=key.key,
        ssrc_type=getattr(library.Policy, "SSRC_ANY_INBOUND" if inbound else "SSRC_ANY_OUTBOUND"),
        srtp_profile=getattr(library.Policy, PROFILES[key.suite]),
    )
    return cast("_Session", library.Session(policy))
