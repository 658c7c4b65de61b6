"""How media goes between us and one peer: where, from whom, and whether it is encrypted.

A key in SDP is as secret as the signalling that carries it, so SRTP is for those who speak TLS
with us, and for others only where the operator says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address

from b2bua.addresses import Addresses
from b2bua.calls.party import Party
from b2bua.media.to_worker import LatchMode
from b2bua.settings.media import LatchChoice, MediaConfig
from rtp.srtp import is_available
from sip.address import Flow, is_unspecified
from sip.sdp import SdpError
from sip.secure_media import Srtp


@dataclass(frozen=True, slots=True)
class MediaWay:
    """The way between us and one peer."""

    host: str
    "Ours, as the peer is told it."
    latch: LatchChoice = "exact"
    signalling: str = ""
    "The address that the peer's signalling comes from."
    srtp: Srtp = Srtp.OFF
    unkeyed: str = ""
    "Why there can't be keys, where SRTP is required all the same."
    other_host: str = ""
    "Ours in the other family; empty: we have none."

    def towards(self, host: str) -> "MediaWay":
        """Return the way to a peer that offers media at `host`: in the family of that.

        A telephone may signal in one family and have its media in another (RFC 6157). Raises
        `SdpError` where we don't have it.
        """
        if not host or is_unspecified(host) or (":" in host) == (":" in self.host):
            return self
        if not self.other_host:
            raise SdpError("no address in the family of the media")
        return replace(self, host=self.other_host, other_host=self.host)

    @property
    def plain(self) -> "MediaWay":
        """The same way, with nothing wanted of SRTP."""
        if self.srtp is Srtp.OFF and not self.unkeyed:
            return self
        return replace(self, srtp=Srtp.OFF, unkeyed="")

    def latch_at(self, host: str) -> LatchMode:
        """Return which sources the leg may take, where the peer says that it is at `host`.

        A private address of somebody who comes from a public one is behind a NAT.
        """
        if self.latch != "auto":
            return self.latch
        hidden = _is_private(host) and not _is_private(self.signalling)
        return "nat" if hidden else "exact"


@lru_cache(maxsize=1024)
def _is_private(host: str) -> bool:
    return ip_address(host).is_private


class MediaWays:
    """The ways to all peers."""

    def __init__(self, settings: MediaConfig, addresses: Addresses) -> None:
        self._latch = settings.latch
        self._latches: Mapping[str, LatchChoice] = settings.latches
        self._srtp = settings.srtp
        self._srtp_without_tls = settings.srtp_without_tls
        self._srtp_installed = is_available()
        self._addresses = addresses

    @property
    def bind(self) -> str:
        """Where legs are bound: see `OfferPorts`."""
        return self._addresses.media_bind

    def to(self, party: Party, flow: Flow, *, emergency: bool = False) -> MediaWay:
        """Return the way to a party who is at the other end of a flow.

        `emergency`: the call must not fail because SRTP is required.
        """
        peer = flow.remote.host
        srtp, unkeyed = self._srtp_of(party, flow, emergency=emergency)
        return MediaWay(
            self._addresses.host_for(peer, flow.local.host),
            self._latch_of(party),
            peer,
            srtp,
            unkeyed,
            self._addresses.other_host_for(peer),
        )

    def _srtp_of(self, party: Party, flow: Flow, *, emergency: bool) -> tuple[Srtp, str]:
        """Return what is wanted, and why that is impossible where it is."""
        wanted = self._wanted_of(party)
        if emergency and wanted is Srtp.REQUIRED:
            wanted = Srtp.OPTIONAL
        if wanted is Srtp.OFF:
            return wanted, ""
        if not self._srtp_installed:
            why_not = "SRTP is required and not installed here"
        elif flow.transport != "TLS" and not self._srtp_without_tls:
            why_not = "SRTP is required, and its keys need TLS"
        else:
            return wanted, ""
        return (wanted, why_not) if wanted is Srtp.REQUIRED else (Srtp.OFF, "")

    def _wanted_of(self, party: Party) -> Srtp:
        own = None
        if party.extension is not None:
            own = party.extension.srtp
        elif party.trunk is not None:
            own = party.trunk.settings.srtp
        return self._srtp if own is None else own

    def _latch_of(self, party: Party) -> LatchChoice:
        if party.trunk is not None:
            return party.trunk.settings.latch
        return self._latches.get(party.number, self._latch)
