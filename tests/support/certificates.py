"""A certificate authority of the test's own, made by `openssl`."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from sip.io.tls import TlsFiles

LOOPBACK_NAMES = ("DNS:localhost", "IP:127.0.0.1", "IP:::1")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, in PEM."""

    certificate: Path
    key: Path


class Authority:
    """Signs whatever the test wants."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._own = Pair(folder / "ca.pem", folder / "ca.key")
        _openssl(
            self._own,
            name,
            ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"],
        )

    @property
    def certificate(self) -> Path:
        return self._own.certificate

    def issue(self, name: str, *alternatives: str, usage: str = "serverAuth,clientAuth") -> Pair:
        """Return a certificate for `DNS:` and `IP:` names."""
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        wanted = ",".join(alternatives or LOOPBACK_NAMES)
        extensions = [
            f"subjectAltName={wanted}",
            "basicConstraints=CA:FALSE",
            f"extendedKeyUsage={usage}",
        ]
        _openssl(pair, name, extensions, self._own)
        return pair

    def files(
        self, pair: Pair, *, client_ca: Path | None = None, trust: Path | None = None
    ) -> TlsFiles:
        """Return what a server is configured with; it trusts this authority."""
        return TlsFiles(
            certificate=pair.certificate,
            key=pair.key,
            client_ca=client_ca,
            trust=trust or self.certificate,
        )


def _openssl(pair: Pair, name: str, extensions: list[str], issuer: Pair | None = None) -> None:
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec"]
    command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={name}"]
    command += ["-days", "2", "-keyout", str(pair.key), "-out", str(pair.certificate)]
    for extension in extensions:
        command += ["-addext", extension]
    if issuer is not None:
        command += ["-CA", str(issuer.certificate), "-CAkey", str(issuer.key)]
    subprocess.run(command, check=True, capture_output=True)
