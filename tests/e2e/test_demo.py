"""`mitschnitt demo` as a user runs it: once to its end and kept, once told to stop."""

import asyncio
import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
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


async def see_the_calls(web: str, login: dict[str, str]) -> str:
    """Log in at the page as the demo says and return its text."""
    async with httpx.AsyncClient(base_url=web, follow_redirects=True) as browser:
        form = {"name": login["user"], "password": login["password"], "next": "/calls"}
        answer = await browser.post("/login", data=form, headers={"Origin": web})
        assert (answer.status_code, answer.url.path) == (200, "/calls")
        return answer.text


@pytest.mark.alone
@pytest.mark.peer("pyVoIP")
async def test_the_demo_keeps_every_promise_and_its_page() -> None:
    async with Child("demo", [*DEMO, "--json", "--keep"]) as demo:
        await demo.wait_for("^}$", timeout_s=2 * LONGEST_S)
        document: dict[str, Any] = json.loads("\n".join(demo.lines))
        assert document["error"] == ""
        assert [check for check in document["checks"] if not check["held"]] == []
        assert document["ok"] is True
        assert document["took_s"] < LONGEST_S
        assert_told_in_full(document)
        calls = await see_the_calls(document["web"], document["login"])
        assert document["row"]["src"] in calls
        # As Ctrl-C does; that is how a kept demo is meant to end.
        assert await demo.stop(with_signal=signal.SIGINT) == 0
    found = FOLDER.search(document["steps"][0]["text"])
    assert found is not None
    assert_nothing_left(found[0])


def assert_told_in_full(document: dict[str, Any]) -> None:
    row = document["row"]
    assert (row["src"], row["dst"], row["outcome"]) == ("492214710123", "101", "recorded")
    assert len(document["files"]) == 2
    for file in document["files"]:
        assert Path(file["path"]).stat().st_size == file["octets"] > 10_000
    texts = [step["text"] for step in document["steps"]]
    assert [text for text in texts if "presses" in text] == [
        "the caller presses 1",
        "the clerk presses *1: the recording is off",
        "the clerk presses *1: it is on again",
    ]
    times = [step["at_s"] for step in document["steps"]]
    assert times == sorted(times)


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
