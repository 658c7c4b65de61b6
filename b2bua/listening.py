"""What the configuration says of listening for SIP: addresses, transports, certificates."""

from b2bua.config import Config
from b2bua.settings.values import TRANSPORTS
from sip.address import HostPort
from sip.io.listen import Bind
from sip.io.tls import Tls


def read_certificates(config: Config) -> Tls | None:
    """Read the certificates, where TLS is spoken; raises `sip.io.tls.TlsError`."""
    files = config.tls.files
    if files is None or "tls" not in config.sip.transports:
        return None
    return Tls(files)


def binds(config: Config) -> list[Bind]:
    """Return what to listen on: TLS has a port of its own."""
    names = config.sip.transports
    plain = tuple(TRANSPORTS[name] for name in names if name != "tls")
    found = []
    for address in config.sip.listen:
        if plain:
            found.append(Bind(address, plain))
        if "tls" in names:
            found.append(Bind(HostPort(address.host, config.tls.port), ("TLS",)))
    return found
