"""STUN as a life sign: what RFC 5626 section 4.4.2 sends over the port of SIP (RFC 5389).

Only Binding requests are answered, with the address from which they came: that is how a device
notices that its NAT has given it another one. There is no authentication, and nothing is kept.
"""

import struct
import zlib
from ipaddress import IPv6Address, ip_address
from typing import Final

from sip.address import HostPort

MAGIC_COOKIE: Final = 0x2112A442
"In the place where no SIP message can have it: the first octet of STUN is no text."

BINDING_REQUEST: Final = 0x0001
BINDING_RESPONSE: Final = 0x0101

XOR_MAPPED_ADDRESS: Final = 0x0020
FINGERPRINT: Final = 0x8028
_FINGERPRINT_XOR: Final = 0x5354554E

_HEADER: Final = struct.Struct(">HHI12s")
_ATTRIBUTE: Final = struct.Struct(">HH")


def is_stun(data: bytes) -> bool:
    """Tell whether a datagram is STUN: the two top bits are 0, and the cookie stands there."""
    return len(data) >= _HEADER.size and data[0] < 0x40 and data[4:8] == b"\x21\x12\xa4\x42"


def answer(data: bytes, source: HostPort) -> bytes | None:
    """Return the response to a Binding request; None for all else. See :rfc:`5389#section-7.3.1`.

    A request with attributes that we would have to understand (all below 0x8000) gets none:
    nobody sends them here.
    """
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    body = data[_HEADER.size :]
    if (kind, cookie) != (BINDING_REQUEST, MAGIC_COOKIE) or length != len(body) or length % 4:
        return None
    kinds = _attributes(body)
    if kinds is None or any(each < 0x8000 for each in kinds):
        return None
    mapped = _mapped(source, transaction)
    attribute = _ATTRIBUTE.pack(XOR_MAPPED_ADDRESS, len(mapped)) + mapped
    if FINGERPRINT not in kinds:
        return _HEADER.pack(BINDING_RESPONSE, len(attribute), cookie, transaction) + attribute
    # Who sends one wants one (:rfc:`5389#section-15.5`): 8 octets, counted in the length.
    head = _HEADER.pack(BINDING_RESPONSE, len(attribute) + 8, cookie, transaction) + attribute
    check = zlib.crc32(head) ^ _FINGERPRINT_XOR
    return head + _ATTRIBUTE.pack(FINGERPRINT, 4) + struct.pack(">I", check)


def _attributes(body: bytes) -> list[int] | None:
    """Return the types of the attributes; None where they don't fit."""
    kinds, place = [], 0
    while place < len(body):
        if place + _ATTRIBUTE.size > len(body):
            return None
        kind, length = _ATTRIBUTE.unpack_from(body, place)
        place += _ATTRIBUTE.size + (length + 3) // 4 * 4
        kinds.append(kind)
    return kinds if place == len(body) else None


def _mapped(source: HostPort, transaction: bytes) -> bytes:
    """Return an address, made unrecognisable for helpful NATs."""
    address = ip_address(source.host.partition("%")[0])
    family = 2 if isinstance(address, IPv6Address) else 1
    mask = struct.pack(">I", MAGIC_COOKIE) + transaction
    hidden = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    return struct.pack(">xBH", family, source.port ^ MAGIC_COOKIE >> 16) + hidden
