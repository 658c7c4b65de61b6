"""The recorder as a process of its own: started, killed, left alone.

Packets carry instants that lie ahead of the clock, so seconds of a call go through the ring
at once; nothing here waits for time to pass.
"""

import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from b2bua.media.channel import Deframer
from b2bua.media.from_recorder import (
    FromRecorder,
    RecorderLoad,
    RecorderReady,
    RecordingClosed,
    RecordingOpened,
)
from b2bua.media.messages import Counters
from b2bua.media.recorder import IDLE_TICK_NS, TICK_NS
from codec.g711 import encode_alaw
from recording import permit as permits
from recording.lane import PIECE_NS
from recording.permit import Basis
from recording.spec import RecordingSpec, StreamFormat, TapSpec, encode_tap
from rtp.header import HEADER
from rtp.ring import Kind, RingLayout, RingWriter, initialise
from tests.support import audio

ROOT = Path(__file__).resolve().parents[3]
STATE_SIZE = 1 << 20
M = TypeVar("M")


class Parent:
    """What the signalling process and a media worker do, for one recorder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        layout = RingLayout.for_calls(4)
        self.ring_fd = os.memfd_create("ring")
        os.ftruncate(self.ring_fd, layout.size)
        self.memory = mmap.mmap(self.ring_fd, layout.size)
        initialise(memoryview(self.memory), layout)
        self.state_fd = os.memfd_create("state")
        os.ftruncate(self.state_fd, STATE_SIZE)
        self.lock_fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        self.producer = RingWriter(memoryview(self.memory))
        self.now_ns = 0
        self.sent = 0
        self.start()

    def start(self) -> None:
        """Start a recorder and wait until it is ready."""
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(20.0)
        self.deframer: Deframer[FromRecorder] = Deframer(FromRecorder)
        self.messages: list[FromRecorder] = []
        with theirs:
            words = ["--channel", str(theirs.fileno()), "--rings", str(self.ring_fd)]
            words += ["--state", str(self.state_fd), "--folder", str(self.folder)]
            words += ["--quality", "7", "--lock", str(self.lock_fd)]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "b2bua.media.recorder", *words],
                cwd=ROOT,
                pass_fds=(theirs.fileno(), self.ring_fd, self.state_fd, self.lock_fd),
            )
        self.ready = self.wait_for(RecorderReady)

    def wait_for(self, kind: type[M]) -> M:
        """Return the next message of a kind; what comes before it is dropped."""
        while True:
            for index, message in enumerate(self.messages):
                if isinstance(message, kind):
                    del self.messages[: index + 1]
                    return message
            self.messages = [*self.messages, *self.receive()]

    def receive(self) -> list[FromRecorder]:
        """Return the messages that come next."""
        data = self.sock.recv(1 << 16)
        assert data, "the recorder left"
        return list(self.deframer.feed(data))

    def tap(self, at_ns: int = int(1e15)) -> None:
        """Open a recording with one party, far enough ahead of the recorder's clock."""
        self.now_ns = at_ns
        permit = permits.grant(
            call_id="c", party_id="p", basis=Basis.OPT_IN, evidence_id="e", epoch=0
        )
        spec = RecordingSpec(
            recording_id=7,
            relative_path="2026/07/call.mp3",
            started_at=1.8e9,
            started_mono=self.now_ns / 1e9,
            title="101 to 102",
        )
        tap = TapSpec(
            recording=spec,
            leg_id=1,
            side=0,
            formats=(StreamFormat(8, "PCMA", 8000),),
            permit=permits.encode(permit),
        )
        self.producer.mark(Kind.TAP_OPENED, 1, self.now_ns, encode_tap(tap))

    def talk(self, seconds: float) -> None:
        """Put so much of a tone of 440 Hz into the ring."""
        for _ in range(round(seconds * 50)):
            places = self.sent * 160 + np.arange(160)
            pcm = (8000 * np.sin(2 * np.pi * 440 * places / 8000)).astype(np.int16)
            self.now_ns += 20_000_000
            header = HEADER.pack(0x80, 8, self.sent & 0xFFFF, self.sent * 160, 99)
            packet = header + encode_alaw(pcm).tobytes()
            self.producer.packet(packet, len(packet), 1, self.now_ns)
            self.sent += 1

    def stop(self) -> None:
        self.producer.mark(Kind.STOPPED, 0, self.now_ns, (7).to_bytes(4, "little"))

    def wait_for_packets(self) -> Counters:
        """Wait until the recorder has read everything that was sent in its life."""
        while True:
            counters = self.wait_for(Counters)
            if counters.values["packets"] > 0 and counters.values["lag_s"] < 1.0:
                return counters

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.sock.close()

    def close(self) -> None:
        self.kill()
        del self.producer
        for fd in (self.ring_fd, self.state_fd, self.lock_fd):
            os.close(fd)

    def decoded(self) -> audio.Pcm:
        return audio.decode(self.folder / "2026/07/call.mp3")


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    made = Parent(tmp_path)
    yield made
    made.close()


def assert_continuous(pcm: audio.Pcm, seconds: float) -> None:
    """A dip of more than 20 ms would show in the level of any 64 ms."""
    assert abs(audio.seconds(pcm) - seconds) <= 0.040
    levels = audio.tone_levels(pcm, 440.0)[3:-4]
    assert levels.max() - levels.min() < 0.5


@pytest.mark.peer("ffmpeg")
def test_a_call_is_recorded(parent: Parent) -> None:
    assert parent.ready.resumed == ()
    parent.tap()
    parent.talk(5.0)
    parent.stop()
    assert parent.wait_for(RecordingOpened) == RecordingOpened(recording_id=7, at=1e6)
    closed = parent.wait_for(RecordingClosed)
    assert closed.failure is None
    assert closed.relative_path == "2026/07/call.mp3"
    assert closed.duration_s == pytest.approx(5.0, abs=0.001)
    assert closed.octets == (parent.folder / closed.relative_path).stat().st_size
    assert_continuous(parent.decoded(), 5.0)


@pytest.mark.peer("ffmpeg")
def test_kill_9_leaves_no_hole(parent: Parent) -> None:
    parent.tap()
    parent.talk(5.0)
    parent.wait_for_packets()
    parent.kill()
    parent.talk(3.0)
    parent.start()
    assert parent.ready.resumed == (7,)
    parent.talk(2.0)
    parent.wait_for_packets()
    parent.kill()
    parent.start()
    parent.talk(1.5)
    parent.stop()
    closed = parent.wait_for(RecordingClosed)
    assert closed.failure is None
    assert closed.missing_s == 0
    assert_continuous(parent.decoded(), 11.5)


@pytest.mark.peer("ffmpeg")
def test_signals_are_ignored_and_the_end_of_the_channel_finishes_the_file(
    parent: Parent,
) -> None:
    parent.tap()
    parent.talk(3.0)
    for number in (signal.SIGTERM, signal.SIGINT):
        parent.process.send_signal(number)
    parent.wait_for_packets()
    parent.sock.close()
    assert parent.process.wait(5) == 0
    # Nobody said when the call ended, and here the clock is behind the packets' instants.
    assert [path.name for path in parent.folder.rglob("*.mp3*")] == ["call.mp3"]
    pcm = parent.decoded()
    assert audio.tone_level(pcm, 440.0, 0.1, audio.seconds(pcm) - 0.1) > -14.0


def test_counters_come_by_themselves(parent: Parent) -> None:
    values = parent.wait_for(Counters).values
    assert values["recordings_open"] == 0
    assert values["cpu_s"] > 0


def test_a_recorder_that_can_not_keep_up_says_so(parent: Parent) -> None:
    """What comes in is a minute old, as if there had been no time to read it."""
    parent.tap(time.monotonic_ns() - 60_000_000_000)
    loads: list[RecorderLoad] = []
    while len(loads) < 2:
        parent.talk(0.02)
        if select.select([parent.sock], [], [], 0.02)[0]:
            loads += [each for each in parent.receive() if isinstance(each, RecorderLoad)]
    assert loads == [RecorderLoad(taking=True, level=1), RecorderLoad(taking=False, level=2)]


def test_what_begins_on_an_idle_recorder_does_not_look_late() -> None:
    assert TICK_NS < IDLE_TICK_NS < PIECE_NS
