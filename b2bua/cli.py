"""The command line. Exit codes: 0 done, 1 failed, 2 the call's words are off.

Commands that change something ask the running server over its control socket; without one
they take the lock on the data folder and write through the same code. Heavy imports stand
inside the commands, so that `--help` and completion stay quick.
"""

import getpass
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from b2bua.datadir import DataFolder
from b2bua.errors import ControlError, MitschnittError, UsageError

DEFAULT_DATA = Path("/var/lib/mitschnitt")

Mode = Literal["off", "manual", "automatic", "never"]

app = typer.Typer(
    name="mitschnitt",
    help="A SIP telephone server that records calls, with consent, to MP3 as they happen.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
ext_app = typer.Typer(help="Extensions: the own numbers.", no_args_is_help=True)
rec_app = typer.Typer(help="Recordings.", no_args_is_help=True)
app.add_typer(ext_app, name="ext")
app.add_typer(rec_app, name="rec")

DataOption = Annotated[
    Path,
    typer.Option("--data", help="The data folder.", envvar="MITSCHNITT_DATA", show_default=True),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="The configuration file; default: mitschnitt.toml in the data folder, if there.",
        envvar="MITSCHNITT_CONFIG",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]


def main() -> None:
    """Run the command line; the entry point of the package."""
    try:
        app()
    except MitschnittError as error:
        typer.echo(f"mitschnitt: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback signature
    if wanted:
        typer.echo(f"mitschnitt {package_version('mitschnitt')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    del version


def _config_path(config: Path | None, data: DataFolder) -> Path | None:
    if config is not None:
        return config
    return data.config_file if data.config_file.exists() else None


@app.command()
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
    run_server(load(_config_path(config, folder)), folder)


@app.command()
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

    for line in initialise(DataFolder(data), config, sample=sample, actor=_actor()):
        typer.echo(line)


@app.command("check-config")
def check_config(
    config: ConfigOption = None, data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False
) -> None:
    """Read the configuration and say what is wrong with it, or what is in effect."""
    from b2bua.config import describe, load

    path = _config_path(config, DataFolder(data))
    described = describe(load(path))
    if as_json:
        typer.echo(json.dumps(described, indent=2))
        return
    typer.echo(f"{path or 'built-in defaults'}: in order")


@app.command()
def status(data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False) -> None:
    """Say what the running server is doing."""
    from b2bua import control

    reply = control.ask(DataFolder(data).control_socket, control.GetStatus())
    if reply is None:
        raise ControlError(f"no server is running on {data}")
    if not isinstance(reply, control.Status):
        raise ControlError("the server gave another answer than its status")
    from msgspec import to_builtins

    values = to_builtins(reply)
    if as_json:
        typer.echo(json.dumps(values, indent=2))
        return
    for key in ("version", "sip", "calls", "recordings", "registrations", "journal_healthy"):
        typer.echo(f"{key:16} {values[key]}")


@app.command()
def demo(
    *,
    as_json: JsonOption = False,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Leave the server and its page up until Ctrl-C, for a look."),
    ] = False,
) -> None:
    """Have two real telephones make a recorded call on a server of its own, and check it."""
    from b2bua.demo.run import run_demo

    raise typer.Exit(run_demo(as_json=as_json, keep=keep))


# --- extensions


def _read_password(*, from_stdin: bool) -> tuple[str, bool]:
    """Return a password and whether it was made here (and must be shown)."""
    from b2bua.passwords import new_password

    if not from_stdin:
        return new_password(), True
    password = sys.stdin.readline().rstrip("\n")
    if len(password) < 8:
        raise UsageError("a password of a telephone has at least 8 characters")
    return password, False


PasswordOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@ext_app.command("add")
def ext_add(
    number: str,
    *,
    name: Annotated[str, typer.Option("--name", help="Whose telephone it is.")] = "",
    mode: Annotated[Mode, typer.Option("--mode", help="Recording mode.")] = "off",
    opt_in: Annotated[
        bool, typer.Option("--opt-in", help="The extension's own side agrees to be recorded.")
    ] = False,
    password_stdin: PasswordOption = False,
    data: DataOption = DEFAULT_DATA,
    config: ConfigOption = None,
) -> None:
    """Add an extension; without --password-stdin a password is made and printed once."""
    from b2bua.control import AddExtension

    password, made = _read_password(from_stdin=password_stdin)
    _change(
        AddExtension(
            number=number, name=name or number, password=password, mode=mode, opt_in=opt_in
        ),
        data,
        config,
    )
    typer.echo(f"extension {number} added")
    if made:
        typer.echo(f"password: {password}")


@ext_app.command("set")
def ext_set(
    number: str,
    *,
    name: Annotated[str | None, typer.Option("--name")] = None,
    mode: Annotated[Mode | None, typer.Option("--mode")] = None,
    opt_in: Annotated[bool | None, typer.Option("--opt-in/--no-opt-in")] = None,
    password_stdin: PasswordOption = False,
    data: DataOption = DEFAULT_DATA,
    config: ConfigOption = None,
) -> None:
    """Change what is named of an extension."""
    from b2bua.control import SetExtension

    password = _read_password(from_stdin=True)[0] if password_stdin else None
    if name is None and mode is None and opt_in is None and password is None:
        raise UsageError("nothing to change: name an option, see --help")
    _change(
        SetExtension(number=number, name=name, mode=mode, opt_in=opt_in, password=password),
        data,
        config,
    )
    typer.echo(f"extension {number} changed")


@ext_app.command("rm")
def ext_rm(number: str, data: DataOption = DEFAULT_DATA, config: ConfigOption = None) -> None:
    """Remove an extension; its calls and recordings stay."""
    from b2bua.control import RemoveExtension

    _change(RemoveExtension(number=number), data, config)
    typer.echo(f"extension {number} removed")


@ext_app.command("list")
def ext_list(data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False) -> None:
    """List the extensions."""
    from b2bua.reports import extension_rows

    _print_rows(extension_rows(DataFolder(data)), as_json=as_json)


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _change(request: Any, data: Path, config: Path | None) -> None:  # noqa: ANN401 - a union
    """Have the server commit a change, or commit it here when none is running."""
    from b2bua import control

    folder = DataFolder(data)
    reply = control.ask(folder.control_socket, request)
    if reply is None:
        from b2bua.administration import change_offline
        from b2bua.config import load

        realm = load(_config_path(config, folder)).sip.realm
        change_offline(folder, realm, request, _actor())
    elif isinstance(reply, control.Refused):
        raise ControlError(reply.reason)


# --- reports


@app.command()
def calls(
    data: DataOption = DEFAULT_DATA,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000)] = 20,
    as_json: JsonOption = False,
) -> None:
    """List calls, newest first."""
    from b2bua.reports import call_rows

    _print_rows(call_rows(DataFolder(data), limit), as_json=as_json)


@rec_app.command("list")
def rec_list(
    data: DataOption = DEFAULT_DATA,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000)] = 20,
    as_json: JsonOption = False,
) -> None:
    """List recordings, newest first."""
    from b2bua.reports import recording_rows

    _print_rows(recording_rows(DataFolder(data), limit), as_json=as_json)


def _print_rows(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=2, default=str))
    elif not rows:
        typer.echo("none")
    elif sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        _print_rich(rows)
    else:
        _print_plain(rows)


def _print_rich(rows: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for key in rows[0]:
        table.add_column(key)
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    Console().print(table)


def _print_plain(rows: Sequence[dict[str, Any]]) -> None:
    columns = {key: max([len(key), *(len(_cell(row[key])) for row in rows)]) for key in rows[0]}
    write: Callable[[Iterable[str]], None] = lambda cells: typer.echo(  # noqa: E731 - one line
        "  ".join(cell.ljust(width) for cell, width in zip(cells, columns.values(), strict=True))
    )
    write(columns)
    for row in rows:
        write(_cell(value) for value in row.values())


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)


if __name__ == "__main__":
    main()
