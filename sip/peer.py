"""Whom we know by other signs than a dialog: a provider with its addresses and our account."""

from typing import Protocol

from sip.credentials import Attempt, Credentials
from sip.message import Response


class Peer(Protocol):
    """One of them."""

    @property
    def credentials(self) -> Credentials | None:
        """What its challenges are answered with; None: with nothing."""

    def is_at(self, host: str) -> bool:
        """Tell whether a numeric address is one of its own."""


def attempt_for(peer: Peer | None) -> Attempt | None:
    """Return what answers the challenges of one request to a peer."""
    credentials = peer.credentials if peer is not None else None
    return credentials.attempt() if credentials is not None else None


def may_answer(peer: Peer | None, response: Response) -> bool:
    """Tell whether a response challenges us on behalf of the peer that we have an account with.

    The response has to come from an address of its own: that it fits a transaction of ours says
    only that somebody has seen the request.
    """
    if peer is None or peer.credentials is None or response.code not in {401, 407}:
        return False
    return response.source is not None and peer.is_at(response.source.host)
