"""How media goes between us and one peer: what it is told, and whom its leg listens to."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from b2bua.addresses import Addresses
from b2bua.calls.party import Party
from b2bua.media.messages import LatchMode
from b2bua.settings.media import LatchChoice, MediaConfig
from sip.address import Flow


@dataclass(frozen=True, slots=True)
class MediaWay:
    """The way between us and one peer."""

    host: str
    "Ours, as the peer is told it."
    latch: LatchChoice = "exact"
    signalling: str = ""
    "The address that the peer's signalling comes from."

    def latch_at(self, host: str) -> LatchMode:
        """Return which sources the leg may take, where the peer says that it is at `host`.

        A private address of somebody who comes from a public one is behind a NAT.
        """
        if self.latch != "auto":
            return self.latch
        hidden = ip_address(host).is_private and not ip_address(self.signalling).is_private
        return "nat" if hidden else "exact"


class MediaWays:
    """The ways to all peers."""

    def __init__(self, settings: MediaConfig, addresses: Addresses) -> None:
        self._latch = settings.latch
        self._latches: Mapping[str, LatchChoice] = settings.latches
        self._addresses = addresses

    @property
    def bind(self) -> str:
        """Where legs are bound: see `AllocateLeg`."""
        return self._addresses.media_bind

    def to(self, party: Party, flow: Flow) -> MediaWay:
        """Return the way to a party who is at the other end of a flow."""
        peer = flow.remote.host
        return MediaWay(
            self._addresses.host_for(peer, flow.local.host), self._latch_of(party), peer
        )

    def _latch_of(self, party: Party) -> LatchChoice:
        if party.trunk is not None:
            return party.trunk.settings.latch
        return self._latches.get(party.number, self._latch)
