"""Nonces that need no memory until somebody has answered one correctly.

A nonce is a time, a serial number and a keyed hash over both together with the host that
asked. Times are whole microseconds of the caller's clock, so that no rounding makes a nonce
older or younger than it is.
"""

import base64
import hashlib
import hmac
import struct

_TIME_AND_SERIAL = struct.Struct(">Q3s")
# 16 octets of BLAKE2b with a key (RFC 7693, section 2.9); OpenSSL looks up the hash of each HMAC
# anew, 25 us in a busy server. With the 11 octets in front the nonce is 27 octets, which base64
# writes in 36 characters without padding.
_MAC_OCTETS = 16


def microseconds(seconds: float) -> int:
    """Return whole microseconds, rounded down."""
    return max(0, int(seconds * 1_000_000))


class NonceMint:
    """Makes nonces and recognises them."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._serial = 0

    def issue(self, source_host: str, now: float) -> str:
        """Return a nonce that was never given before, for `source_host` only."""
        self._serial = (self._serial + 1) % (1 << 24)
        stamp = _TIME_AND_SERIAL.pack(microseconds(now), self._serial.to_bytes(3, "big"))
        return base64.urlsafe_b64encode(stamp + self._mac(stamp, source_host)).decode()

    def issued_at(self, nonce: str, source_host: str) -> int | None:
        """Return when we gave `nonce` to `source_host` (microseconds), None if we never did."""
        try:
            octets = base64.b64decode(nonce.encode("ascii"), altchars=b"-_", validate=True)
        except ValueError:
            return None
        stamp, mac = octets[: _TIME_AND_SERIAL.size], octets[_TIME_AND_SERIAL.size :]
        genuine = hmac.compare_digest(self._mac(stamp, source_host), mac)
        # A decoder takes `+` and `/` for `-` and `_` too; the memory knows one spelling.
        if not genuine or base64.urlsafe_b64encode(octets).decode() != nonce:
            return None
        issued_at: int = _TIME_AND_SERIAL.unpack(stamp)[0]
        return issued_at

    def _mac(self, stamp: bytes, source_host: str) -> bytes:
        octets = stamp + source_host.encode()
        return hashlib.blake2b(octets, key=self._key, digest_size=_MAC_OCTETS).digest()


class UsedNonces:
    """The highest `nc` of each nonce that a correct response came with, bounded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: dict[str, tuple[int, int]] = {}
        self._floor = -1

    def __len__(self) -> int:
        return len(self._counts)

    def reaches(self, issued_at: int) -> bool:
        """Tell whether this memory goes back to nonces of `issued_at`."""
        return issued_at > self._floor

    def remember(self, nonce: str, issued_at: int, count: int) -> bool:
        """Take note of `count`; False if it is not above the last one of this nonce.

        Beyond the limit the entry that came first goes, and with it every nonce of its age
        or older becomes stale: a full memory costs round trips and never allows a replay.
        """
        if not self.reaches(issued_at) or count <= self._counts.get(nonce, (0, 0))[1]:
            return False
        if nonce not in self._counts and len(self._counts) >= self._limit:
            first = next(iter(self._counts))
            self._floor = max(self._floor, self._counts.pop(first)[0])
            if not self.reaches(issued_at):
                return False
        self._counts[nonce] = (issued_at, count)
        return True

    def forget_before(self, expired: int) -> None:
        """Drop entries from the front that were issued before `expired`.

        Entries lie in the order of their first use, which is nearly that of their age; what
        hides behind a younger one waits for it, at most one lifetime.
        """
        while self._counts:
            nonce = next(iter(self._counts))
            if self._counts[nonce][0] >= expired:
                return
            del self._counts[nonce]
