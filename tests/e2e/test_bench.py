"""The benches against the running server, in their shortest form."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# They start many processes at once and look at every packet: not beside other tests.
pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.alone
"A load generator beside other tests measures the other tests."


def run_bench(*words: str) -> dict[str, Any]:
    """Return the bench's line. Whether the figures are valid depends on the machine's load."""
    child = subprocess.Popen(
        [sys.executable, "-m", *words, "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = child.communicate(timeout=100)
    except subprocess.TimeoutExpired:
        # The server and the judges of the bench are in its session.
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise
    assert output, errors
    figures: dict[str, Any] = json.loads(output)
    return figures


@pytest.mark.peer("ffmpeg")
def test_five_calls_are_relayed_and_recorded_to_the_last_second() -> None:
    figures = run_bench("bench.media", "--smoke")
    assert figures["lost"] == 0
    assert figures["strangers"] == 0
    assert figures["recordings_ok"] == 5
    assert figures["calls_not_ended_in_order"] == 0
    assert figures["server_exit_code"] == 0


def test_without_recording_there_is_no_file_and_nothing_is_lost() -> None:
    figures = run_bench("bench.media", "--calls", "3", "--seconds", "2")
    assert figures["lost"] == 0
    assert figures["recordings"] == 0


def test_calls_are_set_up_and_ended_and_written_down() -> None:
    figures = run_bench("bench.signalling", "--rate", "20", "--seconds", "2", "--hold", "0.2")
    assert figures["failed"] == 0
    assert figures["cdr_rows"] == figures["calls"] == 40


def test_a_key_in_the_consent_menu_opens_the_tap_in_time() -> None:
    figures = run_bench("bench.consent", "--smoke")
    assert figures["lost"] == 0
    assert figures["digits"] >= 5
    assert figures["digit_told_ms_p50"] <= figures["tap_seen_ms_p50"] < figures["goal_ms"]
    assert figures["cpu_ms_per_call_s"] > 0


@pytest.mark.parametrize("trouble", ["churn", "strangers", "registers"])
def test_others_lose_nothing_by_trouble(trouble: str) -> None:
    figures = run_bench("bench.trouble", trouble, "--smoke")
    assert figures["lost_calm"] == figures["lost_disturbed"] == 0
    assert figures["calls_not_ended_in_order"] == 0
    if trouble == "churn":
        assert figures["other_calls"] >= 15
        assert figures["other_calls_failed"] == 0
    else:
        # All but what is still under way when the last one is sent.
        assert figures["flood_sent"] >= 0.9 * 2 * figures["flood_per_s"]
        answered = figures["flood_answers"] / figures["flood_sent"]
        assert answered > 0.9 if trouble == "registers" else answered == 0


def test_rtpengine_does_the_same_work_where_it_is_installed() -> None:
    figures = run_bench("bench.peers.rtpengine", "--calls", "3", "--seconds", "2", "--rounds", "1")
    if shutil.which("rtpengine") is None:
        assert figures["skipped"] == "rtpengine is not installed"
        return
    for side in ("ours", "theirs"):
        assert [each["lost"] for each in figures[side]["rounds"]] == [0]
    assert figures["rtpengine"][0].isdigit()
