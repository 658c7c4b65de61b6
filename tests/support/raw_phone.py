"""A phone of nothing but octets on a UDP socket, for what no real phone would send."""

import asyncio
import secrets
import socket

from tests.support.digest import authorization
from tests.support.server import Extension

TIMEOUT_S = 20.0


class RawPhone:
    """Sends requests as text and reads the status of what comes back."""

    def __init__(self, server: tuple[str, int], extension: Extension) -> None:
        self._extension = extension
        self._server = server
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(server)
        self._call = secrets.token_hex(8)
        self._cseq = 0

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.send(data)

    async def receive(self) -> str:
        """Return the next datagram."""
        async with asyncio.timeout(TIMEOUT_S):
            return (await asyncio.get_running_loop().sock_recv(self._socket, 65536)).decode()

    async def final(self) -> str:
        """Return the next response that is none of the 1xx."""
        while True:
            text = await self.receive()
            if not text.startswith("SIP/2.0 1"):
                return text

    async def options(self) -> str:
        """Return the status line of an OPTIONS to the server: is it alive?"""
        self.send(self._request("OPTIONS", f"sip:{self._server[0]}:{self._server[1]}"))
        return (await self.final()).partition("\r\n")[0]

    async def invite(self, number: str, body: bytes) -> str:
        """Send an INVITE, answer its challenge, acknowledge and return the final status line."""
        uri = f"sip:{number}@{self._server[0]}:{self._server[1]}"
        self.send(self._request("INVITE", uri, body))
        challenge = await self.final()
        self.send(self._request("INVITE", uri, body, self._authorization(challenge, "INVITE", uri)))
        return (await self.final()).partition("\r\n")[0]

    def _authorization(self, challenge: str, method: str, uri: str) -> str:
        extension = self._extension
        return authorization(
            challenge,
            user=extension.number,
            password=extension.password,
            method=method,
            uri=uri,
        )

    def _request(self, method: str, uri: str, body: bytes = b"", extra: str = "") -> bytes:
        self._cseq += 1
        host, port = self._socket.getsockname()
        user = self._extension.number
        kind = "Content-Type: application/sdp\r\n" if body else ""
        head = (
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(8)};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{user}@{host}>;tag=raw\r\nTo: <{uri}>\r\n"
            f"Call-ID: {self._call}\r\nCSeq: {self._cseq} {method}\r\n"
            f"Contact: <sip:{user}@{host}:{port}>\r\n{extra}{kind}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body
