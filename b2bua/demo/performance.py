"""One run of the demo: play the call, judge it, tell it, and leave nothing behind."""

import asyncio
import contextlib
import signal
import tempfile
from pathlib import Path
from typing import Final

import typer

from b2bua.demo.report import Login, Report
from b2bua.demo.scenario import Stage, play, stage
from b2bua.demo.verdict import judge_call
from b2bua.errors import DemoError
from b2bua.passwords import new_password

LIMIT_S: Final = 55.0
"For everything but the end of the children: with that, too, the demo stays below a minute."

ADMIN: Final = "demo"


def perform(*, as_json: bool, keep: bool) -> Report:
    """Run the demo in a folder of its own; Ctrl-C ends it, and so does SIGTERM or SIGHUP."""
    report = Report(write=_nowhere if as_json else typer.echo)
    with tempfile.TemporaryDirectory(prefix="mitschnitt-demo-") as folder:
        try:
            asyncio.run(_perform(report, Path(folder), as_json=as_json, keep=keep))
        except asyncio.CancelledError:
            report.error = "it was told to stop"
        except DemoError as error:
            report.error = str(error)
        else:
            return report
    _tell(report, as_json=as_json)
    return report


async def _perform(report: Report, folder: Path, *, as_json: bool, keep: bool) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with stage(report, folder) as on:
        await _play_and_judge(report, on)
        if keep:
            report.login = await _admin(on)
        _tell(report, as_json=as_json)
        if keep:
            await _until_stopped()


async def _play_and_judge(report: Report, on: Stage) -> None:
    try:
        async with asyncio.timeout(LIMIT_S - report.took_s):
            await play(report, on)
            await judge_call(report, on)
    except TimeoutError:
        report.error = f"it took longer than {LIMIT_S:.0f} s"
    except DemoError as error:
        report.error = str(error)


async def _admin(on: Stage) -> Login:
    """Make a user who may see everything at the page."""
    password = new_password()
    words = ("user", "add", ADMIN, "--role", "admin", "--password-stdin")
    await on.server.command(*words, stdin=f"{password}\n")
    return Login(ADMIN, password)


async def _until_stopped() -> None:
    """Leave the server up until Ctrl-C, which is then no failure."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


def _tell(report: Report, *, as_json: bool) -> None:
    lines = [report.document()] if as_json else report.summary()
    for line in lines:
        typer.echo(line)


def _nowhere(_: str) -> None:
    """Take the place of the terminal: with --json only the document is printed."""
