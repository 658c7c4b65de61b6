"""Raw connections to a telephone with a shell: their streams are cut by hand."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from sip.address import HostPort
from sip.io.tcp import TcpLimits, TcpTransport
from sip.message import Request, Response, parse
from tests.support.shell_phone import ShellPhone
from tests.support.sip_raw import request

VIA = "SIP/2.0/TCP 127.0.0.1:5070;branch=z9hG4bK{};rport"
OFTEN = TcpLimits(sweep_s=0.01)
"The real bounds, looked at often: the tests move the clock."


def tcp_of(phone: ShellPhone) -> TcpTransport:
    transport = phone.shell._senders["TCP", phone.local]
    assert isinstance(transport, TcpTransport)
    return transport


def options(cseq: int = 1) -> bytes:
    return request("OPTIONS", cseq=cseq, via=VIA.format(cseq))


class Peer:
    """A raw connection, its stream cut by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @property
    def address(self) -> HostPort:
        host, port = self.writer.get_extra_info("sockname")[:2]
        return HostPort(host, port)

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def message(self) -> Request | Response:
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            return parse(head + await self.reader.readexactly(content_length(head)))

    async def code(self) -> int:
        message = await self.message()
        assert isinstance(message, Response), message
        return message.code

    async def rest(self) -> bytes:
        """Return what comes until the connection ends, however it does."""
        taken = b""
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                while data := await self.reader.read(65536):
                    taken += data
        return taken


def content_length(head: bytes) -> int:
    return int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])


@contextlib.asynccontextmanager
async def peer(phone: ShellPhone, *, window: int | None = None) -> AsyncIterator[Peer]:
    """Connect to a telephone; `window`: the octets that are taken before anybody reads."""
    sock = socket.socket()
    if window is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (phone.local.host, phone.local.port))
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
