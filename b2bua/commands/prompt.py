"""`mitschnitt prompt`: which prompts callers hear, and own recordings in their place."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from b2bua.commands.common import DEFAULT_DATA, DataOption, JsonOption, actor
from b2bua.commands.output import print_rows
from b2bua.datadir import DataFolder
from b2bua.errors import ControlError, MitschnittError, UsageError

if TYPE_CHECKING:
    from b2bua.control.messages import InstallPrompt, PromptReplaced
    from ivr.installing import Prepared
    from ivr.prompts import Prompt, PromptId

app = typer.Typer(help="Prompts: what callers hear.", no_args_is_help=True)


@app.command("list")
def prompt_list(data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False) -> None:
    """List the prompts as they are played: shipped ones, and own recordings in their place."""
    from ivr.prompts import LANGUAGES, PromptError, load_all

    try:
        prompts = load_all(LANGUAGES, DataFolder(data).prompts)
    except PromptError as error:
        raise MitschnittError(str(error)) from error
    print_rows([_row(prompt) for prompt in prompts.values()], as_json=as_json)


def _row(prompt: "Prompt") -> dict[str, Any]:
    return {
        "id": str(prompt.prompt_id),
        "language": prompt.language,
        "from": "shipped" if prompt.shipped else "installed",
        "duration_s": prompt.sound.duration_ms / 1000,
        "counts_from_ms": prompt.counts_from_ms,
        "sentence": prompt.sentence,
    }


@app.command("install")
def prompt_install(
    name: Annotated[str, typer.Argument(help="Language and prompt, such as de/consent.")],
    recording: Annotated[
        Path, typer.Argument(help="A PCM WAV file of any usual rate; - reads standard input.")
    ],
    *,
    sentence: Annotated[
        str, typer.Option("--sentence", help="What it says, word for word: kept as evidence.")
    ] = "",
    counts_from_ms: Annotated[
        int | None,
        typer.Option(
            "--counts-from-ms",
            min=0,
            help="From where on a key counts: when the caller knows what he agrees to. "
            "Without it, a question counts keys from its end on.",
        ),
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Play an own recording from the next call on; the one before is kept."""
    from b2bua.control.messages import InstallPrompt
    from b2bua.control.prompt_changes import parse_name
    from ivr.installing import prepare
    from ivr.prompts import PromptError

    language, prompt_id = parse_name(name)
    octets = _read(recording)
    try:
        ready = prepare(prompt_id, octets, counts_from_ms)
    except PromptError as error:
        raise MitschnittError(f"{recording}: {error}") from error
    request = InstallPrompt(
        prompt_id=prompt_id,
        language=language,
        wav=ready.wav,
        sentence=sentence,
        counts_from_ms=ready.counts_from_ms,
    )
    done, running = _install(DataFolder(data), request)
    for line in _report(name, prompt_id, ready, done, running=running):
        typer.echo(line)
    if not sentence:
        typer.echo("its sentence is not on record; --sentence TEXT keeps it with the evidence")


def _read(recording: Path) -> bytes:
    from ivr.installing import MAX_OCTETS

    # One octet more than is allowed is enough to be refused for it.
    try:
        if str(recording) == "-":
            return sys.stdin.buffer.read(MAX_OCTETS + 1)
        with recording.open("rb") as file:
            return file.read(MAX_OCTETS + 1)
    except OSError as error:
        raise UsageError(f"{recording}: {error.strerror}") from error


def _install(folder: DataFolder, request: "InstallPrompt") -> tuple["PromptReplaced", bool]:
    """Have the server install it, or do it here; tell as well whether a server is running."""
    from b2bua.control.messages import PromptReplaced, Refused
    from b2bua.control.socket import ask

    reply = ask(folder.control_socket, request)
    if reply is None:
        from b2bua.control.prompt_changes import install_offline

        return install_offline(folder, request, actor()), False
    if isinstance(reply, Refused):
        raise ControlError(reply.reason)
    if not isinstance(reply, PromptReplaced):
        raise ControlError("the server gave another answer than what it installed")
    return reply, True


def _report(
    name: str, prompt_id: "PromptId", ready: "Prepared", done: "PromptReplaced", *, running: bool
) -> list[str]:
    """Return what the operator should look at."""
    from ivr.conditioning import PEAK_DBFS
    from ivr.prompts import QUESTIONS

    lines = [
        f"{name}, version {done.version}: {done.path}",
        f"length   {ready.duration_ms / 1000:.2f} s, silence at both ends cut off",
        f"level    {ready.level_dbfs:.1f} dBFS as recorded; its peak is now {PEAK_DBFS:.0f} dBFS",
    ]
    if prompt_id in QUESTIONS:
        end = ", its end" if ready.counts_from_ms == ready.duration_ms else ""
        lines.append(f"keys     count from {ready.counts_from_ms} ms on{end}")
    before = "the shipped one, which stays" if done.replaced is None else f"kept: {done.replaced}"
    lines.append(f"before   {before}")
    lines.append(f"played   {'from the next call on' if running else 'once the server runs'}")
    return lines
