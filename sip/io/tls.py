"""SIP over TLS: certificates, and connections that are encrypted before they count as any.

Everything that holds for TCP (`sip/io/tcp.py`) holds here. Besides, a connection takes its room
when it is accepted, not when its handshake is done, and a handshake has `handshake_s`: peers
that say nothing, or say it slowly, take nothing away from those who are connected.

Certificates are read into contexts as a whole and checked before anything is replaced, so a
renewal that went wrong leaves what serves in place. A peer is shown the one with the name that it
calls (SNI, :rfc:`6066#section-3`), or the first where it calls none of them.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from sip.address import Flow, HostPort, Transport
from sip.io.connection import Connection
from sip.io.hub import Hub
from sip.io.listen import BACKLOG
from sip.io.tcp import TcpLimits, TcpTransport, source_of

logger = logging.getLogger("sip.io")

ACCEPTED_PER_TURN: Final = 16
"Connections per turn of the loop: a handshake costs a millisecond of processor."

SOON_S: Final = 14 * 86_400
"A certificate that ends within this is worth a warning."


class TlsError(Exception):
    """Certificates that can't be used; the text says which file and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PemPair:
    """One certificate of ours, with the intermediate ones behind it, and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Where certificates are, in PEM."""

    certificate: Path
    "Ours, with the intermediate ones behind it."
    key: Path
    further: tuple[PemPair, ...] = ()
    "Ours for other names of this server."
    client_ca: Path | None = None
    "Whose certificates peers may show us when they connect; None: none is asked for."
    trust: Path | None = None
    "Who vouches for those to whom we connect; None: whoever the system trusts."


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate of ours."""

    file: Path
    names: tuple[str, ...] = ()
    ends_at: float = 0.0
    "Seconds since the epoch."
    trouble: str = ""
    "Why peers will not take it; nothing else is known of it then."


class Tls:
    """The contexts in use. `reload` replaces them for connections to come."""

    def __init__(self, files: TlsFiles) -> None:
        """Read the files; raises `TlsError`."""
        self._files = files
        self.reload()

    def reload(self) -> None:
        """Read the files again; raises `TlsError`, and then all is as it was."""
        files = self._files
        first = PemPair(certificate=files.certificate, key=files.key)
        pairs = (first, *files.further)
        contexts = [_server_context(pair, files.client_ca) for pair in pairs]
        certificates = tuple(
            _inspect(context, pair.certificate)
            for context, pair in zip(contexts, pairs, strict=True)
        )
        client = _client_context(files)
        if files.further:
            _choose_by_name(contexts, certificates)
        self.server, self.client, self.certificates = contexts[0], client, certificates
        for certificate in certificates:
            _tell(certificate)

    @property
    def certificate(self) -> Certificate:
        """The one of whoever names no server."""
        return self.certificates[0]


class TlsTransport(TcpTransport):
    """The listener and its connections, and those that we open."""

    transport: ClassVar[Transport] = "TLS"

    def __init__(
        self, hub: Hub, sock: socket.socket, local: HostPort, limits: TcpLimits, tls: Tls
    ) -> None:
        super().__init__(hub, sock, local, limits)
        self._tls = tls
        self._certified: dict[Connection, frozenset[str]] = {}
        self._taken_in: set[Connection] = set()
        "Whose handshake has just been done."
        self.counters["tls_handshake_failed"] = 0

    def certificate_names(self, flow: Flow) -> frozenset[str]:
        """Return whom the verified certificate of the other end names."""
        connection = self._by_flow.get(flow)
        return self._certified.get(connection, frozenset()) if connection else frozenset()

    # --- connections of others

    async def _listen(self) -> None:
        self._socket.listen(BACKLOG)
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def _stop_listening(self) -> None:
        self._loop.remove_reader(self._socket.fileno())

    def _accept(self) -> None:
        for _ in range(ACCEPTED_PER_TURN):
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                logger.warning("can't accept", extra={"reason": str(error)})
                return
            if not self._admit(address[0]):
                sock.close()
                continue
            sock.setblocking(False)
            self._in_background(self._shake_hands(sock, address[0]), f"handshake {address[0]}")

    async def _shake_hands(self, sock: socket.socket, host: str) -> None:
        connection = Connection(self, self._hub)
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                sock,
                ssl=self._tls.server,
                ssl_handshake_timeout=self._limits.handshake_s,
                ssl_shutdown_timeout=self._limits.shutdown_s,
            )
        except Exception as error:  # noqa: BLE001 - a bulkhead: one connection
            self.counters["tls_handshake_failed"] += 1
            logger.info("handshake failed", extra={"remote": host, "reason": str(error)})
        finally:
            if connection in self._taken_in:
                self._taken_in.discard(connection)
            else:
                sock.close()
                self._let_go(host)

    def _has_room(self, host: str) -> bool:  # noqa: ARG002 - taken before the handshake
        return True

    def opened(self, connection: Connection, transport: asyncio.BaseTransport) -> bool:
        """Take in a connection whose handshake is done."""
        certificate = transport.get_extra_info("peercert")
        if certificate:
            self._certified[connection] = _names(certificate)
        if not connection.dialled:
            self._taken_in.add(connection)
        return super().opened(connection, transport)

    def closed(self, connection: Connection) -> None:
        """Forget a connection that is no more."""
        self._certified.pop(connection, None)
        super().closed(connection)

    # --- connections of ours

    async def _dial_out(self, connection: Connection) -> None:
        flow = connection.flow
        await self._loop.create_connection(
            lambda: connection,
            flow.remote.host,
            flow.remote.port,
            local_addr=source_of(self._local),
            ssl=self._tls.client,
            server_hostname=flow.server_name or flow.remote.host,
            ssl_handshake_timeout=self._limits.handshake_s,
            ssl_shutdown_timeout=self._limits.shutdown_s,
        )


# --- contexts


def _server_context(pair: PemPair, client_ca: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_own(context, pair)
    if client_ca is not None:
        # Optional, since telephones have none: whose must have one is for the caller to say.
        context.verify_mode = ssl.CERT_OPTIONAL
        _load_authorities(context, client_ca)
    return context


def _choose_by_name(
    contexts: Sequence[ssl.SSLContext], certificates: Sequence[Certificate]
) -> None:
    """Have the first context hand over to the one whose certificate has the name that is called.

    Of several it is the first.
    """
    by_name: dict[str, ssl.SSLContext] = {}
    for context, certificate in zip(contexts, certificates, strict=True):
        for name in certificate.names:
            by_name.setdefault(name, context)

    def choose(handshake: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: object) -> None:
        called = (name or "").lower()
        wild = "*." + called.partition(".")[2]
        found = by_name.get(called) or by_name.get(wild)
        if found is not None:
            handshake.context = found

    contexts[0].sni_callback = choose


def _tell(certificate: Certificate) -> None:
    """Log how long a certificate lasts, or what is wrong with it."""
    if certificate.trouble:
        # No reason not to serve: telephones that don't check it are many.
        extra = {"file": str(certificate.file), "reason": certificate.trouble}
        logger.error("bad certificate", extra=extra)
        return
    left = certificate.ends_at - time.time()
    log = logger.info if left > SOON_S else logger.warning
    days = int(left // 86_400)
    log("certificate", extra={"names": list(certificate.names), "days_left": days})


def _client_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Shown where the other end asks for it: to some trunks it is our password.
    _load_own(context, PemPair(certificate=files.certificate, key=files.key))
    if files.trust is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_authorities(context, files.trust)
    return context


def _load_own(context: ssl.SSLContext, pair: PemPair) -> None:
    _readable(pair.certificate)
    _readable(pair.key)
    try:
        # A key with a passphrase would have OpenSSL ask at the terminal.
        context.load_cert_chain(pair.certificate, pair.key, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError(
                f"{pair.key} is not the key of the certificate in {pair.certificate}"
            ) from error
        raise TlsError(
            f"{pair.certificate} and {pair.key} are no certificate with its key in PEM, "
            f"or the key has a passphrase ({error.reason})"
        ) from error


def _no_passphrase() -> str:
    return ""


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    _readable(path)
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise TlsError(f"{path} holds no certificates in PEM ({error.reason})") from error


def _readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise TlsError(f"{path}: {error.strerror}") from error


def _inspect(server: ssl.SSLContext, path: Path) -> Certificate:
    """Look at our certificate as a peer would who trusts it, by a handshake in memory.

    `ssl` tells what is in a certificate only about a peer's that it has verified.
    """
    peer = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    peer.check_hostname = False
    peer.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        peer.load_verify_locations(cafile=path)
        shown = _shake_hands_in_memory(server, peer)
    except ssl.SSLCertVerificationError as error:
        return Certificate(file=path, trouble=error.verify_message)
    except ssl.SSLError as error:
        raise TlsError(f"{path}: {error.reason}") from error
    ends_at = ssl.cert_time_to_seconds(str(shown["notAfter"]))
    return Certificate(file=path, names=tuple(sorted(_names(shown))), ends_at=ends_at)


def _shake_hands_in_memory(server: ssl.SSLContext, peer: ssl.SSLContext) -> dict[str, Any]:
    to_server, to_peer = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        peer.wrap_bio(to_peer, to_server, server_side=False),
        server.wrap_bio(to_server, to_peer, server_side=True),
    )
    for _ in range(4):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ends[0].getpeercert() or {}


def _names(certificate: dict[str, Any]) -> frozenset[str]:
    """Return the names in a certificate: those of `subjectAltName`, in lower case (RFC 5922)."""
    names = [
        value.removeprefix("sip:")
        for kind, value in certificate.get("subjectAltName", ())
        if kind in {"DNS", "IP Address"} or (kind == "URI" and value.startswith("sip:"))
    ]
    return frozenset(name.lower() for name in names)
