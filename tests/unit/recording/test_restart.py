"""kill -9 of a recorder, seen from the file: its successor goes on as if nothing had been.

The ring and the state live on, the process does not: here the object is dropped, and
nothing it held in memory reaches its successor.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rtp.ring import Kind
from tests.support import audio
from tests.unit.recording.rig import PCMU, Phone, Rig, speaker, tone

pytestmark = pytest.mark.peer("ffmpeg")

A, B = 440.0, 1000.0
SOUNDS, SILENT = -14.0, -55.0


def call(rig: Rig) -> None:
    rig.phones += [Phone(1, tone(A)), Phone(2, tone(B), law=PCMU)]
    rig.tap(1, 0)
    rig.tap(2, 1)


def restart(rig: Rig, away_s: float = 0.6) -> None:
    rig.kill()
    rig.run(away_s, recorder=False)
    rig.start()


def finish(rig: Rig) -> NDArray[np.int16]:
    rig.mark(Kind.STOPPED)
    rig.settle()
    assert [each.recording_id for each in rig.closed] == [1]
    assert [path.name for path in rig.folder.rglob("*.mp3*")] == ["1.mp3"]
    return audio.decode(rig.folder / "2026/1.mp3")


def assert_whole(pcm: NDArray[np.int16], seconds: float) -> None:
    """A dip of 20 ms would show in a window of 64 ms; so would a phase that jumps."""
    assert abs(audio.seconds(pcm) - seconds) <= 0.040
    for hz in (A, B):
        levels = audio.tone_levels(pcm, hz)[3:-4]
        assert levels.max() - levels.min() < 0.5


@pytest.mark.parametrize("lived_s", [0.06, 0.3, 0.9, 1.7, 2.52, 4.0, 7.77])
@pytest.mark.parametrize("away_s", [0.1, 1.2])
def test_no_sample_is_lost_whenever_it_is_killed(rig: Rig, lived_s: float, away_s: float) -> None:
    call(rig)
    rig.run(lived_s)
    restart(rig, away_s)
    assert rig.resumed == (1,)
    rig.run(12.0 - lived_s - away_s)
    assert_whole(finish(rig), 12.0)
    assert rig.closed[0].failure is None
    assert rig.closed[0].missing_s == 0


def test_it_may_be_killed_again_and_again(rig: Rig) -> None:
    call(rig)
    for _ in range(6):
        rig.run(1.1)
        restart(rig, 0.4)
    rig.run(1.0)
    assert_whole(finish(rig), 10.0)
    assert rig.closed[0].failure is None


def test_in_stereo_no_voice_changes_sides_at_the_joint(rig: Rig) -> None:
    stereo = rig.spec(channels=2)
    rig.phones += [Phone(1, tone(A)), Phone(2, tone(B), law=PCMU)]
    rig.tap(1, 0, spec=stereo)
    rig.tap(2, 1, spec=stereo)
    for _ in range(3):
        rig.run(2.1)
        restart(rig)
    rig.run(1.0)
    finish(rig)
    left, right = audio.decode_stereo(rig.folder / "2026/1.mp3")
    for own, other, hz in ((left, right, A), (right, left, B)):
        levels = audio.tone_levels(own, hz)[3:-4]
        assert levels.max() - levels.min() < 0.5
        assert (audio.tone_levels(other, hz)[3:-4] < levels - 40).all()
    assert (rig.closed[0].channels, rig.closed[0].failure) == (2, None)


def test_levelling_goes_on_with_the_gain_that_it_had(rig: Rig) -> None:
    said = audio.speech(2.0, seed=4, level=-32.0)
    said[12000:] = 0
    rig.phones.append(Phone(1, speaker(said)))
    rig.tap(1, 0, spec=rig.spec(level=True))
    rig.run(16.0)
    restart(rig)
    rig.run(3.4)
    pcm = finish(rig)
    spoken = [audio.rms_level(pcm, start, start + 1.4) for start in range(0, 18, 2)]
    assert spoken[0] == pytest.approx(-31.0, abs=2.5), "as it was said, at first"
    assert spoken[6] > spoken[0] + 6
    assert spoken[8] == pytest.approx(spoken[6], abs=1.5)


def test_stereo_and_wideband_files_go_on_as_well(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    stereo, wide = rig.spec(1, channels=2), rig.spec(2, rate=16000)
    rig.phones += [Phone(1, tone(A)), Phone(3, tone(A))]
    rig.tap(1, 0, spec=stereo)
    rig.tap(3, 0, spec=wide)
    rig.run(5.0)
    restart(rig)
    rig.run(4.4)
    for recording_id in (1, 2):
        rig.mark(Kind.STOPPED, recording_id)
    rig.settle()
    left, _ = audio.decode_stereo(rig.folder / "2026/1.mp3")
    broad = audio.decode(rig.folder / "2026/2.mp3")
    for pcm in (left, broad):
        levels = audio.tone_levels(pcm, A)[3:-6]
        assert levels.max() - levels.min() < 0.5


def test_a_call_that_ended_while_nobody_listened_is_finished(rig: Rig) -> None:
    call(rig)
    rig.run(4.0)
    rig.kill()
    rig.run(0.5, recorder=False)
    rig.mark(Kind.STOPPED)
    rig.run(0.5, recorder=False)
    rig.start()
    assert rig.resumed == (1,)
    rig.settle()
    pcm = audio.decode(rig.folder / "2026/1.mp3")
    assert_whole(pcm, 4.5)
    assert rig.closed[0].duration_s == pytest.approx(4.5, abs=0.001)


@pytest.mark.parametrize("length_s", [0.5, 5.0])
def test_a_file_that_was_finished_just_before_is_told_and_not_touched(
    rig: Rig, length_s: float
) -> None:
    call(rig)
    rig.run(length_s)
    rig.worker._cursor._due_ns = rig.now_ns * 2  # no checkpoint any more
    rig.worker._cursor._snapshots.clear()
    finish(rig)
    first = rig.closed.pop()
    content = (rig.folder / "2026/1.mp3").read_bytes()
    restart(rig)
    rig.run(1.0)
    (again,) = rig.closed
    assert (again.relative_path, again.sha256, again.octets) == (
        first.relative_path,
        first.sha256,
        first.octets,
    )
    assert again.duration_s == pytest.approx(first.duration_s, abs=0.040)
    assert (rig.folder / "2026/1.mp3").read_bytes() == content
    assert rig.worker.idle


def test_masks_hold_over_a_death(rig: Rig) -> None:
    call(rig)
    rig.run(3.0)
    rig.mark(Kind.MASKED)
    rig.run(4.0)
    restart(rig, 1.0)
    rig.run(1.0)
    rig.mark(Kind.UNMASKED)
    rig.run(2.0)
    pcm = finish(rig)
    assert audio.tone_level(pcm, A, 0.1, 2.95) > SOUNDS
    assert audio.rms_level(pcm, 3.1, 8.9) < SILENT
    assert audio.tone_level(pcm, A, 9.1, 10.9) > SOUNDS


def test_a_pause_holds_over_a_death(rig: Rig) -> None:
    call(rig)
    rig.run(4.0)
    rig.mark(Kind.PAUSED)
    rig.run(5.0)
    restart(rig, 0.5)
    rig.run(1.0)
    rig.mark(Kind.RESUMED)
    rig.run(3.0)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 7.0) <= 0.040
    assert audio.tone_level(pcm, A, 4.1, 6.9) > SOUNDS
    assert rig.closed[0].missing_s < 1.0, "what LAME held back when the pause began"


def test_a_party_that_left_stays_out(rig: Rig) -> None:
    call(rig)
    rig.run(3.0)
    rig.close_tap(1)
    rig.run(4.0)
    restart(rig)
    rig.run(1.4)
    pcm = finish(rig)
    assert audio.tone_level(pcm, A, 3.1, 8.9) < SILENT
    assert audio.tone_levels(pcm, B)[3:-4].min() > SOUNDS


def test_what_a_sick_disk_had_not_taken_is_missing_and_counted(tmp_path: Path) -> None:
    rig = Rig(tmp_path, calls=1)
    call(rig)
    rig.run(5.0)
    rig.pool.stalled = True
    rig.run(10.0)
    restart(rig)
    rig.run(4.4)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 20.0) <= 0.040, "the time is kept"
    assert audio.tone_level(pcm, A, 0.1, 4.0) > SOUNDS
    assert audio.tone_level(pcm, A, 16.0, 19.9) > SOUNDS
    assert rig.closed[0].failure
    assert 6.0 < rig.closed[0].missing_s < 12.0


def test_a_checkpoint_of_other_rings_is_not_believed(rig: Rig) -> None:
    call(rig)
    rig.run(5.0)
    rig.kill()
    rig.state[:] = bytes(len(rig.state))
    rig.start()
    assert rig.resumed == ()


def test_a_recording_that_opened_after_the_checkpoint_begins_anew(rig: Rig) -> None:
    call(rig)
    rig.run(5.0)
    rig.phones.append(Phone(5, tone(2000.0)))
    rig.phones[-1].next_ns = rig.now_ns
    rig.tap(5, 0, spec=rig.spec(2))
    rig.run(0.9)
    restart(rig)
    assert set(rig.resumed) == {1, 2}
    rig.run(2.5)
    for recording_id in (1, 2):
        rig.mark(Kind.STOPPED, recording_id)
    rig.settle()
    pcm = audio.decode(rig.folder / "2026/2.mp3")
    assert abs(audio.seconds(pcm) - 4.0) <= 0.040
    assert audio.tone_levels(pcm, 2000.0)[3:-4].min() > SOUNDS
    assert len(list(rig.folder.rglob("*.mp3*"))) == 2
