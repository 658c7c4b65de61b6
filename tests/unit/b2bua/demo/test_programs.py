"""The demo's children end with it, and say why they ended early."""

import asyncio
import os
from pathlib import Path

import pytest

from b2bua.demo.programs import Program, run_command
from b2bua.errors import DemoError

STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
signal.pause()
"""


@pytest.fixture
def stubborn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("b2bua.demo.programs.STOP_TIMEOUT_S", 0.1)
    return "stubborn"


async def test_a_program_that_does_not_want_to_end_is_ended(stubborn: str) -> None:
    up = asyncio.Event()
    async with Program("stubborn", stubborn, (), on_line=lambda _: up.set()) as program:
        async with asyncio.timeout(20):
            await up.wait()
        pid = program.process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_children_end_when_the_demo_fails(stubborn: str) -> None:
    program = Program("stubborn", stubborn, ())

    async def fail() -> None:
        async with program:
            raise DemoError("that was it")

    with pytest.raises(DemoError, match="that was it"):
        await fail()
    with pytest.raises(ProcessLookupError):
        os.kill(program.process.pid, 0)


async def test_the_last_words_of_a_program_are_kept() -> None:
    async with Program("broken", "no.such.module", ()) as program, asyncio.timeout(20):
        await program.ended.wait()
        assert "no.such" in program.tail()


async def test_a_command_returns_what_it_prints_or_fails_with_it(stubborn: str) -> None:
    printed = await run_command("b2bua.cli", ["--version"], stdin="", timeout_s=20)
    assert printed.startswith("mitschnitt ")
    with pytest.raises(DemoError, match="No such option"):
        await run_command("b2bua.cli", ["--no-such"], stdin="", timeout_s=20)
    with pytest.raises(DemoError, match="longer than 1 s"):
        await run_command(stubborn, [], stdin="", timeout_s=0.6)
