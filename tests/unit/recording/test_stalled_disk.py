"""A disk that answers nothing for a minute: no sample is lost, and nobody waits for it.

Real writer threads hang in the folder's lowest operations until the test lets them go. What
mixes runs on a virtual clock in the test's own thread: did it wait for the disk, the test
would never end.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from recording.folder import Folder, Part
from recording.writer_pool import WriterPool
from rtp.ring import Kind
from tests.support import audio
from tests.unit.recording.rig import PCMU, START_NS, Phone, Rig, tone

pytestmark = [pytest.mark.peer("ffmpeg"), pytest.mark.timeout(120)]

PATIENCE_S = 60.0
STALL_S = 60.0
A, B = 440.0, 1000.0


class HangingFolder(Folder):
    """Hangs in one operation, from `hang` to `go_on`."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.hanging = threading.Event()
        "Set once a thread hangs."
        self._in: str | None = None
        self._free = threading.Event()

    def hang(self, operation: str) -> None:
        self._in = operation

    def go_on(self) -> None:
        self._in = None
        self._free.set()

    def _pass(self, operation: str) -> None:
        if operation == self._in:
            self.hanging.set()
            assert self._free.wait(PATIENCE_S)

    def create(self, relative_path: str) -> Part:
        self._pass("create")
        return super().create(relative_path)

    def write(self, part: Part, data: bytes | memoryview, offset: int) -> int:
        self._pass("write")
        return super().write(part, data, offset)

    def sync(self, part: Part) -> None:
        self._pass("sync")
        super().sync(part)


class Setting:
    """A recorder with real writers over a folder that hangs."""

    def __init__(self, root: Path) -> None:
        self.folder = HangingFolder(root)
        self.writers = WriterPool()
        self.rig = Rig(root, disk=lambda _: self.folder, writers=self.writers)
        self.rig.phones += [Phone(1, tone(A)), Phone(2, tone(B), law=PCMU)]

    def record(self) -> None:
        self.rig.tap(1, 0)
        self.rig.tap(2, 1)

    def run_into(self, operation: str) -> None:
        """Let time go by until a thread hangs in the operation."""
        self.folder.hang(operation)
        while not self.folder.hanging.wait(0.01):
            self.rig.run(0.1)

    def finish(self) -> None:
        """Stop the recording, and wait for the result."""
        self.rig.mark(Kind.STOPPED)
        self.rig.settle()
        self.await_result()

    def await_result(self) -> None:
        recording = self.rig.worker._recordings.get(1)
        if recording is not None:
            recording.file._writer.result.result(PATIENCE_S)
        self.rig.settle()

    def close(self) -> None:
        self.folder.go_on()
        assert self.writers.close(PATIENCE_S)


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    made = Setting(tmp_path)
    yield made
    made.close()


def assert_whole(setting: Setting, seconds: float) -> None:
    (closed,) = setting.rig.closed
    assert (closed.failure, closed.missing_s) == (None, 0.0)
    pcm = audio.decode(setting.rig.folder / "2026/1.mp3")
    assert abs(audio.seconds(pcm) - seconds) <= 0.040
    for hz in (A, B):
        assert audio.tone_levels(pcm, hz)[3:-4].min() > -14.0, "without a dip"


@pytest.mark.parametrize("operation", ["create", "write", "sync"])
def test_a_minute_without_the_disk_costs_no_sample(setting: Setting, operation: str) -> None:
    rig = setting.rig
    if operation == "create":
        setting.folder.hang("create")
    setting.record()
    setting.run_into(operation)
    rig.run(STALL_S)
    assert rig.worker.counters()["ring_lost_packets"] == 0
    assert rig.worker.counters()["lag_s"] < 0.1, "the tick never waits"
    setting.folder.go_on()
    rig.run(3.0)
    seconds = (rig.now_ns - START_NS) / 1e9
    setting.finish()
    assert_whole(setting, seconds)


def test_a_call_that_ends_meanwhile_is_whole_when_the_disk_is_back(setting: Setting) -> None:
    rig = setting.rig
    setting.record()
    setting.run_into("write")
    rig.run(5.0)
    seconds = (rig.now_ns - START_NS) / 1e9
    rig.mark(Kind.STOPPED)
    rig.run(20.0)
    assert not rig.closed
    setting.folder.go_on()
    setting.await_result()
    assert_whole(setting, seconds)


def test_two_minutes_are_too_long_and_leave_what_there_was(setting: Setting) -> None:
    rig = setting.rig
    setting.record()
    rig.run(10.0)
    setting.run_into("write")
    rig.run(120.0)
    setting.folder.go_on()
    setting.await_result()
    (closed,) = rig.closed
    assert "waited for the disk" in (closed.failure or "")
    assert closed.relative_path == "2026/1.mp3"
    assert closed.missing_s > STALL_S
    pcm = audio.decode(rig.folder / closed.relative_path)
    assert audio.tone_levels(pcm, A)[3:-4].min() > -14.0
