"""The lamps of a telephone: subscriptions over UDP or TCP, refreshed by nobody."""

import asyncio
import contextlib
import re
import secrets
import socket
from collections.abc import AsyncIterator

from tests.support import ports
from tests.support.digest import authorization
from tests.support.server import Server

TIMEOUT_S = 15.0

EVENT = "Event: dialog\r\nAccept: application/dialog-info+xml\r\n"

_MESSAGE = re.compile(r".*?^Content-Length: (\d+)\r\n\r\n", re.DOTALL | re.MULTILINE)
"A whole head; the body of ours is ASCII, so that characters are octets."


class Lamps:
    """Those of one extension's telephone."""

    def __init__(self, under_test: Server, number: str, transport: str) -> None:
        self.told: dict[str, list[str]] = {}
        "What each lamp has shown, by what is watched."
        self.versions: dict[str, list[int]] = {}
        self._account = under_test.extension(number)
        host, _, port = under_test.sip.rpartition(":")
        self._server = host, int(port)
        self._transport = transport
        kind = socket.SOCK_STREAM if transport == "TCP" else socket.SOCK_DGRAM
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.bind((ports.LOOPBACK, 0))
        self._socket.connect(self._server)
        self._socket.setblocking(False)
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._changed = asyncio.Condition()

    async def watch(self, watched: str, event: str = EVENT, expires: int = 600) -> str:
        """Subscribe to a number or to a star code; returns the status line of the answer."""
        account, (host, port) = self._account, self._server
        uri, call_id = f"sip:{watched}@{host}:{port}", secrets.token_hex(8)
        proof = ""
        for cseq in (1, 2):
            me = f"{ports.LOOPBACK}:{self._socket.getsockname()[1]}"
            transport, branch = self._transport, f"z9hG4bK{secrets.token_hex(8)}"
            contact = f"sip:{account.number}@{me};transport={transport.lower()}"
            self._send(
                f"SUBSCRIBE {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {me};branch={branch}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:{account.number}@{host}>;tag={call_id}\r\n"
                f"To: <{uri}>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} SUBSCRIBE\r\n"
                f"Contact: <{contact}>\r\nExpires: {expires}\r\n"
                f"{event}{proof}Content-Length: 0\r\n\r\n"
            )
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._answers.get()
            if not answer.startswith("SIP/2.0 401"):
                break
            proof = authorization(
                answer,
                user=account.number,
                password=account.password,
                method="SUBSCRIBE",
                uri=uri,
            )
        return answer.partition("\r\n")[0]

    async def shows(self, watched: str, *states: str) -> None:
        """Wait until a lamp has shown these states, and no others, since the beginning."""
        async with self._changed, asyncio.timeout(TIMEOUT_S):
            await self._changed.wait_for(lambda: len(self.told.get(watched, ())) >= len(states))
        assert self.told[watched] == list(states)

    async def run(self) -> None:
        """Take in what comes; until cancelled."""
        loop = asyncio.get_running_loop()
        stream = ""
        with contextlib.closing(self._socket):
            while True:
                stream += (await loop.sock_recv(self._socket, 65536)).decode()
                while (found := _MESSAGE.match(stream)) is not None:
                    end = found.end() + int(found[1])
                    if len(stream) < end:
                        break
                    message, stream = stream[:end], stream[end:]
                    if message.startswith("SIP/2.0 "):
                        self._answers.put_nowait(message)
                    else:
                        await self._notified(message)

    async def _notified(self, request: str) -> None:
        assert request.startswith("NOTIFY "), request
        kept = re.findall(r"^((?:Via|From|To|Call-ID|CSeq): .*)\r$", request, re.MULTILINE)
        lines = "\r\n".join(kept)
        self._send(f"SIP/2.0 200 OK\r\n{lines}\r\nContent-Length: 0\r\n\r\n")
        watched = re.search(r'entity="sip:([^@]+)@', request)
        state, version = (
            re.search(r"<state>(\w+)<", request),
            re.search(r'version="(\d+)"', request),
        )
        assert watched is not None
        assert state is not None
        assert version is not None
        versions = self.versions.setdefault(watched[1], [])
        if int(version[1]) in versions:
            return  # repeated
        async with self._changed:
            versions.append(int(version[1]))
            self.told.setdefault(watched[1], []).append(state[1])
            self._changed.notify_all()

    def _send(self, text: str) -> None:
        self._socket.send(text.encode())


@contextlib.asynccontextmanager
async def lamps(under_test: Server, number: str, transport: str = "UDP") -> AsyncIterator[Lamps]:
    """Have a telephone of an extension there that has nothing but lamps."""
    phone = Lamps(under_test, number, transport)
    running = asyncio.create_task(phone.run(), name=f"lamps of {number}")
    try:
        yield phone
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
