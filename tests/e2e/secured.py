"""A server that speaks TLS, with an authority of the test's own."""

import asyncio
import ssl
from pathlib import Path

from tests.support import ports
from tests.support.certificates import Authority, Pair


class Secured:
    """Settings of a server that speaks TLS."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "ca")
        self.installed = Pair(folder / "certificate.pem", folder / "key.pem")
        self.port = ports.take(2)
        self.install(self.authority.issue("server"))

    def install(self, pair: Pair) -> None:
        self.installed.certificate.write_bytes(pair.certificate.read_bytes())
        self.installed.key.write_bytes(pair.key.read_bytes())

    @property
    def at(self) -> str:
        return f"{ports.LOOPBACK}:{self.port}"

    @property
    def settings(self) -> str:
        return (
            '[sip]\ntransports = ["udp", "tcp", "tls"]\n'
            f'[tls]\ncertificate = "{self.installed.certificate}"\n'
            f'key = "{self.installed.key}"\nport = {self.port}\n'
        )

    @property
    def for_baresip(self) -> str:
        return f"sip_cafile {self.authority.certificate}\nsip_verify_server yes\n"

    async def shown(self) -> set[str]:
        """Return the names in the certificate that the server shows."""
        context = ssl.create_default_context(cafile=self.authority.certificate)
        _, writer = await asyncio.open_connection(ports.LOOPBACK, self.port, ssl=context)
        names = {value for _, value in writer.get_extra_info("peercert")["subjectAltName"]}
        writer.close()
        return names
