"""The real media worker as a child process, and telephones that send it packets."""

import contextlib
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import msgspec

from b2bua.media.channel import Deframer, frame
from b2bua.media.from_worker import FromMediaWorker, LegReleased, PortsOffered
from b2bua.media.messages import Counters
from b2bua.media.to_worker import (
    Bridge,
    LendLeg,
    LoadSound,
    OfferPorts,
    OpenTap,
    Play,
    PlayPart,
    ReleaseLeg,
    Route,
    SetRemote,
)
from ivr.digits import EVENT, KEYS
from recording.permit import Basis, encode, grant
from rtp.header import RtpHeader, sequence_distance, timestamp_distance
from rtp.ring import RingLayout, initialise
from rtp.ring_reader import RingReader

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[3]
PATIENCE_S = 10.0
ALAW = Route(payload_types={8: 8, 101: 101}, transcode={})

CODES = ("*1", "*5", "*6", "*0")
SOUND = LoadSound("de/consent", bytes(range(256)) * 5, bytes(range(255, -1, -1)) * 5)
"160 ms, 8 packets."

M = TypeVar("M", bound=msgspec.Struct)

Packet = tuple[RtpHeader, bytes]


@dataclass(frozen=True)
class Entry:
    """What stands in a ring: a packet or a mark."""

    kind: int
    leg: int
    sequence: int
    ssrc: int
    arrival_s: float
    data: bytes


class Phone:
    """One stream of G.711 from a socket of its own, and what comes back."""

    def __init__(self, ssrc: int, host: str = HOST) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(PATIENCE_S)
        self.ssrc = ssrc
        self.sequence = 65530

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def say(self, port: int, payload: bytes = b"a" * 160, *, payload_type: int = 8) -> None:
        header = RtpHeader(
            payload_type=payload_type,
            sequence=self.sequence & 0xFFFF,
            timestamp=(160 * self.sequence) & 0xFFFFFFFF,
            ssrc=self.ssrc,
        )
        self.sequence += 1
        self.socket.sendto(header.serialize() + payload, (HOST, port))

    def hear(self) -> Packet:
        data = self.socket.recv(2048)
        header = RtpHeader.parse(data)
        return header, data[header.payload_offset :]

    def close(self) -> None:
        self.socket.close()

    def hears_nothing(self) -> bool:
        self.socket.setblocking(False)
        try:
            self.socket.recv(2048)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(PATIENCE_S)
        return False


@dataclass
class Worker:
    """A media worker, its parent's end of the channel, and the recorders' ends of the rings."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    readers: list[RingReader]
    deframer: Deframer[FromMediaWorker] = field(default_factory=lambda: Deframer(FromMediaWorker))
    inbox: list[FromMediaWorker] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)

    def send(self, *messages: msgspec.Struct) -> None:
        self.channel.sendall(b"".join(frame(message) for message in messages))

    def expect(self, kind: type[M], condition: Callable[[M], bool] = lambda _: True) -> M:
        """The next message of `kind`; others stay for later."""
        while True:
            for index, message in enumerate(self.inbox):
                if isinstance(message, kind) and condition(message):
                    del self.inbox[index]
                    return message
            data = self.channel.recv(65536)
            assert data, f"the worker has left: {self.inbox}"
            self.inbox += self.deframer.feed(data)

    def phone(self, ssrc: int, host: str = HOST) -> Phone:
        self.phones.append(Phone(ssrc, host))
        return self.phones[-1]

    def leg(self, leg_id: int) -> int:
        """Lend a leg; its port."""
        self.send(OfferPorts(HOST, 1))
        (port,) = self.expect(PortsOffered).ports
        self.send(LendLeg(leg_id, port))
        # What comes before the worker knows of the leg is a stranger's.
        self.barrier()
        return port

    def single(self) -> tuple[Phone, int]:
        """A phone on leg 1, which nobody is joined with, and its port."""
        alice = self.phone(11)
        port = self.leg(1)
        self.send(SetRemote(1, HOST, alice.port))
        return alice, port

    def call(self, route: Route = ALAW, back: Route = ALAW) -> tuple[Phone, int, Phone, int]:
        """Two phones, bridged; phone and port of leg 1, then of leg 2."""
        alice, bob = self.phone(11), self.phone(22)
        ports = self.leg(1), self.leg(2)
        self.send(
            SetRemote(1, HOST, alice.port),
            SetRemote(2, HOST, bob.port),
            Bridge(1, 2, route, back),
        )
        return alice, ports[0], bob, ports[1]

    def barrier(self) -> None:
        """Return when the worker has obeyed all that was sent before."""
        self.send(ReleaseLeg(999_999))
        self.expect(LegReleased, lambda m: m.leg_id == 999_999)

    def counters(self) -> dict[str, float]:
        """The totals when every leg has been looked at from now on, which takes a second."""
        for _ in range(2):
            self.expect(Counters)
        return self.expect(Counters).values

    def ring(self, recorder: int = 0) -> list[Entry]:
        """What has been written into a ring since it was last asked."""
        reader = self.readers[recorder]
        new = [*reader.new_entries(), *reader.new_entries()]
        return [
            Entry(
                kind=int(entry["kind"]),
                leg=int(entry["leg"]),
                sequence=int(entry["sequence"]),
                ssrc=int(entry["ssrc"]),
                arrival_s=int(entry["arrival_ns"]) / 1e9,
                data=reader.data(entry),
            )
            for entry in new
        ]


@contextlib.contextmanager
def running(
    *, rings: int = 2, ports: str = "20000-60000", media_timeout_s: float = 30.0
) -> Iterator[Worker]:
    """Start a worker, and end it as its parent does: it leaves without a word."""
    layout = RingLayout.for_calls(2)
    fds, readers = [], []
    for number in range(rings):
        fd = os.memfd_create(f"ring-{number}")
        os.ftruncate(fd, layout.size)
        memory = memoryview(mmap.mmap(fd, layout.size))
        initialise(memory, layout)
        fds.append(fd)
        readers.append(RingReader(memory))
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE_S)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "b2bua.media.worker"),
            *("--channel", str(theirs.fileno()), "--ring", ",".join(map(str, fds))),
            *("--ports", ports, "--media-timeout", str(media_timeout_s)),
        ],
        cwd=ROOT,
        pass_fds=(theirs.fileno(), *fds),
        stderr=subprocess.PIPE,
    )
    theirs.close()
    for fd in fds:
        os.close(fd)
    worker = Worker(process, ours, readers)
    try:
        yield worker
    finally:
        worker.channel.close()
        _, errors = process.communicate(timeout=PATIENCE_S)
        for phone in worker.phones:
            phone.close()
    assert errors == b""
    assert process.returncode == 0


def permit(party: str = "party-1", epoch: int = 1) -> bytes:
    return encode(
        grant(call_id="c1", party_id=party, basis=Basis.OPT_IN, evidence_id="e1", epoch=epoch)
    )


def tap(leg_id: int, recorder: int = 0, spec: bytes = b"spec") -> OpenTap:
    return OpenTap(leg_id, "party-1", 1, recorder, permit(), spec)


def press(phone: Phone, port: int, key: str, *, event_type: int = 101, packets: int = 5) -> None:
    """Press a key as phones do: one timestamp, growing duration, three ends."""
    timestamp = (160 * phone.sequence) & 0xFFFFFFFF
    for number in range(packets + 2):
        step = min(number + 1, packets)
        ended = step == packets
        header = RtpHeader(
            payload_type=event_type,
            sequence=phone.sequence & 0xFFFF,
            timestamp=timestamp,
            ssrc=phone.ssrc,
            marker=number == 0,
        )
        phone.sequence += 1
        payload = EVENT.pack(KEYS.index(key), (0x80 if ended else 0) | 10, 160 * step)
        phone.socket.sendto(header.serialize() + payload, (HOST, port))


def events(packets: list[Packet]) -> str:
    """The keys that a phone has heard, by the timestamps of telephone events."""
    keys = {h.timestamp: KEYS[data[0]] for h, data in packets if h.payload_type == 101}
    return "".join(keys.values())


def assert_gapless(packets: list[Packet]) -> None:
    """One SSRC, no number missing, and time never runs backwards."""
    for (before, _), (after, _) in pairwise(packets):
        assert after.ssrc == before.ssrc
        assert sequence_distance(before.sequence, after.sequence) == 1
        assert timestamp_distance(before.timestamp, after.timestamp) >= 0


def hear_until(phone: Phone, last: bytes) -> list[Packet]:
    """All packets up to the one with this payload."""
    packets: list[Packet] = []
    while not packets or packets[-1][1] != last:
        packets.append(phone.hear())
    return packets


def play(leg_id: int, play_id: int = 1, *, loop: bool = False, payload_type: int = 8) -> Play:
    parts = (PlayPart(sound=SOUND.name, loop=loop),)
    return Play(leg_id, play_id, parts, 8 if payload_type == 8 else 0)
