"""The instruments themselves: generator over a bare loop, decoder, /proc."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import encode, floor, judge, procfs, report
from bench.traffic import Plan

ROOT = Path(__file__).resolve().parents[3]


def test_the_generator_gets_everything_back_from_a_bare_loop() -> None:
    outcome, cpu_s = floor.measure(Plan(calls=4, seconds=1))
    verdict = outcome.verdict
    assert verdict.sent == verdict.received == verdict.planned == 400
    assert (verdict.duplicates, verdict.strangers, outcome.dropped) == (0, 0, 0)
    assert 0 < verdict.delay_ms_p50 < 50
    assert cpu_s >= 0


@pytest.mark.peer("ffmpeg")
@pytest.mark.parametrize("quality", [3, 7])
def test_an_mp3_as_the_server_writes_it_is_good_enough_for_the_judge(
    quality: int, tmp_path: Path
) -> None:
    seconds = 3
    said = judge.spoken(0, seconds) + judge.spoken(1, seconds)
    mp3, _ = encode.encode(quality, np.clip(said, -32768, 32767).astype(np.int16))
    path = tmp_path / "a.mp3"
    path.write_bytes(mp3)
    case = judge.Case(
        call=0,
        path=str(path),
        seconds=seconds,
        answered_at=10.0,
        hung_up_at=10.0 + seconds,
        speech_at=(10.0, 10.0),
    )
    finding = judge.examine(case)
    assert finding.ok, finding.why
    assert abs(finding.start_error_ms) < 1
    assert abs(finding.worst_shift_ms) < 1


@pytest.mark.peer("ffmpeg")
def test_a_file_that_is_no_mp3_is_bad_and_not_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"no mp3")
    case = judge.Case(
        call=0, path=str(path), seconds=1, answered_at=0, hung_up_at=1, speech_at=(0, 0)
    )
    assert judge.examine(case).why.startswith("can't be decoded")


def test_cpu_of_an_ended_child_is_still_counted() -> None:
    burn = "import time\nwhile time.process_time() < 0.15: pass"
    before = procfs.cpu_s(os.getpid())
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert procfs.cpu_s(os.getpid()) - before >= 0.12


def test_a_living_child_belongs_to_the_tree() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True
    ) as child:
        assert child.pid in procfs.tree(os.getpid())
        assert procfs.pss_kb(child.pid) > 100
        child.communicate("\n")
    assert child.pid not in procfs.tree(os.getpid())


def test_an_invalid_run_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.show({"valid": False}, as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["valid"] is False
    assert report.show({"valid": True}, as_json=True) == 0
