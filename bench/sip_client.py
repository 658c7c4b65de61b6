"""A telephone for the bench: raw SIP text over one UDP socket, both roles.

It shares no line with `sip/`, so that a mistake there can't confirm itself, and it knows only
what a plain desk phone needs: REGISTER and INVITE with digest MD5 (:rfc:`2617#section-3.2.2`),
ACK, BYE, answers to INVITE, CANCEL, BYE and OPTIONS, and the retransmissions of :rfc:`3261`
over UDP, without which one lost datagram would look like a failed call.
"""

import heapq
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.sip_call import Account, Call
from bench.sip_text import (
    Address,
    Message,
    authorization,
    md5_challenge,
    media_address,
    octets,
    reply,
    sdp,
    uri_of,
    user_of,
)

T1_S = 0.5
T2_S = 4.0
TIMEOUT_S = 64 * T1_S


@dataclass(slots=True, kw_only=True)
class _Pending:
    """A request waiting for its answer (:rfc:`3261#section-17.1`)."""

    data: bytes
    call: Call | None
    account: Account
    method: str
    begun_at: float
    interval_s: float = T1_S
    proceeding: bool = False


class Phone:
    """One socket, any number of accounts and calls."""

    def __init__(self, host: str, server: Address, media: Address) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.address: Address = self.socket.getsockname()
        self.calls: dict[str, Call] = {}
        self.registered: set[str] = set()
        self.problems: list[str] = []
        self.retransmissions = 0
        self.on_end: Callable[[Call], None] | None = None
        self._server = server
        self._media = media
        self._pending: dict[str, _Pending] = {}
        self._unacknowledged: dict[str, tuple[Call, float, float]] = {}
        self._timers: list[tuple[float, str, str]] = []
        self._serial = 0
        self._salt = os.urandom(4).hex()

    # --- what its user asks for

    def register(self, account: Account, expires_s: int = 3600) -> None:
        """Bind this phone's address to the account."""
        self._register(account, f"{self._token()}@{self.address[0]}", 1, expires_s, "")

    def dial(self, account: Account, number: str) -> Call:
        """Begin a call."""
        host, port = self._server
        own = f"<sip:{account.user}@{host}>;tag={self._token()}"
        target = f"sip:{number}@{host}:{port}"
        call = Call(
            call_id=f"{self._token()}@{self.address[0]}",
            local=own,
            remote=f"<{target}>",
            target=target,
            peer=number,
            account=account,
            outgoing=True,
            body=sdp(self._media),
            begun_at=time.monotonic(),
        )
        self.calls[call.call_id] = call
        self._request(call, "INVITE", body=call.body)
        return call

    def hang_up(self, call: Call) -> None:
        """End an answered call."""
        call.cseq += 1
        call.hung_up_at = time.monotonic()
        self._request(call, "BYE")

    # --- the loop's side

    def read(self, limit: int = 256) -> int:
        """Handle what is waiting; return how many datagrams it were."""
        for count in range(limit):
            try:
                data, source = self.socket.recvfrom(65535)
            except BlockingIOError:
                return count
            except ConnectionRefusedError:
                continue
            if source != self._server:
                self.problems.append(f"datagram from {source}")
                continue
            self.take(data)
        return limit

    def take(self, data: bytes) -> None:
        """Handle one message."""
        message = Message(data)
        if message.status:
            self._response(message)
        elif message.start.endswith(" SIP/2.0"):
            self._incoming(message)

    def retransmit(self, now: float) -> None:
        """Send again what is due, give up what is too old."""
        while self._timers and self._timers[0][0] <= now:
            _, kind, key = heapq.heappop(self._timers)
            if kind == "request":
                self._again(key, now)
            else:
                self._answer_again(key, now)

    @property
    def next_timer(self) -> float | None:
        return self._timers[0][0] if self._timers else None

    def _register(
        self, account: Account, call_id: str, cseq: int, expires_s: int, credentials: str
    ) -> None:
        host, port = self._server
        uri = f"sip:{host}:{port}"
        aor = f"<sip:{account.user}@{host}>"
        branch = self._branch()
        own, own_port = self.address
        lines = [f"REGISTER {uri} SIP/2.0", self._via(branch), "Max-Forwards: 70"]
        lines += [f"From: {aor};tag={self._token()}", f"To: {aor}", f"Call-ID: {call_id}"]
        lines += [f"CSeq: {cseq} REGISTER", f"Contact: <sip:{account.user}@{own}:{own_port}>"]
        lines += [f"Expires: {expires_s}"]
        lines += [f"Authorization: {credentials}"] if credentials else []
        self._transmit(branch, octets(lines, ""), None, account, "REGISTER")

    def _request(self, call: Call, method: str, body: str = "", credentials: str = "") -> None:
        branch = self._branch()
        lines = self._dialog_lines(call, method, branch)
        lines += [f"Authorization: {credentials}"] if credentials else []
        lines += ["Content-Type: application/sdp"] if body else []
        self._transmit(branch, octets(lines, body), call, call.account, method)

    def _dialog_lines(self, call: Call, method: str, branch: str) -> list[str]:
        own, port = self.address
        lines = [f"{method} {call.target} SIP/2.0", self._via(branch), "Max-Forwards: 70"]
        lines += [f"Route: {route}" for route in call.routes]
        lines += [f"From: {call.local}", f"To: {call.remote}", f"Call-ID: {call.call_id}"]
        lines += [f"CSeq: {call.cseq} {method}", f"Contact: <sip:{call.account.user}@{own}:{port}>"]
        return [*lines, "User-Agent: bench"]

    def _transmit(
        self, branch: str, data: bytes, call: Call | None, account: Account, method: str
    ) -> None:
        now = time.monotonic()
        self._pending[branch] = _Pending(
            data=data, call=call, account=account, method=method, begun_at=now
        )
        heapq.heappush(self._timers, (now + T1_S, "request", branch))
        self._send(data)

    def _again(self, branch: str, now: float) -> None:
        pending = self._pending.get(branch)
        if pending is None:
            return
        if now - pending.begun_at > TIMEOUT_S:
            del self._pending[branch]
            self._failed(pending, f"{pending.method} timed out")
            return
        if pending.proceeding and pending.method == "INVITE":
            heapq.heappush(self._timers, (pending.begun_at + TIMEOUT_S + 1, "request", branch))
            return
        self.retransmissions += 1
        self._send(pending.data)
        limit = TIMEOUT_S if pending.method == "INVITE" else T2_S
        pending.interval_s = min(2 * pending.interval_s, limit)
        heapq.heappush(self._timers, (now + pending.interval_s, "request", branch))

    def _response(self, message: Message) -> None:
        branch = message.branch
        pending = self._pending.get(branch)
        if pending is None:
            call = self.calls.get(message.one("call-id"))
            if call is not None and message.method == "INVITE" and message.status >= 200:
                self._send(call.last)  # our ACK was lost
            return
        status = message.status
        if status < 200:
            pending.proceeding = True
            if status == 180 and pending.call is not None:
                pending.call.ringing_at = time.monotonic()
            return
        del self._pending[branch]
        if pending.call is None:
            self._registered(pending, message)
        elif pending.method == "INVITE":
            self._invite_answered(pending.call, pending, message)
        elif pending.method == "BYE":
            if status != 200:
                pending.call.failure = f"BYE: {message.start}"
            self._over(pending.call)

    def _registered(self, pending: _Pending, message: Message) -> None:
        user = pending.account.user
        if message.status == 200:
            self.registered.add(user)
        elif message.status == 401 and b"\r\nAuthorization:" not in pending.data:
            host, port = self._server
            value = authorization(
                md5_challenge(message),
                user,
                pending.account.password,
                "REGISTER",
                f"sip:{host}:{port}",
            )
            self._register(pending.account, message.one("call-id"), 2, 3600, value)
        else:
            self.problems.append(f"REGISTER {user}: {message.start}")

    def _invite_answered(self, call: Call, pending: _Pending, message: Message) -> None:
        if message.status < 300:
            call.answered_at = time.monotonic()
            call.remote = message.one("to")
            call.target = uri_of(message.one("contact"))
            call.routes = [
                route
                for value in reversed(message.headers.get("record-route", []))
                for route in reversed(re.split(r"\s*,\s*", value))
            ]
            call.media = media_address(message.body)
            call.last = octets(self._dialog_lines(call, "ACK", self._branch()), "")
            self._send(call.last)
            return
        lines = self._dialog_lines(call, "ACK", message.branch)
        acknowledged = [line for line in lines if not line.startswith("To: ")]
        call.last = octets([*acknowledged, f"To: {message.one('to')}"], "")
        self._send(call.last)
        if message.status in {401, 407} and not call.tried:
            call.tried = True
            call.cseq += 1
            account = call.account
            value = authorization(
                md5_challenge(message), account.user, account.password, "INVITE", call.target
            )
            self._request(call, "INVITE", call.body, value)
        else:
            self._failed(pending, message.start)

    def _failed(self, pending: _Pending, why: str) -> None:
        if pending.call is None:
            self.problems.append(f"{pending.account.user}: {why}")
            return
        pending.call.failure = why
        self._over(pending.call)

    def _incoming(self, message: Message) -> None:
        method = message.method
        call = self.calls.get(message.one("call-id"))
        if method == "INVITE":
            if call is None:
                self._ring(message)
            elif call.last:
                self._send(call.last)
        elif method == "ACK":
            self._unacknowledged.pop(message.one("call-id"), None)
        elif method == "BYE":
            self._send(reply(message, 481 if call is None else 200, ""))
            if call is not None:
                call.hung_up_at = call.hung_up_at or time.monotonic()
                self._over(call)
        elif method == "OPTIONS":
            self._send(reply(message, 200, ""))
        else:
            self.problems.append(f"unexpected {message.start}")
            self._send(reply(message, 405, ""))

    def _ring(self, message: Message) -> None:
        """Ring once and answer at once."""
        now = time.monotonic()
        tag = self._token()
        own, port = self.address
        user = user_of(message.start)
        caller = message.one("from")
        call = Call(
            call_id=message.one("call-id"),
            local=f"{message.one('to')};tag={tag}",
            remote=caller,
            target=uri_of(message.one("contact")),
            peer=user_of(caller),
            account=Account(user=user, password=""),
            outgoing=False,
            media=media_address(message.body),
            begun_at=now,
            ringing_at=now,
            answered_at=now,
            invite=message,
        )
        self.calls[call.call_id] = call
        contact = f"Contact: <sip:{user}@{own}:{port}>"
        self._send(reply(message, 180, tag, contact))
        call.last = reply(message, 200, tag, contact, sdp(self._media))
        self._send(call.last)
        self._unacknowledged[call.call_id] = (call, now, T1_S)
        heapq.heappush(self._timers, (now + T1_S, "answer", call.call_id))

    def _answer_again(self, call_id: str, now: float) -> None:
        waiting = self._unacknowledged.get(call_id)
        if waiting is None:
            return
        call, begun, interval = waiting
        if now - begun > TIMEOUT_S:
            del self._unacknowledged[call_id]
            call.failure = "no ACK"
            self._over(call)
            return
        self.retransmissions += 1
        self._send(call.last)
        interval = min(2 * interval, T2_S)
        self._unacknowledged[call_id] = (call, begun, interval)
        heapq.heappush(self._timers, (now + interval, "answer", call_id))

    def _over(self, call: Call) -> None:
        call.ended_at = time.monotonic()
        self._unacknowledged.pop(call.call_id, None)
        if self.on_end is not None:
            self.on_end(call)

    def _send(self, data: bytes) -> None:
        if data:
            self.socket.sendto(data, self._server)

    def _via(self, branch: str) -> str:
        host, port = self.address
        return f"Via: SIP/2.0/UDP {host}:{port};branch={branch};rport"

    def _branch(self) -> str:
        return f"z9hG4bK{self._token()}"

    def _token(self) -> str:
        self._serial += 1
        return f"{self._salt}{self._serial:x}"
