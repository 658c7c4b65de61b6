"""The media of a telephone whose every packet the test knows: what was sent when, what came when.

A-law and telephone events. Places are seconds in the phone's own outgoing stream; its RTP
timestamps say the same, so the place of a key and that of a recorded sample can be compared
to the sample.
"""

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from codec.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from ivr.digits import END, EVENT, KEYS
from rtp.header import RtpHeader
from tests.support import audio, ports
from tests.support.audio import Pcm

PCMA = 8
PCMU = 0
EVENTS = 101
FRAME = 160
"Samples of a packet."

FRAME_S = 0.02
KEY_FRAMES = 4
"A key is down for so many packets, then its end is said three times."

BETWEEN_KEYS_FRAMES = 3

LEAP_TS = 4000
"Samples by which timestamps may run ahead of arrivals: packets that came in a burst."


ENCODERS: dict[str, Callable[[Pcm], bytes]] = {
    "PCMA": lambda pcm: encode_alaw(pcm).tobytes(),
    "PCMU": lambda pcm: encode_mulaw(pcm).tobytes(),
    # Nobody here can say anything in G.729, but 20 octets for 20 ms look like it.
    "G729": lambda _: secrets.token_bytes(20),
}
"What a wire speaks, by encoding name."


DECODERS = {PCMA: decode_alaw, PCMU: decode_mulaw}
"What a wire hears, by payload type."


@dataclass(frozen=True, slots=True)
class Packet:
    """What came."""

    at: float
    "Monotonic seconds."
    header: RtpHeader
    payload: bytes

    @property
    def samples(self) -> Pcm:
        """The audio of the packet; none of a key."""
        decode = DECODERS.get(self.header.payload_type)
        return (
            audio.silence(0.0) if decode is None else decode(np.frombuffer(self.payload, np.uint8))
        )


@dataclass(frozen=True, slots=True)
class Pressed:
    """The first packet of a key."""

    key: str
    place: float
    "Seconds in the own stream."
    at: float
    "Monotonic seconds."


class RtpWire:
    """One RTP socket: speaks in real time from `talk_to` on, and keeps what it hears of a call."""

    def __init__(self, says: Pcm) -> None:
        self.packets: list[Packet] = []
        self.port, self._socket = _bound()
        self._remote: tuple[str, int] | None = None
        self._former: tuple[str, int] | None = None
        "Whose packets belong to a call that is over."
        self._says = says
        self._said_from = 0
        self._sent = 0
        "Samples."
        self._keys: list[tuple[bytes, str]] = []
        "Event payloads still to be sent, one a frame, each with the key that it begins."
        self._event_place = 0
        self.codec = "PCMA", PCMA
        "Encoding name and payload type of what is sent."
        self._idle = asyncio.Event()
        self._idle.set()
        self._presses: list[Pressed] = []
        self._sequence = secrets.randbits(15)
        self._base_ts, self._ssrc = secrets.randbits(32), secrets.randbits(32)

    def talk_to(self, host: str, port: int) -> None:
        """Send to this address from now on."""
        self._remote = host, port
        if self._former == self._remote:
            self._former = None

    def begin_call(self) -> None:
        """Forget what was heard, and what of the last call may still be on its way here."""
        self.packets.clear()
        self._former = self._remote

    def move(self) -> None:
        """Speak and listen at another port from now on; whoever is to know has to be told."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        self._socket.close()
        self.port, self._socket = _bound()
        loop.add_reader(self._socket, self._read)

    def say(self, pcm: Pcm) -> float:
        """Say this again and again, from the next packet on; returns that one's place."""
        self._says, self._said_from = pcm, self._sent
        return self._sent / audio.RATE

    async def press(self, keys: str) -> tuple[Pressed, ...]:
        """Press keys while speaking on, and return when the last one is up."""
        for key in keys:
            for frame in range(1, KEY_FRAMES + 1):
                flags = END if frame == KEY_FRAMES else 0
                event = EVENT.pack(KEYS.index(key), flags | 10, frame * FRAME)
                again = 3 if flags else 1
                self._keys += [(event, key if frame == 1 else "")] * again
            self._keys += [(b"", "")] * BETWEEN_KEYS_FRAMES
        self._idle.clear()
        await self._idle.wait()
        return tuple(self._presses[-len(keys) :])

    # --- what was heard

    def heard(self, *, since: float = 0.0) -> Pcm:
        """Return the audio that came, each sample at the place that its timestamp says.

        `since`: only what arrived from then on, monotonic seconds.
        """
        came = [p for p in self.packets if p.header.payload_type in DECODERS and p.at >= since]
        if not came:
            return audio.silence(0.0)
        places = [(p.header.timestamp - came[0].header.timestamp) & 0xFFFFFFFF for p in came]
        pcm = np.zeros(max(places) + FRAME, dtype=np.int16)
        for place, packet in zip(places, came, strict=True):
            samples = packet.samples
            pcm[place : place + samples.size] = samples
        return pcm

    def keys(self) -> str:
        """Return the keys that came, each once, in the order of their first packets."""
        begun: dict[int, str] = {}
        for packet in self.packets:
            if packet.header.payload_type == EVENTS:
                begun.setdefault(packet.header.timestamp, KEYS[packet.payload[0]])
        return "".join(begun.values())

    def assert_one_stream(self) -> None:
        """Assert that all that came is one stream of RTP, whoever was to be heard in it.

        One SSRC, no number left out, no audio behind what is older, and no leap of the clock
        (:rfc:`3550#section-5.1`).
        """
        assert len({p.header.ssrc for p in self.packets}) == 1
        for before, after in pairwise(self.packets):
            step = after.header.sequence - before.header.sequence & 0xFFFF
            assert step == 1, f"sequence numbers leap by {step}"
        sounds = [p for p in self.packets if p.header.payload_type == PCMA]
        for before, after in pairwise(sounds):
            step = after.header.timestamp - before.header.timestamp & 0xFFFFFFFF
            passed = (after.at - before.at) * audio.RATE
            assert 0 < step < passed + LEAP_TS, f"timestamps leap by {step} in {passed:.0f}"

    async def hears(self, hz: float, *, timeout_s: float = 10.0, since: float = 0.0) -> None:
        """Wait until a tone is to be heard: packets are looked at as they come."""
        async with asyncio.timeout(timeout_s):
            while not self._just_heard(hz, since):  # noqa: ASYNC110 - as said above
                await asyncio.sleep(FRAME_S)

    def _just_heard(self, hz: float, since: float) -> bool:
        last = self.heard(since=since)[-8 * FRAME :]
        return bool(audio.tone_intervals(last, hz, shortest=0.0))

    # --- the wire

    async def run(self) -> None:
        """Send a packet each 20 ms, and take in what comes; until cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, self._read)
        due = loop.time()
        try:
            while True:
                due += FRAME_S
                await asyncio.sleep(max(0.0, due - loop.time()))
                if self._remote is not None:
                    self._send_frame()
        finally:
            loop.remove_reader(self._socket)
            self._socket.close()

    def _send_frame(self) -> None:
        place = self._sent
        if self._keys:
            self._send_key(*self._keys.pop(0))
        elif not self._idle.is_set():
            self._idle.set()
        positions = (place - self._said_from + np.arange(FRAME)) % self._says.size
        encoding, number = self.codec
        self._send(number, ENCODERS[encoding](self._says[positions]), place)
        self._sent += FRAME

    def _send_key(self, event: bytes, begins: str) -> None:
        if begins:
            self._event_place = self._sent
            pressed = Pressed(begins, self._sent / audio.RATE, time.monotonic())
            self._presses.append(pressed)
        if event:
            self._send(EVENTS, event, self._event_place, marker=bool(begins))

    def _send(self, payload_type: int, payload: bytes, place: int, *, marker: bool = False) -> None:
        assert self._remote is not None
        self._sequence += 1
        header = RtpHeader(
            payload_type=payload_type,
            sequence=self._sequence & 0xFFFF,
            timestamp=(self._base_ts + place) & 0xFFFFFFFF,
            ssrc=self._ssrc,
            marker=marker,
        )
        # A port that is closed already is no business of the test's.
        with contextlib.suppress(OSError):
            self._socket.sendto(header.serialize() + payload, self._remote)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, source = self._socket.recvfrom(2048)
                if source == self._former:
                    continue
                header = RtpHeader.parse(data)
                self.packets.append(Packet(time.monotonic(), header, data[header.payload_offset :]))


def _bound() -> tuple[int, socket.socket]:
    """Return a socket at a port of its own, and the port."""
    port = ports.take(2)
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    opened.bind((ports.LOOPBACK, port))
    return port, opened
