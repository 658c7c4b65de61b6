"""`[tls]`: certificates for SIP."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from b2bua.settings.section import Section
from sip.io.tls import PemPair, TlsFiles


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError("expected an absolute path")
    return value


PemFile = Annotated[Path, AfterValidator(_absolute)]


class PemPairConfig(Section):
    """A certificate and its key."""

    certificate: PemFile
    key: PemFile


class TlsConfig(Section):
    """`[tls]`: what `tls` among the transports needs."""

    certificate: PemFile | None = None
    "PEM: ours, and the intermediate ones behind it."
    key: PemFile | None = None
    further: tuple[PemPairConfig, ...] = ()
    "Ours for other names under which peers call this server."
    port: int = Field(default=5061, ge=0, le=65535)
    "Beside that of each address of `[sip] listen`."
    client_ca: PemFile | None = None
    "Who signs the certificates of trunks that have to show one; none: nobody is asked."
    trust: PemFile | None = None
    "Who vouches for the trunks to which we connect; none: whoever the system trusts."

    @property
    def files(self) -> TlsFiles | None:
        """Where the certificates are; None: there are none."""
        if self.certificate is None or self.key is None:
            return None
        return TlsFiles(
            certificate=self.certificate,
            key=self.key,
            further=tuple(
                PemPair(certificate=each.certificate, key=each.key) for each in self.further
            ),
            client_ca=self.client_ca,
            trust=self.trust,
        )
