"""rtpengine's ng protocol, as much as two telephones need: bencode over UDP, with a cookie.

Requests go out one at a time; the answer to a cookie that is repeated is repeated, so a lost
datagram is asked for again.
"""

import itertools
import re
import socket
from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = "str | int | list[Value] | Mapping[str, Value]"

ANSWER_S = 1.0
TRIES = 5
MAX_DATAGRAM = 65_535

_MEDIA = re.compile(r"^m=audio ([0-9]+) ", re.MULTILINE)


class NgError(Exception):
    """rtpengine gave another answer than `ok`, or none."""


def bencode(value: Value) -> bytes:
    """Return the bencoded form; keys in the order of their octets."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        octets = value.encode()
        return b"%d:%s" % (len(octets), octets)
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    pairs = sorted((key.encode(), each) for key, each in value.items())
    return b"d" + b"".join(bencode(key.decode()) + bencode(each) for key, each in pairs) + b"e"


def bdecode(data: bytes) -> Value:
    """Return what the octets mean; raises `NgError` for what is not bencoded."""
    try:
        value, end = _decode(data, 0)
    except (ValueError, IndexError) as error:
        raise NgError(f"not bencoded: {data[:40]!r}") from error
    if end != len(data):
        raise NgError(f"{len(data) - end} octets too many")
    return value


def _decode(data: bytes, at: int) -> tuple[Value, int]:
    """Return the value at `at` and the place behind it."""
    match data[at : at + 1]:
        case b"i":
            end = data.index(b"e", at)
            return int(data[at + 1 : end]), end + 1
        case b"l" | b"d" as kind:
            items: list[Value] = []
            at += 1
            while data[at : at + 1] != b"e":
                item, at = _decode(data, at)
                items.append(item)
            if kind == b"l":
                return items, at + 1
            return dict(zip(map(str, items[::2]), items[1::2], strict=True)), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    if end > len(data):
        raise ValueError("cut off")
    return data[colon + 1 : end].decode(), end


def sdp(host: str, port: int) -> str:
    """Return the description of a telephone that speaks PCMA."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )


def media_port(description: str) -> int:
    """Return the port of the audio; raises `NgError`."""
    match = _MEDIA.search(description)
    if match is None:
        raise NgError(f"no audio in {description!r}")
    return int(match[1])


class Ng:
    """The client of one rtpengine."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((host, port))
        self._socket.settimeout(ANSWER_S)
        self._cookies = itertools.count(1)

    def ask(self, request: Mapping[str, Value]) -> Mapping[str, Value]:
        """Return the answer; raises `NgError`."""
        cookie = b"%d" % next(self._cookies)
        for _ in range(TRIES):
            try:
                self._socket.send(cookie + b" " + bencode(request))
                answer = self._await(cookie)
            except OSError:  # not there yet, or no answer in time
                continue
            if not isinstance(answer, Mapping) or answer.get("result") not in ("ok", "pong"):
                raise NgError(f"{request['command']}: {answer}")
            return answer
        raise NgError(f"{request['command']}: no answer")

    def _await(self, cookie: bytes) -> Value:
        while True:
            came, _, data = self._socket.recv(MAX_DATAGRAM).partition(b" ")
            if came == cookie:
                return bdecode(data)

    def connect(
        self, call: str, caller: tuple[str, int], callee: tuple[str, int]
    ) -> tuple[int, int]:
        """Set up a call; return the ports to which the caller and the callee send."""
        names: dict[str, Value] = {"call-id": call, "from-tag": f"{call}-a"}
        offered = self.ask({"command": "offer", "sdp": sdp(*caller), **names})
        to_tag: dict[str, Value] = {"to-tag": f"{call}-b"}
        answered = self.ask({"command": "answer", "sdp": sdp(*callee), **names, **to_tag})
        return media_port(str(answered["sdp"])), media_port(str(offered["sdp"]))

    def close(self) -> None:
        self._socket.close()
