"""Which of our addresses others are told."""

import ipaddress
import socket

from b2bua.settings.sip import SipConfig
from b2bua.settings.values import is_wildcard


def advertised_host(config: SipConfig) -> str:
    """Return the host in Via, Contact and SDP: as configured, or found out."""
    if config.advertise != "auto":
        return str(ipaddress.ip_address(config.advertise))
    host = config.listen.host
    return _default_route_host() if is_wildcard(host) else host


def _default_route_host() -> str:
    """Return our address on the default route; connecting a UDP socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(sock.getsockname()[0])
