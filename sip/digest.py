"""Digest access authentication, the server's side (RFC 7616, RFC 8760, RFC 3261 section 22).

A challenge keeps nothing: the nonce is a time, a serial number and a keyed hash over both
together with the realm and the host that asked, so that a flood of unauthenticated requests
costs no memory and a nonce that was seen on the wire is worth nothing from another address.
Only a nonce that a *correct* response came with is remembered, for its `nc` and for the rule
that a nonce without `qop` serves one INVITE.

We diverge from RFC 7616 on purpose:

- `uri` is taken as the client wrote it and not compared with the Request-URI. Phones write
  another one there (pyVoIP always the server's, with `;transport=UDP`).
- A response without `qop` (RFC 2069) is accepted where the caller allows it. Without it there
  is no `nc`, so such a nonce is valid once for INVITE, and for the rest as long as it lives.
- `auth-int` and the `-sess` algorithms are neither offered nor accepted.

An unknown user, an account that doesn't allow the algorithm and a wrong password take the same
steps: one hash over the same fields and one comparison in constant time.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from sip import auth_params
from sip.nonce import NonceMint, UsedNonces, microseconds

Algorithm = Literal["MD5", "SHA-256"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
"In the order in which they are offered: cheap phones read only the first challenge."

LIFETIME_S = 30.0
"How long a nonce serves; a phone that comes later gets `stale=true` and does not ask its user."

LIFETIME_WITHOUT_QOP_S = 60.0
"Never longer than this without `nc`, whatever the lifetime is set to."

MAX_REMEMBERED = 65_536
"Nonces with a correct response, about 200 octets each; beyond it: `UsedNonces.remember`."

_NC = re.compile(r"[0-9a-fA-F]{8}", re.ASCII)
_HASHES: dict[Algorithm, Callable[[bytes], str]] = {
    # RFC 8760 keeps MD5 because phones know nothing else; it is no choice of ours.
    "MD5": lambda octets: hashlib.md5(octets, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda octets: hashlib.sha256(octets).hexdigest(),
}
_CANONICAL: dict[str, Algorithm] = {name.lower(): name for name in ALGORITHMS}


class Reason(StrEnum):
    """Why a request is refused. For the log: the peer must not learn it."""

    NO_CREDENTIALS = "no credentials for this realm"
    MALFORMED = "malformed credentials"
    UNSUPPORTED = "unsupported scheme, algorithm or qop"
    NO_QOP = "no qop, which is required here"
    FOREIGN_NONCE = "nonce is not ours, or was given to another host"
    UNKNOWN_USER = "unknown user"
    ALGORITHM_NOT_ALLOWED = "algorithm not allowed for this account"
    WRONG_PASSWORD = "wrong password"  # noqa: S105 - a reason, not a password


@dataclass(frozen=True, slots=True, kw_only=True)
class Ha1:
    """What is stored of a password: H(username:realm:password) for both algorithms."""

    md5: str
    "32 hexadecimal digits; empty where none is stored, which refuses MD5."

    sha256: str
    "64 hexadecimal digits; empty where none is stored, which refuses SHA-256."

    algorithms: tuple[Algorithm, ...] = ALGORITHMS
    """What the account accepts; `("SHA-256",)` is `sha256-only`.

    It is decided here and not by what was offered, so that somebody on the path who strips
    the stronger challenge gains nothing.
    """

    def stored(self, algorithm: Algorithm) -> str | None:
        """Return the hash for `algorithm`, None where the account does not accept it."""
        if algorithm not in self.algorithms:
            return None
        # An empty string must not become a secret that everybody knows.
        return (self.md5 if algorithm == "MD5" else self.sha256).lower() or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The request comes from somebody who knows the password of `username`."""

    username: str
    algorithm: Algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A correct response under a nonce of ours that has expired or is used up.

    Challenge again with `stale=True`. It is no failed attempt.
    """

    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Challenge again, in the same words as a request without credentials."""

    reason: Reason
    username: str = ""

    @property
    def counts(self) -> bool:
        """Tell whether this was a guess at a password from an address that is not spoofed.

        Only then may a throttle or a ban count it: it answers a nonce that we sent there.
        """
        return self.reason in _GUESSES


_GUESSES = frozenset({Reason.UNKNOWN_USER, Reason.ALGORITHM_NOT_ALLOWED, Reason.WRONG_PASSWORD})

Verdict = Verified | Stale | Rejected


def ha1(username: str, realm: str, password: str) -> Ha1:
    """Hash a password for storing. See :rfc:`7616#section-3.4.2`."""
    secret = f"{username}:{realm}:{password}".encode()
    return Ha1(md5=_HASHES["MD5"](secret), sha256=_HASHES["SHA-256"](secret))


def response_hash(
    algorithm: Algorithm,
    stored: str,
    *,
    method: str,
    uri: str,
    nonce: str,
    qop: tuple[str, str] | None = None,
) -> str:
    """Compute `response` (:rfc:`7616#section-3.4.1`), without `qop` as RFC 2069 did.

    `stored` is H(A1); `qop` is the pair (`nc`, `cnonce`) for `qop=auth`.
    """
    digest = _HASHES[algorithm]
    ha2 = digest(_octets(f"{method}:{uri}"))
    middle = "" if qop is None else f"{qop[0]}:{qop[1]}:auth:"
    return digest(_octets(f"{stored}:{nonce}:{middle}{ha2}"))


class Challenger:
    """Makes challenges for one realm and verifies what comes back.

    `secret` is random and made anew at each start: the memory of used nonces is not stored,
    so a nonce from before a restart must not be taken for ours.
    """

    def __init__(
        self,
        realm: str,
        secret: bytes,
        lifetime_s: float = LIFETIME_S,
        *,
        max_remembered: int = MAX_REMEMBERED,
    ) -> None:
        self.realm = realm
        key = hashlib.sha256(secret + realm.encode()).digest()
        self._mint = NonceMint(key)
        self._lifetime_s = lifetime_s
        self._used = UsedNonces(max_remembered)
        self._decoy = {name: _HASHES[name](key + b"decoy") for name in ALGORITHMS}

    def challenge(
        self,
        source_host: str,
        now: float,
        algorithms: Sequence[Algorithm] = ALGORITHMS,
        *,
        stale: bool = False,
    ) -> tuple[tuple[str, str], ...]:
        """Return one WWW-Authenticate header per algorithm, all with the same new nonce.

        Who asks for fewer `algorithms` for some accounts only tells a stranger that these
        accounts exist; `Ha1.algorithms` is enforced either way.
        """
        nonce = self._mint.issue(source_host, now)
        tail = ", stale=true" if stale else ""
        realm = auth_params.quote(self.realm)
        return tuple(
            (
                "WWW-Authenticate",
                f'Digest realm={realm}, nonce="{nonce}", algorithm={name}, qop="auth"{tail}',
            )
            for name in algorithms
        )

    def select(self, values: Sequence[str]) -> str | None:
        """Return the first of several Authorization headers that is for our realm."""
        for value in values:
            try:
                scheme, parameters = auth_params.parse(value)
            except auth_params.AuthParamsError:
                continue
            if scheme == "digest" and parameters.get("realm") == self.realm:
                return value
        return None

    def verify(
        self,
        authorization_value: str,
        method: str,
        source_host: str,
        now: float,
        lookup: Callable[[str], Ha1 | None],
        *,
        allow_no_qop: bool = True,
    ) -> Verdict:
        """Judge the value of one Authorization header.

        `lookup` must cost the same for a known and an unknown username (a dictionary).
        """
        credentials = _read(authorization_value, self.realm, allow_no_qop=allow_no_qop)
        if isinstance(credentials, Reason):
            return Rejected(reason=credentials)
        username = credentials.username
        issued_at = self._mint.issued_at(credentials.nonce, source_host)
        if issued_at is None:
            # Said before any account is looked up: the same for every user.
            return Rejected(reason=Reason.FOREIGN_NONCE, username=username)
        account = lookup(username)
        stored = account.stored(credentials.algorithm) if account else None
        expected = credentials.expected(stored or self._decoy[credentials.algorithm], method)
        correct = hmac.compare_digest(expected.encode(), credentials.response.encode())
        failure = _failure(account, stored, correct=correct)
        if failure is not None:
            return Rejected(reason=failure, username=username)
        if not self._usable(credentials, method, issued_at, microseconds(now)):
            return Stale(username=username)
        return Verified(username=username, algorithm=credentials.algorithm)

    def _usable(self, credentials: "_Credentials", method: str, issued_at: int, now: int) -> bool:
        """Take a nonce with its correct response into use; False where it is stale."""
        lifetime_s = self._lifetime_s
        if credentials.qop is None:
            lifetime_s = min(lifetime_s, LIFETIME_WITHOUT_QOP_S)
        # A nonce "from the future" cannot be of this run of the clock.
        if not 0 <= now - issued_at <= microseconds(lifetime_s):
            return False
        self._used.forget_before(now - microseconds(self._lifetime_s))
        if credentials.qop is not None:
            count = int(credentials.qop[0], 16)
            return self._used.remember(credentials.nonce, issued_at, count)
        if method == "INVITE":
            return self._used.remember(credentials.nonce, issued_at, 1)
        return self._used.reaches(issued_at)


def _failure(account: Ha1 | None, stored: str | None, *, correct: bool) -> Reason | None:
    if account is None:
        return Reason.UNKNOWN_USER
    if stored is None:
        return Reason.ALGORITHM_NOT_ALLOWED
    return None if correct else Reason.WRONG_PASSWORD


@dataclass(frozen=True, slots=True, kw_only=True)
class _Credentials:
    """An Authorization value that follows the rules so far."""

    username: str
    nonce: str
    uri: str
    response: str
    algorithm: Algorithm
    qop: tuple[str, str] | None
    "`nc` and `cnonce`."

    def expected(self, stored: str, method: str) -> str:
        return response_hash(
            self.algorithm, stored, method=method, uri=self.uri, nonce=self.nonce, qop=self.qop
        )


def _read(value: str, realm: str, *, allow_no_qop: bool) -> _Credentials | Reason:
    """Read an Authorization value, or say what is wrong with it."""
    try:
        value.encode("utf-8", "surrogateescape")
        scheme, parameters = auth_params.parse(value)
    except ValueError:
        return Reason.MALFORMED
    algorithm = _CANONICAL.get(parameters.get("algorithm", "MD5").lower())
    if scheme != "digest" or algorithm is None:
        return Reason.UNSUPPORTED
    if parameters.get("realm") != realm:
        return Reason.NO_CREDENTIALS
    if any(not parameters.get(name) for name in ("username", "nonce", "uri", "response")):
        return Reason.MALFORMED
    qop = _read_qop(parameters, allow_no_qop=allow_no_qop)
    if isinstance(qop, Reason):
        return qop
    return _Credentials(
        username=parameters["username"],
        nonce=parameters["nonce"],
        uri=parameters["uri"],
        response=parameters["response"].lower().encode("ascii", "replace").decode(),
        algorithm=algorithm,
        qop=qop,
    )


def _read_qop(parameters: dict[str, str], *, allow_no_qop: bool) -> tuple[str, str] | Reason | None:
    qop = parameters.get("qop")
    if qop is None:
        return None if allow_no_qop else Reason.NO_QOP
    if qop.lower() != "auth":
        return Reason.UNSUPPORTED
    count, cnonce = parameters.get("nc", ""), parameters.get("cnonce", "")
    if not _NC.fullmatch(count) or not cnonce:
        return Reason.MALFORMED
    return count, cnonce


def _octets(text: str) -> bytes:
    """Return the octets that the peer hashed: header text is UTF-8 with odd bytes escaped."""
    return text.encode("utf-8", "surrogateescape")
