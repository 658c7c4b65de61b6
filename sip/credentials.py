"""Digest access authentication, the client's side (RFC 7616, RFC 8760, RFC 3261 section 22).

A challenge is answered for the realms that the account names and for no other, so that a
stranger on the path learns nothing that is worth anything elsewhere; whether whoever challenges
is the one that we have the account with is for the caller to see (`sip/peer.py`).

Each request answers a realm once, and once more where the peer says that the nonce was stale:
with a wrong password a third time would change nothing but the peer's patience. Nothing is sent
ahead of a challenge.

`auth-int` and the `-sess` algorithms are not spoken. Of several challenges for one realm the
first that we can answer is taken, as RFC 8760 section 2.4 has it.
"""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from sip import auth_params
from sip.digest import ALGORITHMS, Algorithm, Ha1, ha1, response_hash
from sip.message import Response

MAX_CHALLENGES: Final = 8
"Header lines of one response that are looked at."

MAX_NONCES: Final = 64
"Nonces whose use is counted; a server that gives the same one again does so at once."

_KINDS: Final = (
    ("WWW-Authenticate", "Authorization"),
    ("Proxy-Authenticate", "Proxy-Authorization"),
)
_CANONICAL: Final[dict[str, Algorithm]] = {name.lower(): name for name in ALGORITHMS}
_QOP: Final = re.compile(r"[^\s,]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a provider gave us."""

    username: str
    password: str = field(repr=False)
    realms: frozenset[str]
    "Whose challenges are answered."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Challenge:
    """One that we can answer."""

    header: str
    "Of the answer."
    realm: str
    nonce: str
    opaque: str | None
    algorithm: Algorithm
    named: bool
    "The challenge says its algorithm, so the answer does."
    qop: bool
    stale: bool

    @property
    def place(self) -> tuple[str, str]:
        """What is answered once: a user agent or a proxy may have the same realm."""
        return self.header, self.realm


class Credentials:
    """One account at work."""

    def __init__(
        self, account: Account, *, cnonce: Callable[[], str] = lambda: secrets.token_hex(8)
    ) -> None:
        self.account = account
        self._cnonce = cnonce
        self._secrets: dict[str, Ha1] = {}
        self._used: dict[tuple[str, str], int] = {}
        "How often each realm's nonce was answered: `nc` may never come twice (section 3.4)."

    def attempt(self) -> "Attempt":
        """Return what answers the challenges of one request."""
        return Attempt(self)

    def authorization(self, challenge: _Challenge, method: str, uri: str) -> tuple[str, str]:
        """Return the header that answers a challenge (:rfc:`7616#section-3.4`)."""
        account, algorithm, nonce = self.account, challenge.algorithm, challenge.nonce
        qop = (f"{self._count(challenge):08x}", self._cnonce()) if challenge.qop else None
        response = response_hash(
            algorithm, self._secret(challenge), method=method, uri=uri, nonce=nonce, qop=qop
        )
        quote = auth_params.quote
        parts = [
            f"username={quote(account.username)}",
            f"realm={quote(challenge.realm)}",
            f"nonce={quote(nonce)}",
            f"uri={quote(uri)}",
            f'response="{response}"',
        ]
        if challenge.named:
            parts.append(f"algorithm={algorithm}")
        if qop is not None:
            parts.append(f'qop=auth, nc={qop[0]}, cnonce="{qop[1]}"')
        if challenge.opaque is not None:
            parts.append(f"opaque={quote(challenge.opaque)}")
        return challenge.header, f"Digest {', '.join(parts)}"

    def _count(self, challenge: _Challenge) -> int:
        key = challenge.realm, challenge.nonce
        count = self._used.pop(key, 0) + 1
        while len(self._used) >= MAX_NONCES:
            del self._used[next(iter(self._used))]
        self._used[key] = count
        return count

    def _secret(self, challenge: _Challenge) -> str:
        realm = challenge.realm
        if realm not in self._secrets:
            # Only realms of the account come here, so this does not grow.
            self._secrets[realm] = ha1(self.account.username, realm, self.account.password)
        stored = self._secrets[realm]
        return stored.md5 if challenge.algorithm == "MD5" else stored.sha256


class Attempt:
    """The answers of one request, over its repetitions."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._answered: dict[tuple[str, str], _Challenge] = {}
        self._again: set[tuple[str, str]] = set()
        "Answered twice."

    def take(self, response: Response) -> bool:
        """Take the challenges of a response; false: none that we answer, it is a refusal."""
        challenges = _challenges(response, self._credentials.account.realms)
        if not challenges or any(self._spent(each) for each in challenges):
            return False
        for each in challenges:
            if each.place in self._answered:
                self._again.add(each.place)
            self._answered[each.place] = each
        return True

    def headers(self, method: str, uri: str) -> tuple[tuple[str, str], ...]:
        """Return what answers all challenges so far, for a request that is sent again.

        `uri`: the Request-URI. Several proxies on the way may each have challenged
        (:rfc:`3261#section-22.3`).
        """
        return tuple(
            self._credentials.authorization(each, method, uri) for each in self._answered.values()
        )

    def answer(self, response: Response, method: str, uri: str) -> tuple[tuple[str, str], ...]:
        """Return the headers with which to send the request again; none: it is refused."""
        return self.headers(method, uri) if self.take(response) else ()

    def _spent(self, challenge: _Challenge) -> bool:
        place = challenge.place
        return place in self._answered and (not challenge.stale or place in self._again)


VOUCHING: Final = frozenset(answering for _, answering in _KINDS)
"Names of the headers that answer."


def vouching(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return those headers of a request that answer challenges."""
    return tuple(header for header in headers if header[0] in VOUCHING)


def asked_realms(response: Response) -> tuple[str, ...]:
    """Return the realms of all challenges, for the log: an operator has to know them."""
    return tuple(dict.fromkeys(parameters.get("realm", "") for _, parameters in _read(response)))


def _challenges(response: Response, realms: frozenset[str]) -> list[_Challenge]:
    """Return the challenges to answer, one for each place."""
    chosen: dict[tuple[str, str], _Challenge] = {}
    for header, parameters in _read(response):
        challenge = _challenge(header, parameters)
        if challenge is not None and challenge.realm in realms:
            chosen.setdefault(challenge.place, challenge)
    return list(chosen.values())


def _read(response: Response) -> Iterable[tuple[str, dict[str, str]]]:
    """Give the parameters of each digest challenge and the name of the header that answers it."""
    for asking, answering in _KINDS:
        for value in response.headers.getlist(asking)[:MAX_CHALLENGES]:
            try:
                scheme, parameters = auth_params.parse(value)
            except auth_params.AuthParamsError:
                continue
            if scheme == "digest":
                yield answering, parameters


def _challenge(header: str, parameters: dict[str, str]) -> _Challenge | None:
    """Read a challenge; None where we can't answer it."""
    algorithm = _CANONICAL.get(parameters.get("algorithm", "MD5").lower())
    qop = parameters.get("qop")
    options = [each.lower() for each in _QOP.findall(qop)] if qop is not None else []
    if algorithm is None or not parameters.get("nonce") or (options and "auth" not in options):
        return None
    return _Challenge(
        header=header,
        realm=parameters.get("realm", ""),
        nonce=parameters["nonce"],
        opaque=parameters.get("opaque"),
        algorithm=algorithm,
        named="algorithm" in parameters,
        qop=bool(options),
        stale=parameters.get("stale", "").lower() == "true",
    )
