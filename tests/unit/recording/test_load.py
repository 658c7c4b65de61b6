"""An encoder that falls behind: those that run go on, those that begin are cheaper."""

import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import recording.factory
from recording.encoder import LOWEST_QUALITY, Encoder
from recording.pressure import FALL_AFTER_S, Level
from rtp.ring import Kind
from tests.support import audio
from tests.unit.recording.rig import START_NS, Phone, Rig, tone

pytestmark = pytest.mark.peer("ffmpeg")

PATIENCE_S = 30.0


class Gate:
    """LAME on a machine that has no time for it, for as long as the gate is shut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.qualities: list[int] = []
        self.opened = threading.Event()
        self.opened.set()
        gate = self

        class Throttled(Encoder):
            def __init__(self, *, quality: int, **settings: int) -> None:
                gate.qualities.append(quality)
                super().__init__(quality=quality, **settings)

            def encode(self, pcm: NDArray[np.int16]) -> bytes:
                assert gate.opened.wait(PATIENCE_S)
                return super().encode(pcm)

        monkeypatch.setattr(recording.factory, "Encoder", Throttled)


def run(rig: Rig, seconds: float) -> None:
    """Let time go by; the encoder's thread keeps up with the virtual clock."""
    for _ in range(round(seconds * 10)):
        rig.run(0.1)
        settle_encoders(rig)


def run_until(rig: Rig, level: Level) -> float:
    """Let time go by, with the gate shut, until the recorder is so hard pressed."""
    began_ns = rig.now_ns
    while rig.worker.level is not level:
        rig.run(0.1)
    return (rig.now_ns - began_ns) / 1e9


def settle_encoders(rig: Rig) -> None:
    """Wait until the encoder's thread has done what is queued."""
    done = threading.Event()
    rig.worker._encoders.submit(0, done.set)
    rig.worker._encoders.flush()
    assert done.wait(PATIENCE_S)


def test_a_slow_encoder_costs_new_recordings_quality_and_old_ones_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    rig = Rig(tmp_path, encoder_threads=1, quality=3)
    rig.phones += [Phone(1, tone(440.0)), Phone(2, tone(1000.0))]
    rig.tap(1, 0)
    run(rig, 2.0)
    assert rig.worker.counters()["pressure"] == Level.CALM
    gate.opened.clear()
    assert run_until(rig, Level.CHEAPER) > 1.9
    second_ns = rig.now_ns
    rig.tap(2, 0, spec=rig.spec(2))
    assert run_until(rig, Level.FULL) > 1.0
    rig.run(5.0)
    assert rig.worker.counters()["pressure"] == Level.FULL
    assert rig.worker.counters()["ring_lost_packets"] == 0
    assert rig.worker.counters()["lag_s"] < 0.1, "the tick never waits"
    gate.opened.set()
    settle_encoders(rig)
    run(rig, FALL_AFTER_S + 0.5)
    assert rig.worker.counters()["pressure"] == Level.CHEAPER
    run(rig, FALL_AFTER_S + 0.5)
    assert rig.worker.counters()["pressure"] == Level.CALM
    rig.tap(3, 0, spec=rig.spec(3))
    run(rig, 1.0)
    assert gate.qualities == [3, LOWEST_QUALITY, 3]
    first_s, second_s = (rig.now_ns - START_NS) / 1e9, (rig.now_ns - second_ns) / 1e9
    rig.mark(Kind.STOPPED)
    rig.mark(Kind.STOPPED, 2)
    rig.settle()
    settle_encoders(rig)
    rig.settle()
    for number, hz, seconds in ((1, 440.0, first_s), (2, 1000.0, second_s)):
        closed = next(each for each in rig.closed if each.recording_id == number)
        assert closed.failure is None
        pcm = audio.decode(rig.folder / f"2026/{number}.mp3")
        assert abs(audio.seconds(pcm) - seconds) <= 0.040
        assert audio.tone_levels(pcm, hz)[3:-4].min() > -14.0
    rig.worker.close()
