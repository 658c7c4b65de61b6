"""A recorder on a virtual clock: phones that write into a real ring, files on a real disk."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codec.g711 import encode_alaw, encode_mulaw
from recording import permit as permits
from recording.events import Closed, Opened
from recording.folder import Folder
from recording.permit import Basis
from recording.spec import RecordingSpec, StreamFormat, TapSpec, encode_tap
from recording.sync import JointSync
from recording.worker import RecordingWorker
from recording.writer_pool import Job, Kicker, work
from rtp.ring import Kind, RingLayout, RingWriter, initialise
from tests.unit.codec.coders import Coder

START_NS = 1_000_000_000_000
TICK_NS = 20_000_000

PCMA = StreamFormat(payload_type=8, encoding="PCMA", clock_rate=8000)
PCMU = StreamFormat(payload_type=0, encoding="PCMU", clock_rate=8000)
WIDE = StreamFormat(payload_type=9, encoding="G722", clock_rate=8000)
OPUS_FORMAT = StreamFormat(payload_type=111, encoding="opus", clock_rate=48000, channels=2)
EVENTS = StreamFormat(payload_type=101, encoding="telephone-event", clock_rate=8000)


class InlinePool:
    """Writes at once, in the caller's thread; `stalled` is a disk that stands still."""

    def __init__(self) -> None:
        self.stalled = False
        self._kept: list[Job] = []
        self._joint = JointSync()

    def kick(self, job: Job, *, urgent: bool = False) -> None:  # noqa: ARG002 - nothing waits here
        if self.stalled:
            self._kept.append(job)
        else:
            work([job], 0.0, self._joint)

    def go_on(self) -> None:
        self.stalled = False
        kept, self._kept = self._kept, []
        for job in kept:
            work([job], 0.0, self._joint)


@dataclass
class Phone:
    """Sends what `sound` says for each instant of its own clock."""

    leg: int
    sound: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    "From seconds since its start to samples."
    law: StreamFormat = PCMA
    ptime_ms: int = 20
    pace: float = 1.0
    "Packets come so many times as fast as their timestamps say."
    timestamp: int = 12345
    sequence: int = 1
    ssrc: int = 0xABCD
    sent: int = 0
    "Samples."
    next_ns: int = START_NS + 1_000_000
    arrive: Callable[[int, int], int | None] = lambda _, at_ns: at_ns
    "From packet number and instant to the instant of arrival; None: lost."
    talking: bool = True
    coder: Coder | None = None
    "Of a codec with a memory; else the law is taken for one of G.711."
    number: int = 0

    def packet(self) -> tuple[int | None, bytes]:
        """Return when the next packet arrives, and the datagram."""
        count = 8 * self.ptime_ms
        payload = self._payload(count)
        header = (
            bytes((0x80, self.law.payload_type))
            + (self.sequence & 0xFFFF).to_bytes(2, "big")
            + (self.timestamp & 0xFFFFFFFF).to_bytes(4, "big")
            + self.ssrc.to_bytes(4, "big")
        )
        at_ns = self.arrive(self.number, self.next_ns)
        self.number += 1
        self.sent += count
        self.timestamp += count * self.law.clock_rate // 8000
        self.sequence += 1
        self.next_ns += int(self.ptime_ms * 1_000_000 / self.pace)
        return at_ns, header + payload

    def _payload(self, count: int) -> bytes:
        rate = self.coder.rate if self.coder is not None else 8000
        places = self.sent / 8000 + np.arange(count * rate // 8000) / rate
        pcm = np.clip(np.rint(self.sound(places)), -32000, 32000).astype(np.int16)
        if self.coder is not None:
            return self.coder.encode(pcm)
        return (encode_alaw if self.law is PCMA else encode_mulaw)(pcm).tobytes()


@dataclass
class Rig:
    """One media worker's ring, one recorder."""

    folder: Path
    calls: int = 4
    seconds: float = 4.0
    encoder_threads: int = 0
    now_ns: int = START_NS
    phones: list[Phone] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    pool: InlinePool = field(default_factory=InlinePool)
    writers: Kicker | None = None
    "In place of `pool`."
    quality: int = 7
    disk: Callable[[Path], Folder] = Folder
    state_size: int = 1 << 20

    def __post_init__(self) -> None:
        layout = RingLayout.for_calls(self.calls, self.seconds)
        self.ring = memoryview(bytearray(layout.size))
        initialise(self.ring, layout)
        self.state = memoryview(bytearray(self.state_size))
        self.producer = RingWriter(self.ring)
        self.flying: list[tuple[int, int, bytes]] = []
        self.resumed: tuple[int, ...] = ()
        self.start()

    def start(self) -> None:
        """Start a recorder: the first, or the next one after a `kill`."""
        self.worker = RecordingWorker(
            [self.ring],
            self.state,
            folder=self.disk(self.folder),
            writers=self.pool if self.writers is None else self.writers,
            quality=self.quality,
            on_event=self._on_event,
            encoder_threads=self.encoder_threads,
            clock_ns=lambda: self.now_ns,
        )
        self.resumed = self.worker.start()

    def kill(self) -> None:
        """Let go of the recorder as kill -9 does: nothing is flushed."""
        self.pool = InlinePool()
        del self.worker

    def _on_event(self, event: Opened | Closed) -> None:
        if isinstance(event, Opened):
            self.opened.append(event)
        else:
            self.closed.append(event)

    # --- what the media worker does

    def spec(
        self,
        recording_id: int = 1,
        *,
        channels: int = 1,
        rate: int = 8000,
        mixed: int | None = None,
        level: bool = False,
        blank_dtmf: bool = True,
    ) -> RecordingSpec:
        return RecordingSpec(
            recording_id=recording_id,
            relative_path=f"2026/{recording_id}.mp3",
            started_at=1_800_000_000.0,
            started_mono=self.now_ns / 1e9,
            sample_rate=rate,
            mix_rate=rate if mixed is None else mixed,
            channels=channels,
            level=level,
            blank_dtmf=blank_dtmf,
        )

    def tap(
        self,
        leg: int,
        side: int = 0,
        *,
        spec: RecordingSpec | None = None,
        formats: Iterable[StreamFormat] = (PCMA, PCMU, EVENTS),
        epoch: int = 0,
        permit: bytes | None = None,
    ) -> None:
        granted = permits.grant(
            call_id="c1", party_id=f"p{leg}", basis=Basis.OPT_IN, evidence_id="e1", epoch=epoch
        )
        data = encode_tap(
            TapSpec(
                recording=spec or self.spec(),
                leg_id=leg,
                side=side,
                formats=tuple(formats),
                permit=permits.encode(granted) if permit is None else permit,
            )
        )
        self.producer.mark(Kind.TAP_OPENED, leg, self.now_ns, data)

    def close_tap(self, leg: int) -> None:
        self.producer.mark(Kind.TAP_CLOSED, leg, self.now_ns)

    def mark(self, kind: Kind, recording_id: int = 1) -> None:
        self.producer.mark(kind, 0, self.now_ns, recording_id.to_bytes(4, "little"))

    def put(self, leg: int, at_ns: int, packet: bytes) -> None:
        self.producer.packet(packet, len(packet), leg, at_ns)

    # --- time

    def run(self, seconds: float, *, recorder: bool = True) -> None:
        """Let time go by; without `recorder` only the phones' packets come in."""
        end_ns = self.now_ns + int(seconds * 1e9)
        while self.now_ns < end_ns:
            step_ns = min(self.now_ns + TICK_NS, end_ns)
            self._send(step_ns)
            self.now_ns = step_ns
            self.producer.flush(self.now_ns)
            if recorder:
                self.worker.tick(self.now_ns)

    def settle(self) -> None:
        """Let the recorder see what was published last."""
        for _ in range(3):
            self.now_ns += TICK_NS
            self.worker.tick(self.now_ns)

    def _send(self, until_ns: int) -> None:
        for phone in self.phones:
            while phone.next_ns <= until_ns:
                at_ns, packet = phone.packet()
                if at_ns is not None and phone.talking:
                    self.flying.append((at_ns, phone.leg, packet))
        self.flying.sort(key=lambda each: each[0])
        while self.flying and self.flying[0][0] <= until_ns:
            at_ns, leg, packet = self.flying.pop(0)
            self.put(leg, at_ns, packet)


def speaker(pcm: NDArray[np.int16]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return what says `pcm` again and again."""

    def sound(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        return pcm[np.rint(seconds * 8000).astype(np.int64) % len(pcm)].astype(np.float64)

    return sound


def tone(
    hz: float, amplitude: float = 8000.0
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    def sound(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        return amplitude * np.sin(2 * np.pi * hz * seconds)

    return sound
