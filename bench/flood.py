"""A process that sends datagrams nobody asked for, at a steady rate: `python -m bench.flood`.

The order comes as JSON on stdin: where to, how many a second, for how long, and what: `packets`
(RTP of a stranger, one stream) or `registers` (a REGISTER without credentials each, no two
alike). It begins at once, and prints one JSON line: how many the kernel took, and how many
octets came back.
"""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bench import mmsg
from bench.sip_text import octets

HOST = "127.0.0.4"
BURST_S = 0.002
Kind = Literal["packets", "registers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What is sent."""

    kind: Kind
    host: str
    port: int
    rate: int
    "Datagrams a second."
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flooded:
    """What became of it."""

    sent: int
    sent_octets: int
    answers: int
    answered_octets: int
    lag_ms_max: float
    "How late the latest burst was."


def stranger(number: int) -> bytes:
    """An RTP packet of a stream that nobody has negotiated (:rfc:`3550#section-5.1`)."""
    head = bytes((0x80, 8)) + (number & 0xFFFF).to_bytes(2, "big")
    head += (160 * number & 0xFFFFFFFF).to_bytes(4, "big") + b"\xde\xad\xbe\xef"
    return head + b"\xd5" * 160


def register(number: int, own: tuple[str, int], flood: Flood) -> bytes:
    """A REGISTER for an extension that may exist, without credentials."""
    host, port = own
    name = f"<sip:{1000 + number % 100}@{flood.host}>"
    lines = [
        f"REGISTER sip:{flood.host}:{flood.port} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number:08x};rport",
        "Max-Forwards: 70",
        f"From: {name};tag={number:x}",
        f"To: {name}",
        f"Call-ID: {number:08x}@{host}",
        "CSeq: 1 REGISTER",
        f"Contact: <sip:{1000 + number % 100}@{host}:{port}>",
        "Expires: 3600",
    ]
    return octets(lines, "")


def bursts(flood: Flood) -> Iterator[tuple[float, int, int]]:
    """Yield when each burst is due, s from the begin, and the numbers from and to."""
    total = int(flood.rate * flood.seconds)
    sent, step = 0, 0
    while sent < total:
        step += 1
        until = min(total, int(step * BURST_S * flood.rate))
        yield (step - 1) * BURST_S, sent, until
        sent = until


def run(flood: Flood, bound: socket.socket) -> Flooded:
    """Send at fixed instants; what the kernel does not take is not sent again."""
    own: tuple[str, int] = bound.getsockname()
    to = (flood.host, flood.port)
    sent = sent_octets = answers = answered_octets = 0
    lag = 0.0
    begin = time.monotonic()
    for due, first, end in bursts(flood):
        if flood.kind == "packets":
            messages = [stranger(number) for number in range(first, end)]
        else:
            messages = [register(number, own, flood) for number in range(first, end)]
        while (left := begin + due - time.monotonic()) > 0:
            time.sleep(left)
        lag = max(lag, -left)
        for message in messages:
            with contextlib.suppress(BlockingIOError):
                sent_octets += bound.sendto(message, to)
                sent += 1
        for answer in waiting(bound):
            answers += 1
            answered_octets += len(answer)
    return Flooded(
        sent=sent,
        sent_octets=sent_octets,
        answers=answers,
        answered_octets=answered_octets,
        lag_ms_max=round(1000 * lag, 2),
    )


def waiting(bound: socket.socket) -> Iterator[bytes]:
    """Yield the datagrams that are there."""
    while True:
        try:
            yield bound.recv(65535)
        except BlockingIOError:
            return


class Flooder:
    """The flood as the one who orders it sees it."""

    def __init__(self, flood: Flood) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "bench.flood"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parent.parent,
        )
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(asdict(flood)) + "\n")
        self._child.stdin.flush()

    def finish(self) -> Flooded:
        """Wait for its end."""
        said, _ = self._child.communicate()
        return Flooded(**json.loads(said))

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()


def main() -> None:
    """Entry point of the flooding process."""
    mmsg.die_with_parent()
    mmsg.precise_timers()
    flood = Flood(**json.loads(sys.stdin.readline()))
    with mmsg.udp_socket(HOST) as bound:
        print(json.dumps(asdict(run(flood, bound))), flush=True)


if __name__ == "__main__":
    main()
