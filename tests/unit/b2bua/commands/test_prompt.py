"""`mitschnitt prompt` as an operator uses it, without a server and with one."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from b2bua.cli import app
from b2bua.control.messages import AnyRequest, InstallPrompt, PromptReplaced, Refused, Reply
from b2bua.control.socket import control_server
from b2bua.datadir import DataFolder
from b2bua.errors import ControlError, MitschnittError, UsageError
from cdr.proofs import Proofs
from ivr.prompts import PromptId
from tests.support.wav import tone_wav

runner = CliRunner()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    run("init", data=data)
    return data


def run(*words: str | Path, data: Path, stdin: bytes | None = None) -> Result:
    argv = [*map(str, words), "--data", str(data)]
    return runner.invoke(app, argv, input=stdin)


def listed(data: Path) -> dict[tuple[str, str], dict[str, Any]]:
    result = run("prompt", "list", "--json", data=data)
    assert result.exit_code == 0, result.output
    return {(row["language"], row["id"]): row for row in json.loads(result.output)}


def test_the_shipped_prompts_are_listed(data: Path) -> None:
    rows = listed(data)
    assert len(rows) == 2 * len(PromptId)
    row = rows["de", "consent"]
    assert row["from"] == "shipped"
    assert row["sentence"].startswith("Dieses Gespräch")
    assert 0 < row["counts_from_ms"] < 1000 * row["duration_s"]
    assert "consent" in run("prompt", "list", data=data).output


def test_an_own_recording_is_installed_and_listed(data: Path, tmp_path: Path) -> None:
    wav = tmp_path / "my.wav"
    wav.write_bytes(tone_wav(700, 1100, rate=44100, seconds=2.0, channels=2))
    words = ("prompt", "install", "de/consent", wav)
    first = run(*words, "--sentence", "Nur die 1.", data=data)
    assert first.exit_code == 0, first.output
    assert "version 1" in first.output
    assert "2.0" in first.output
    assert "dBFS" in first.output
    assert "ms on, its end" in first.output
    assert "the shipped one" in first.output
    assert "once the server runs" in first.output
    row = listed(data)["de", "consent"]
    assert (row["from"], row["sentence"]) == ("installed", "Nur die 1.")
    assert row["counts_from_ms"] == round(1000 * row["duration_s"])

    second = run(*words, "--counts-from-ms", "900", data=data)
    assert "version 2" in second.output
    assert "count from 900 ms on\n" in second.output
    assert "--sentence" in second.output
    (kept,) = (line for line in second.output.splitlines() if "kept: " in line)
    described = json.loads(Path(kept.partition("kept: ")[2]).read_text())
    assert described["sentence"] == "Nur die 1."
    assert (data / "prompts" / "de" / described["file"]).is_file()
    assert listed(data)["de", "consent"]["counts_from_ms"] == 900

    async def audited() -> list[str]:
        async with Proofs(DataFolder(data).database) as database:
            assert (await database.verify_audit()).intact
            return [row.object for row in await database.audit() if row.action == "prompt.install"]

    assert asyncio.run(audited()) == ["consent/de/2", "consent/de/1"]


def test_a_recording_may_come_from_standard_input(data: Path) -> None:
    done = run("prompt", "install", "en/no-call", "-", data=data, stdin=tone_wav(700))
    assert done.exit_code == 0, done.output
    assert "keys" not in done.output, "nobody is asked anything"
    assert listed(data)["en", "no-call"]["from"] == "installed"


@pytest.mark.parametrize(
    ("wav", "reason"),
    [
        (tone_wav(300, peak=3.0), "clipped"),
        (tone_wav(300, peak=0.001), "too quiet"),
        (tone_wav(300, seconds=0), "empty"),
        (b"", "WAV"),
    ],
)
def test_unusable_recordings_are_refused_by_name(data: Path, wav: bytes, reason: str) -> None:
    result = run("prompt", "install", "de/consent", "-", data=data, stdin=wav)
    assert isinstance(result.exception, MitschnittError)
    assert reason in str(result.exception)
    assert listed(data)["de", "consent"]["from"] == "shipped"


def test_a_file_that_is_not_there_is_named(data: Path) -> None:
    result = run("prompt", "install", "de/consent", data / "absent.wav", data=data)
    assert isinstance(result.exception, UsageError)
    assert "absent.wav" in str(result.exception)


def test_a_broken_prompt_is_named_by_the_list(data: Path) -> None:
    run("prompt", "install", "de/consent", "-", data=data, stdin=tone_wav(700))
    (wav,) = (data / "prompts" / "de").glob("*.wav")
    wav.write_bytes(b"")
    result = run("prompt", "list", data=data)
    assert isinstance(result.exception, MitschnittError)
    assert str(wav) in str(result.exception)


async def test_a_running_server_is_asked_with_the_longest_prompt(data: Path) -> None:
    asked: list[InstallPrompt] = []

    async def handler(request: AnyRequest, actor: str) -> Reply:
        assert isinstance(request, InstallPrompt)
        assert actor.startswith("cli:")
        asked.append(request)
        if len(asked) > 1:
            return Refused(reason="not today")
        return PromptReplaced(version=4, path="there.wav", replaced="before.json")

    long = tone_wav(700, seconds=30.0)
    words = ("prompt", "install", "de/consent", "-")
    async with control_server(DataFolder(data).control_socket, handler):
        done = await asyncio.to_thread(run, *words, data=data, stdin=long)
        refused = await asyncio.to_thread(run, *words, data=data, stdin=long)
    assert done.exit_code == 0, done.output
    assert "version 4" in done.output
    assert "kept: before.json" in done.output
    assert "from the next call on" in done.output
    assert len(asked[0].wav) == pytest.approx(480_000, abs=1000)
    assert isinstance(refused.exception, ControlError)
    assert str(refused.exception) == "not today"
