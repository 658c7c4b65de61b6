"""A telephone of octets on two sockets: does on command what real ones rarely do, to the packet.

It registers as an extension, or stands behind a trunk without a password. One call at a time;
loopback loses nothing, so it repeats nothing, but it answers what is repeated.
"""

import asyncio
import contextlib
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from tests.support import ports
from tests.support.audio import Pcm
from tests.support.digest import authorization
from tests.support.phones.phone import PhoneError
from tests.support.phones.rtp_wire import ENCODERS, EVENTS, PCMA, RtpWire
from tests.support.server import Server

TIMEOUT_S = 15.0

_SIGNAL = re.compile(r"^Signal=(\S)", re.MULTILINE)

ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO\r\n"


class WirePhone:
    """The signalling; the media is `rtp`."""

    def __init__(self, number: str, server: str, *, password: str, says: Pcm, port: int) -> None:
        host, _, server_port = server.rpartition(":")
        self.number = number
        self.rtp = RtpWire(says)
        self.requests: list[str] = []
        "Methods of what came, repetitions left out."
        self._server = host, int(server_port)
        self._password = password
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind((ports.LOOPBACK, port))
        self._port = port
        self._me = f"<sip:{number}@{ports.LOOPBACK}:{port}>"
        self._responses: asyncio.Queue[str] = asyncio.Queue()
        self._notices: asyncio.Queue[str] = asyncio.Queue()
        self._answers: dict[str, str] = {}
        "What was answered, by branch and method, for repetitions."
        self._invite = ""
        self._call_id = self._target = ""
        self._from = self._to = ""
        "As they stand in our requests, with their tags."
        self._early_to = ""
        "To of the newest provisional response."
        self._version = 0
        "Of our newest description."
        self._cseq = secrets.randbits(8)
        self._invite_cseq = 0
        "Of our newest INVITE, for its ACK."
        self.claims = ports.LOOPBACK
        "The address in its descriptions; behind a NAT another than that of its packets."
        self.knows_events = True
        "It offers and answers telephone-event."
        self.info_keys = ""
        "Keys that came as INFO."
        self.dresses: Callable[[str], str] = str
        "What becomes of its descriptions before they are sent."
        self.allow = ALLOW
        self.wishes = ""
        "Header lines of our INVITEs."
        self._rseq = 0
        self._calling: asyncio.Task[None] | None = None
        self._ringing, self._up, self._down = asyncio.Event(), asyncio.Event(), asyncio.Event()

    # --- what a phone does

    async def register(self) -> None:
        host, port = self._server
        self._begin_dialog(f"sip:{host}:{port}", to=f"<sip:{self.number}@{host}>")
        final = await self._authorized("REGISTER", extra="Expires: 120\r\n")
        assert final.startswith("SIP/2.0 200"), final

    async def dial(self, number: str, *, late: bool = False) -> None:
        """Call a number of the server; `established` tells what comes of it.

        `late`: without an offer, so that the server makes one.
        """
        calling = self._call(number, late=late)
        self._calling = asyncio.create_task(calling, name=f"call of {self.number}")

    async def _call(self, number: str, *, late: bool) -> None:
        host, port = self._server
        uri = f"sip:{number}@{host}:{port}"
        self._begin_dialog(uri, to=f"<{uri}>")
        final = await self._authorized("INVITE", "" if late else self._sdp(), self.wishes)
        if not final.startswith("SIP/2.0 200"):
            raise PhoneError(final.partition("\r\n")[0])
        self._to, self._target = _header(final, "To"), _contact(final)
        if "m=audio" in final:
            self._hear_from(final)
        self._send_request("ACK", self._sdp() if late else "", cseq=self._invite_cseq)
        self._up.set()

    async def ringing(self) -> None:
        """Wait for a call, or the next one; 180 has been sent by then."""
        await _wait(self._ringing)
        self._ringing.clear()

    def early(self) -> None:
        """Be heard before the answer: 183 with SDP."""
        self._respond(self._invite, "183 Session Progress", self._sdp())
        self._hear_from(self._invite)

    def early_reliably(self) -> None:
        """The same to who knows 100rel (:rfc:`3262`): its PRACK is then among the `requests`."""
        self._rseq += 1
        reliably = f"Require: 100rel\r\nRSeq: {self._rseq}\r\n"
        self._respond(self._invite, "183 Session Progress", self._sdp(), reliably)
        self._hear_from(self._invite)

    async def answer(self, *, again: bool = True) -> None:
        """Answer a call; not `again`: without what was said reliably before."""
        self._respond(self._invite, "200 OK", self._sdp() if again else "")
        self._hear_from(self._invite)
        await _wait(self._up)

    async def established(self) -> None:
        """Wait until the call stands; raises `PhoneError` where the answer is no 2xx."""
        if self._calling is not None:
            await self._calling
        await _wait(self._up)

    async def info(self, header: str) -> str:
        """Send INFO with a header line and return the status line of its answer."""
        final = await self._transact("INFO", extra=f"{header}\r\n")
        return final.partition("\r\n")[0]

    async def change_codec(self, encoding: str, number: int) -> None:
        """Re-INVITE to one codec, and speak it once the other side has agreed."""
        final = await self._transact("INVITE", self._sdp(codec=(encoding, number)))
        if not final.startswith("SIP/2.0 200"):
            raise PhoneError(final.partition("\r\n")[0])
        self._send_request("ACK", cseq=self._invite_cseq)
        self._hear_from(final)
        self.rtp.codec = encoding, number

    async def renegotiate(self, direction: str = "sendrecv", *, address: str = "") -> str:
        """Re-INVITE with a direction, or another address; returns what the answer's SDP says."""
        final = await self._transact("INVITE", self._sdp_at(direction, address))
        if not final.startswith("SIP/2.0 200"):
            raise PhoneError(final.partition("\r\n")[0])
        self._send_request("ACK", cseq=self._invite_cseq)
        return final

    async def update(self, direction: str = "sendrecv", *, address: str = "") -> str:
        """Offer by UPDATE (:rfc:`3311`); returns the final response."""
        return await self._transact("UPDATE", self._sdp_at(direction, address))

    async def offer(self, direction: str = "sendrecv") -> str:
        """Offer by re-INVITE; returns the final response, whatever it is."""
        final = await self._transact("INVITE", self._sdp(direction))
        if final.startswith("SIP/2.0 2"):
            self._send_request("ACK", cseq=self._invite_cseq)
        return final

    async def ask_for_an_offer(self) -> str:
        """Re-INVITE without SDP, answer in the ACK; returns the 2xx with the offer."""
        final = await self._transact("INVITE")
        if not final.startswith("SIP/2.0 200"):
            raise PhoneError(final.partition("\r\n")[0])
        self._send_request("ACK", self._sdp(), cseq=self._invite_cseq)
        return final

    def refuse(self, status: str = "486 Busy Here") -> None:
        """Answer a call with a failure."""
        self._respond(self._invite, status)

    async def refer(self, to: str) -> None:
        """Ask for a transfer: `to` is the URI of a Refer-To; see `notified`."""
        final = await self._transact("REFER", extra=f"Refer-To: <{to}>\r\n")
        if not final.startswith("SIP/2.0 202"):
            raise PhoneError(final.partition("\r\n")[0])

    async def notified(self) -> str:
        """Return the next status line that a NOTIFY tells of a transfer."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self._notices.get()

    @property
    def replaces(self) -> str:
        """The call at hand, ringing or answered, as Replaces names it (:rfc:`3891`)."""
        to = self._to if ";tag=" in self._to else self._early_to
        tags = {"to-tag": to, "from-tag": self._from}
        value = self._call_id
        for name, address in tags.items():
            value += f";{name}={address.partition(';tag=')[2]}"
        return value

    async def hang_up(self) -> None:
        await self._transact("BYE")
        self._down.set()

    async def closed(self) -> None:
        """Wait for the other side's BYE or CANCEL, or the end of our own."""
        await _wait(self._down)

    def heard(self) -> Pcm:
        return self.rtp.heard()

    # --- requests

    def _begin_dialog(self, uri: str, *, to: str) -> None:
        self.rtp.begin_call()
        self._call_id, self._target = secrets.token_hex(8), uri
        self._from, self._to = f"{self._me};tag={secrets.token_hex(4)}", to
        self._up.clear()
        self._down.clear()

    async def _authorized(self, method: str, body: str = "", extra: str = "") -> str:
        """Send a request, answer a challenge, and return the final response."""
        final = await self._transact(method, body, extra)
        if not final.startswith("SIP/2.0 401"):
            return final
        proof = authorization(
            final, user=self.number, password=self._password, method=method, uri=self._target
        )
        return await self._transact(method, body, proof + extra)

    async def _transact(self, method: str, body: str = "", extra: str = "") -> str:
        self._cseq += 1
        cseq = self._cseq
        if method == "INVITE":
            self._invite_cseq = cseq
        branch = self._send_request(method, body, extra, cseq=cseq)
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                response = await self._responses.get()
                code = response.split(" ", 2)[1]
                if _header(response, "CSeq") == f"{cseq} {method}" and code[0] != "1":
                    break
        if method == "INVITE" and code[0] != "2":
            self._send_request("ACK", cseq=cseq, branch=branch)
        return response

    def _send_request(
        self, method: str, body: str = "", extra: str = "", *, cseq: int, branch: str = ""
    ) -> str:
        branch = branch or f"z9hG4bK{secrets.token_hex(8)}"
        kind = "Content-Type: application/sdp\r\n" if body else ""
        head = (
            f"{method} {self._target} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {ports.LOOPBACK}:{self._port};branch={branch};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: {self._from}\r\nTo: {self._to}\r\n"
            f"Call-ID: {self._call_id}\r\nCSeq: {cseq} {method}\r\nContact: {self._me}\r\n"
            f"{self.allow}{extra}{kind}Content-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendto((head + body).encode(), self._server)
        return branch

    # --- what comes

    async def run(self) -> None:
        """Take in what comes, and speak; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.rtp.run())
            group.create_task(self._read())

    async def stop(self, running: asyncio.Task[None]) -> None:
        """End `run` and an unanswered call."""
        for task in (self._calling, running):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, PhoneError):
                    await task

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.closing(self._socket):
            while True:
                text = (await loop.sock_recv(self._socket, 65536)).decode()
                if text.startswith("SIP/2.0 "):
                    self._responses.put_nowait(text)
                    self._progressed(text)
                else:
                    self._take(text)

    def _progressed(self, response: str) -> None:
        """Hear early media, and acknowledge what is sent reliably (:rfc:`3262`)."""
        if response[8] != "1" or not _header(response, "CSeq").endswith(" INVITE"):
            return
        self._early_to = _header(response, "To")
        if "m=audio" in response:
            self._hear_from(response)
        if "\r\nRSeq: " in response:
            self._to, self._target = _header(response, "To"), _contact(response)
            self._cseq += 1
            rack = f"RAck: {_header(response, 'RSeq')} {_header(response, 'CSeq')}\r\n"
            self._send_request("PRACK", extra=rack, cseq=self._cseq)

    def _take(self, request: str) -> None:
        method = request.partition(" ")[0]
        key = _key(request)
        if key in self._answers:
            self._send(self._answers[key])
            return
        self.requests.append(method)
        match method:
            case "ACK":
                self._up.set()
            case "INVITE" if ";tag=" not in _header(request, "To"):
                self._invited(request)
            case "INVITE" | "UPDATE":
                self._hear_from(request)
                self.rtp.codec = _chosen(request)
                self._respond(request, "200 OK", self._sdp(_mirrored(request)))
            case "CANCEL":
                self._respond(request, "200 OK")
                self._respond(self._invite, "487 Request Terminated")
                self._down.set()
            case "BYE":
                self._respond(request, "200 OK")
                self._down.set()
            case "NOTIFY":
                self._respond(request, "200 OK")
                self._notices.put_nowait(request.rpartition("SIP/2.0 ")[2].strip())
            case _:
                if method == "INFO" and (signal := _SIGNAL.search(request)) is not None:
                    self.info_keys += signal[1]
                self._respond(request, "200 OK")

    def _invited(self, request: str) -> None:
        self.rtp.begin_call()
        self._invite, self._call_id = request, _header(request, "Call-ID")
        self._from = f"{_header(request, 'To')};tag={secrets.token_hex(4)}"
        self._to, self._target = _header(request, "From"), _contact(request)
        self._up.clear()
        self._down.clear()
        self._respond(request, "180 Ringing")
        self._ringing.set()

    def _respond(self, request: str, status: str, body: str = "", extra: str = "") -> None:
        to = _header(request, "To")
        kind = "Content-Type: application/sdp\r\n" if body else ""
        head = (
            f"SIP/2.0 {status}\r\nVia: {_header(request, 'Via')}\r\n"
            f"From: {_header(request, 'From')}\r\nTo: {to if ';tag=' in to else self._from}\r\n"
            f"Call-ID: {_header(request, 'Call-ID')}\r\nCSeq: {_header(request, 'CSeq')}\r\n"
            f"Contact: {self._me}\r\n{self.allow}{extra}{kind}Content-Length: {len(body)}\r\n\r\n"
        )
        self._answers[_key(request)] = head + body
        self._send(head + body)

    def _send(self, text: str) -> None:
        self._socket.sendto(text.encode(), self._server)

    def _sdp(self, direction: str = "sendrecv", codec: tuple[str, int] | None = None) -> str:
        encoding, number = codec or self.rtp.codec
        self._version += 1
        formats, events = f"{number}", ""
        if self.knows_events:
            formats += f" {EVENTS}"
            events = f"a=rtpmap:{EVENTS} telephone-event/8000\r\na=fmtp:{EVENTS} 0-15\r\n"
        return self.dresses(
            f"v=0\r\no=wire 1 {self._version} IN IP4 {self.claims}\r\ns=-\r\n"
            f"c=IN IP4 {self.claims}\r\nt=0 0\r\n"
            f"m=audio {self.rtp.port} RTP/AVP {formats}\r\n"
            f"a=rtpmap:{number} {encoding}/8000\r\n{events}a={direction}\r\n"
        )

    def _sdp_at(self, direction: str, address: str) -> str:
        body = self._sdp(direction)
        at = f"c=IN IP4 {address or self.claims}"
        return body.replace(f"c=IN IP4 {self.claims}", at)

    def _hear_from(self, message: str) -> None:
        """Speak to where the message's SDP wants it."""
        found = re.search(r"^m=audio (\d+)", message, re.MULTILINE)
        assert found is not None, message
        self.rtp.talk_to(self._server[0], int(found[1]))


def _header(message: str, name: str) -> str:
    found = re.search(rf"^{name}: *(.*)\r$", message, re.MULTILINE)
    assert found is not None, f"no {name} in {message}"
    return found[1]


def _contact(message: str) -> str:
    return _header(message, "Contact").partition("<")[2].partition(">")[0]


def _mirrored(offer: str) -> str:
    """Return the direction that answers an offer's (:rfc:`3264#section-6.1`)."""
    found = re.search(r"^a=(sendonly|recvonly|inactive)\r$", offer, re.MULTILINE)
    directions = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
    return directions[found[1]] if found is not None else "sendrecv"


def _chosen(offer: str) -> tuple[str, int]:
    """Return A-law where it is offered, else the first codec that a wire speaks."""
    offered = re.findall(r"^a=rtpmap:(\d+) (\w+)/8000", offer, re.MULTILINE)
    known = {name: int(number) for number, name in reversed(offered) if name in ENCODERS}
    name = "PCMA" if "PCMA" in known else ["PCMA", *known][-1]
    return name, known.get(name, PCMA)


def _key(request: str) -> str:
    return f"{_header(request, 'Via')} {request.partition(' ')[0]}"


async def _wait(event: asyncio.Event) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        await event.wait()


@contextlib.asynccontextmanager
async def wire_phone(
    number: str, server: str, says: Pcm, *, password: str = "", port: int | None = None
) -> AsyncIterator[WirePhone]:
    """Have such a phone there; with a password it registers at the server `host:port`."""
    phone = WirePhone(number, server, password=password, says=says, port=port or ports.take(2))
    running = asyncio.create_task(phone.run(), name=f"wire phone {number}")
    try:
        if password:
            await phone.register()
        yield phone
    finally:
        await phone.stop(running)


def extension_phone(
    under_test: Server, number: str, says: Pcm
) -> AbstractAsyncContextManager[WirePhone]:
    """Have such a phone at an extension that the test has added."""
    password = under_test.extension(number).password
    return wire_phone(number, under_test.sip, says, password=password)
