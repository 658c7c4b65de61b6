"""Keys for SRTP in a session description: `a=crypto` (SDES, :rfc:`4568`).

    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:BASE64|2^20|1:4 WSH=128
             tag suite                 key and salt, lifetime, MKI, session parameters

Each side says with which key *it* encrypts. The answer takes one line of the offer: it repeats
its tag and suite, and has a key of its own.

A line that we can't honour to the letter is as if it were not there (section 6.3.7 wants that
of unknown parameters): what asks for less than encryption and authentication of both RTP and
RTCP, a key derivation rate, several keys at once. Lifetimes are checked and not acted on; the
peer is the one to change its key (by a new offer), and 2^31 packets are a year and more.

Keys are never part of a text that might be logged: see `Inline`.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

KEY_OCTETS: Final = {
    "AEAD_AES_256_GCM": 32 + 12,
    "AEAD_AES_128_GCM": 16 + 12,
    "AES_CM_128_HMAC_SHA1_80": 16 + 14,
    "AES_CM_128_HMAC_SHA1_32": 16 + 14,
}
"Suites that we know (:rfc:`4568#section-6.2`, :rfc:`7714#section-14`), octets of key and salt."

OFFERED: Final = ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM", "AEAD_AES_128_GCM")
"""What we offer. The one that every phone knows stands first: some look at the first line only.
The suite with 32 bits of tag is not among them, but taken where a phone has nothing better.
"""

WEAK: Final = frozenset({"AES_CM_128_HMAC_SHA1_32"})

MAX_LINES: Final = 16
"Crypto lines of one m-line that are looked at."

MAX_PACKETS: Final = 2**48
"Under one key (:rfc:`3711#section-9.2`); SRTCP's 2^31 is the shorter lifetime in practice."

_LINE = re.compile(
    r"(0|[1-9][0-9]{0,8})[ \t]+([A-Za-z0-9_]{1,64})[ \t]+(\S+)((?:[ \t]+\S+)*)", re.ASCII
)
_INLINE = re.compile(
    r"inline:([A-Za-z0-9+/]{1,128})={0,2}"
    r"(?:\|(?:2\^([0-9]{1,2})|([1-9][0-9]{0,15})))?"
    r"(?:\|([0-9]{1,310}):([1-9][0-9]{0,2}))?",
    re.ASCII | re.IGNORECASE,
)
_WINDOW = re.compile(r"-?WSH=[0-9]{1,5}", re.ASCII)
"The peer's hint for the replay window; ours is wide enough for all of them (128 packets)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """A key as its owner gives it to the other side."""

    key: bytes = field(repr=False)
    "Master key and salt."

    mki: bytes = b""
    "Stands in each packet before its tag (:rfc:`3711#section-3.1`); empty: in none."

    def __str__(self) -> str:
        mki = f"|{int.from_bytes(self.mki, 'big')}:{len(self.mki)}" if self.mki else ""
        return f"inline:{base64.b64encode(self.key).decode('ascii')}{mki}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crypto:
    """One `a=crypto` line."""

    tag: int
    suite: str
    inline: Inline

    def __str__(self) -> str:
        return f"{self.tag} {self.suite} {self.inline}"


def parse(value: str) -> Crypto | None:
    """Read what stands after `a=crypto:`; None for a line that we can't honour."""
    line = _LINE.fullmatch(value.strip(" \t"))
    if line is None or line[2].upper() not in KEY_OCTETS:
        return None
    suite = line[2].upper()
    inline = _parse_inline(line[3], KEY_OCTETS[suite])
    parameters = line[4].split()
    if inline is None or not all(_is_harmless(each) for each in parameters):
        return None
    return Crypto(tag=int(line[1]), suite=suite, inline=inline)


def _is_harmless(parameter: str) -> bool:
    """Tell whether a session parameter may be passed over (:rfc:`4568#section-6.3`)."""
    if _WINDOW.fullmatch(parameter) or parameter.upper() == "KDR=0":
        return True
    # Optional extensions begin with a minus sign.
    return parameter.startswith("-")


def _parse_inline(text: str, octets: int) -> Inline | None:
    match = _INLINE.fullmatch(text)
    if match is None:
        return None
    try:
        # Some leave the padding away.
        key = base64.b64decode(match[1] + "=" * (-len(match[1]) % 4), validate=True)
    except binascii.Error:
        return None
    if len(key) != octets or not _is_lifetime(match[2], match[3]):
        return None
    if match[4] is None:
        return Inline(key=key)
    value, length = int(match[4]), int(match[5])
    if length > 128 or value >= 1 << 8 * length:
        return None
    return Inline(key=key, mki=value.to_bytes(length, "big"))


def _is_lifetime(power: str | None, number: str | None) -> bool:
    """Tell whether a lifetime is possible; none given means the longest."""
    if power is not None:
        return int(power) <= 48
    return number is None or int(number) <= MAX_PACKETS


def read(values: Iterable[str]) -> tuple[Crypto, ...]:
    """Return the usable ones of all crypto lines of an m-line, in order; a tag counts once."""
    found: dict[int, Crypto] = {}
    for value in tuple(values)[:MAX_LINES]:
        crypto = parse(value)
        if crypto is not None:
            found.setdefault(crypto.tag, crypto)
    return tuple(found.values())


def choose(offered: Iterable[Crypto]) -> Crypto | None:
    """Return the line of an offer that we take: its first, one with a long tag if it has any."""
    lines = tuple(offered)
    strong = [line for line in lines if line.suite not in WEAK]
    return next(iter((*strong, *lines)), None)


def fresh(tag: int, suite: str) -> Crypto:
    """Return a line with a new key of ours."""
    return Crypto(tag=tag, suite=suite, inline=Inline(key=secrets.token_bytes(KEY_OCTETS[suite])))
