"""What goes wrong in a recorder: disks, encoders and mixing; one recording at a time."""

import errno
from pathlib import Path

import pytest

from recording.folder import Folder, Part
from rtp.ring import Kind
from tests.support import audio
from tests.unit.recording.hearing import SOUNDS, A, call, finish, level
from tests.unit.recording.rig import Phone, Rig, tone

pytestmark = pytest.mark.peer("ffmpeg")


class FullFolder(Folder):
    """Has no space left behind the first octets of recording 1."""

    limit = 30_000

    def write(self, part: Part, data: bytes | memoryview, offset: int) -> int:
        if part.relative_path == "2026/1.mp3" and offset > self.limit:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(part, data, offset)


def test_a_full_disk_ends_its_recording_with_what_was_written(tmp_path: Path) -> None:
    rig = Rig(tmp_path, disk=FullFolder)
    call(rig)
    rig.tap(5, 0, spec=rig.spec(2))
    rig.run(60.0)
    assert not rig.closed, "a minute is waited for the disk"
    rig.run(20.0)
    (closed,) = rig.closed
    assert "ENOSPC" in (closed.failure or "")
    assert closed.relative_path == "2026/1.mp3"
    assert 10.0 <= closed.duration_s <= 12.0
    assert closed.missing_s > 50
    pcm = audio.decode(rig.folder / "2026/1.mp3")
    assert abs(audio.seconds(pcm) - closed.duration_s) <= 0.040
    assert level(pcm, A, 0.1, 9.0) > SOUNDS
    rig.mark(Kind.STOPPED, 2)
    rig.settle()
    assert rig.closed[1].failure is None
    assert rig.closed[1].duration_s == pytest.approx(80.0, abs=0.001)


def test_a_disk_that_stands_still_costs_nothing(rig: Rig) -> None:
    call(rig)
    rig.run(5.0)
    rig.pool.stalled = True
    rig.run(50.0)
    assert rig.worker.counters()["checkpoints_forced"] > 0, "the ring must not fill"
    assert rig.worker.counters()["ring_lost_packets"] == 0
    rig.pool.go_on()
    rig.run(5.0)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 60.0) <= 0.040
    assert audio.tone_levels(pcm, A)[3:-4].min() > SOUNDS
    assert rig.closed[0].failure is None


def test_a_broken_encoder_ends_its_recording_only(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(rig)
    rig.phones.append(Phone(5, tone(2000.0)))
    rig.tap(5, 0, spec=rig.spec(2))
    rig.run(3.0)
    recording = rig.worker._recordings[1]

    def broken(_: object) -> bytes:
        raise RuntimeError("LAME is ill")

    monkeypatch.setattr(recording.file._encoder, "encode", broken)
    rig.run(3.0)
    assert [each.recording_id for each in rig.closed] == [1]
    assert "LAME is ill" in (rig.closed[0].failure or "")
    assert rig.closed[0].duration_s < 3.0
    assert level(audio.decode(rig.folder / "2026/1.mp3"), A, 0.1, 1.5) > SOUNDS
    rig.mark(Kind.STOPPED, 2)
    rig.settle()
    assert rig.closed[1].failure is None
    assert abs(audio.seconds(audio.decode(rig.folder / "2026/2.mp3")) - 6.0) <= 0.040


def test_a_failure_while_mixing_ends_its_recording_only(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(rig)
    rig.tap(5, 0, spec=rig.spec(2))
    rig.run(3.0)

    def broken(_: int) -> None:
        raise RuntimeError("no mixing today")

    monkeypatch.setattr(rig.worker._recordings[1], "mix_due", broken)
    rig.run(3.0)
    assert [each.recording_id for each in rig.closed] == [1]
    assert "no mixing today" in (rig.closed[0].failure or "")
    assert rig.closed[0].relative_path == "2026/1.mp3"


def test_a_disk_that_hangs_at_the_end_is_given_up_with_its_part_kept(rig: Rig) -> None:
    call(rig)
    rig.run(3.0)
    rig.pool.stalled = True
    rig.worker.finish_all(rig.now_ns)
    rig.worker.give_up("the disk did not answer")
    (closed,) = rig.closed
    assert closed.relative_path is None
    assert closed.failure == "the disk did not answer"
    assert (rig.folder / "2026/1.mp3.part").exists()
    assert rig.worker.idle
    rig.worker.close()


def test_a_checkpoint_that_does_not_fit_does_not_stop_the_ring(tmp_path: Path) -> None:
    rig = Rig(tmp_path, state_size=300)
    call(rig)
    rig.run(12.0)
    assert rig.worker._lanes[0].reader.safe > 500
    assert abs(audio.seconds(finish(rig)) - 12.0) <= 0.040
