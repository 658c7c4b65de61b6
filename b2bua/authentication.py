"""Who may ask for what: the gate that stands before any transaction.

`Endpoint` asks `Gate.authorize` for every request outside a dialog. What is refused costs one
stateless reply. Known, unknown and disabled users get the same challenge and the same answer.
A trunk is known by its address, and nobody at that address is an extension.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from b2bua.directory import Directory, Extension
from b2bua.trunks.trunk import Trunk, Trunks
from sip.address import Flow
from sip.digest import Algorithm, Challenger, Ha1, Stale, Verified
from sip.events import Authorized, Refused
from sip.message import Request

logger = logging.getLogger("b2bua.authentication")

ALLOW_IN_CALLS = ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "INFO", "OPTIONS", "REFER")
SUPPORTED = ("100rel", "timer", "replaces", "norefersub")
"Extensions of SIP that we speak, and that a peer may require."
ALLOW = ", ".join((*ALLOW_IN_CALLS, "REGISTER", "SUBSCRIBE"))

KNOWN_METHODS = frozenset(
    {"MESSAGE", "NOTIFY", "PUBLISH", "REFER", "INFO", "UPDATE", "PRACK", "BYE"}
)
"Methods that exist but that nobody may use here outside a dialog: 405 rather than 501."


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A request that needs no identity (OPTIONS to the server itself)."""


class Gate:
    """Challenges phones and tells which extension a request is from."""

    def __init__(
        self,
        *,
        challenger: Challenger,
        directory: Directory,
        trunks: Trunks,
        algorithms: tuple[Algorithm, ...],
        allow_no_qop: bool,
        accepting: Callable[[], bool],
    ) -> None:
        self._challenger = challenger
        self._directory = directory
        self._trunks = trunks
        self._algorithms = algorithms
        self._allow_no_qop = allow_no_qop
        self._accepting = accepting

    def authorize(self, request: Request, flow: Flow, now: float) -> Authorized | Refused:
        """Return the identity behind a request, or the one reply that it gets."""
        if request.uri.scheme not in {"sip", "sips"}:
            return Refused(416, "Unsupported URI Scheme")
        if request.method == "OPTIONS" and not request.uri.user:
            return Authorized(Anonymous())
        if request.method not in {"INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE"}:
            return _not_here(request.method)
        if not self._accepting():
            return Refused(503, "Service Unavailable", (("Retry-After", "10"),))
        trunk = self._trunks.find(flow, request.uri.user or "")
        if trunk is not None:
            return _as_trunk(request, trunk)
        return self._authenticate(request, flow, now)

    def _authenticate(self, request: Request, flow: Flow, now: float) -> Authorized | Refused:
        host = flow.remote.host
        values = request.headers.getlist("Authorization")
        for value in values[:4]:
            result = self._challenger.verify(
                value,
                request.method,
                host,
                now,
                self._lookup,
                allow_no_qop=self._allow_no_qop,
            )
            if isinstance(result, Verified):
                extension = self._directory.get(result.username)
                if extension is not None:
                    return _own_address_only(request, extension)
            elif isinstance(result, Stale):
                return self._challenge(host, now, stale=True)
            else:
                logger.info(
                    "digest refused",
                    extra={"source": str(flow.remote), "reason": result.reason},
                )
        return self._challenge(host, now, stale=False)

    def _lookup(self, username: str) -> Ha1 | None:
        extension = self._directory.get(username)
        return extension.ha1 if extension is not None else None

    def _challenge(self, host: str, now: float, *, stale: bool) -> Refused:
        headers = self._challenger.challenge(host, now, self._algorithms, stale=stale)
        return Refused(401, "Unauthorized", headers)


def _own_address_only(request: Request, extension: Extension) -> Authorized | Refused:
    """Let a phone register its own number only (:rfc:`3261#section-10.3`, step 3)."""
    if request.method == "REGISTER" and request.to_address.uri.user != extension.number:
        return Refused(403, "Forbidden")
    return Authorized(extension)


def _as_trunk(request: Request, trunk: Trunk) -> Authorized | Refused:
    """Let a trunk call and ask whether we live; it has nothing to register or watch here."""
    if request.method in {"REGISTER", "SUBSCRIBE"}:
        return Refused(403, "Forbidden")
    return Authorized(trunk, trunk)


def _not_here(method: str) -> Refused:
    if method in KNOWN_METHODS:
        return Refused(405, "Method Not Allowed", (("Allow", ALLOW),))
    return Refused(501, "Not Implemented", (("Allow", ALLOW),))
