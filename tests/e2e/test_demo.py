"""`mitschnitt demo` as a user runs it: once to its end, and once told to stop."""

import asyncio
import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.process import Child

DEMO = (sys.executable, "-m", "b2bua.cli", "demo")
LONGEST_S = 60.0
FOLDER = re.compile(r"/[^\s\"]*mitschnitt-demo-[^\s\"/]+")


def left_behind(folder: str) -> list[str]:
    """Return the processes that were started for the folder, and still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if folder in command:
                found.append(command)
    return found


def assert_nothing_left(folder: str) -> None:
    assert left_behind(folder) == []
    assert not Path(folder).exists()


@pytest.mark.alone
@pytest.mark.peer("pyVoIP")
async def test_the_demo_keeps_every_promise() -> None:
    async with Child("demo", [*DEMO, "--json"]) as demo:
        status = await demo.wait(timeout_s=2 * LONGEST_S)
        document: dict[str, Any] = json.loads("\n".join(demo.lines))
    assert document["error"] == ""
    assert [check for check in document["checks"] if not check["held"]] == []
    assert (status, document["ok"]) == (0, True)
    assert document["took_s"] < LONGEST_S
    assert document["row"]["outcome"] == "recorded"
    assert document["row"]["dst"] == "101"
    assert len(document["files"]) == 2
    assert all(file["octets"] > 10_000 for file in document["files"])
    assert document["web"].startswith("http://127.0.0.1:")
    texts = [step["text"] for step in document["steps"]]
    assert [text for text in texts if "presses" in text] == [
        "the caller presses 1",
        "the clerk presses *1: the recording is off",
        "the clerk presses *1: it is on again",
    ]
    assert [step["at_s"] for step in document["steps"]] == sorted(
        step["at_s"] for step in document["steps"]
    )
    found = FOLDER.search(texts[0])
    assert found is not None
    assert_nothing_left(found[0])


@pytest.mark.peer("pyVoIP")
async def test_a_demo_that_is_told_to_stop_leaves_nothing_behind() -> None:
    async with Child("demo", DEMO) as demo:
        folder = (await demo.wait_for(FOLDER.pattern))[0]
        await demo.wait_for("is registered")
        assert left_behind(folder)
        async with asyncio.timeout(LONGEST_S):
            assert await demo.stop(with_signal=signal.SIGTERM) == 1
        assert "it was told to stop" in "\n".join(demo.lines)
    assert_nothing_left(folder)
