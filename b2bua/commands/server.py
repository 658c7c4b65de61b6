"""`serve`, `init`, `check-config` and `status`: the server itself."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from b2bua.commands.common import (
    DEFAULT_DATA,
    ConfigOption,
    DataOption,
    JsonOption,
    actor,
    config_path,
)
from b2bua.datadir import DataFolder
from b2bua.errors import ConfigError, ControlError

if TYPE_CHECKING:
    from b2bua.config import Config
    from b2bua.control.messages import TrunkStatus


def serve(
    config: ConfigOption = None,
    data: DataOption = DEFAULT_DATA,
    *,
    first_run: Annotated[
        bool,
        typer.Option("--first-run", help="Where the data folder is new: init it with samples."),
    ] = False,
) -> None:
    """Run the server in the foreground until SIGTERM or Ctrl-C."""
    from b2bua.config import load
    from b2bua.server import run_server

    folder = DataFolder(data)
    if first_run and not folder.database.exists():
        init(data, config, sample=True)
    run_server(load(config_path(config, folder)), folder)


def init(
    data: DataOption = DEFAULT_DATA,
    config: ConfigOption = None,
    *,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample-extensions",
            help="Add extensions 101 and 102 (mode automatic, opted in) and print their passwords.",
        ),
    ] = False,
) -> None:
    """Create the data folder with its database and a commented configuration file."""
    from b2bua.setup import initialise

    for line in initialise(DataFolder(data), config, sample=sample, actor=actor()):
        typer.echo(line)


def check_config(
    config: ConfigOption = None, data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False
) -> None:
    """Read the configuration and say what is wrong with it, or what is in effect."""
    from b2bua.config import describe, load

    path = config_path(config, DataFolder(data))
    settings = load(path)
    _check_music(settings.music.file)
    warnings = [*settings.warnings(), *_check_certificates(settings)]
    if as_json:
        typer.echo(json.dumps(describe(settings) | {"warnings": warnings}, indent=2))
        return
    typer.echo(f"{path or 'built-in defaults'}: in order")
    for warning in warnings:
        typer.secho(f"WARNING: {warning}", fg=typer.colors.RED, bold=True, err=True)


def _check_music(path: Path | None) -> None:
    from ivr.hold_music import HoldMusicError
    from ivr.hold_music import load as load_music

    if path is None:
        return
    try:
        load_music(path)
    except HoldMusicError as error:
        raise ConfigError(f"[music] file: {error}") from error


def _check_certificates(settings: "Config") -> list[str]:
    """Read what `[tls]` names; returns what peers will not like about it."""
    from b2bua.listening import read_certificates
    from sip.io.tls import TlsError

    try:
        tls = read_certificates(settings)
    except TlsError as error:
        raise ConfigError(f"[tls]: {error}") from error
    if tls is None:
        return []
    places = ["certificate", *(f"further.{n}" for n in range(len(tls.certificates) - 1))]
    return [
        f"[tls] {place}: {each.trouble}"
        for place, each in zip(places, tls.certificates, strict=True)
        if each.trouble
    ]


def trunk_line(trunk: "TrunkStatus") -> str:
    """Return one trunk's state as a line."""
    words = [trunk.name, trunk.registration or "no registration"]
    if trunk.server:
        words.append(f"with {trunk.server} for {trunk.expires_in_s} s")
    if trunk.watched:
        words.append(trunk.watched)
    words.append(f"{trunk.calls}{f' of {trunk.max_calls}' if trunk.max_calls else ''} calls")
    if trunk.trouble:
        words.append(f"({trunk.trouble})")
    return " ".join(words)


def status(data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False) -> None:
    """Say what the running server is doing."""
    from b2bua.control.messages import GetStatus, Status
    from b2bua.control.socket import ask

    reply = ask(DataFolder(data).control_socket, GetStatus())
    if reply is None:
        raise ControlError(f"no server is running on {data}")
    if not isinstance(reply, Status):
        raise ControlError("the server gave another answer than its status")
    from msgspec import to_builtins

    values = to_builtins(reply)
    if as_json:
        typer.echo(json.dumps(values, indent=2))
        return
    for key in ("version", "sip", "web", "calls", "recordings", "registrations", "journal_healthy"):
        typer.echo(f"{key:16} {values[key]}")
    for address in reply.listening:
        typer.echo(f"{'listening':16} {address}")
    if reply.certificate:
        typer.echo(f"{'certificate':16} {reply.certificate}")
    for trunk in reply.trunks:
        typer.echo(f"{'trunk':16} {trunk_line(trunk)}")
