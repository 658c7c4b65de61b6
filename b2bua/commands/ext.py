"""`mitschnitt ext`: the own numbers."""

from typing import Annotated, Literal

import typer

from b2bua.commands.common import (
    DEFAULT_DATA,
    ConfigOption,
    DataOption,
    JsonOption,
    PasswordOption,
    change,
    read_password,
)
from b2bua.commands.output import print_rows
from b2bua.datadir import DataFolder
from b2bua.errors import UsageError

Mode = Literal["off", "manual", "automatic", "never"]

SHORTEST_PASSWORD = 8

app = typer.Typer(help="Extensions: the own numbers.", no_args_is_help=True)


@app.command("add")
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

    password, made = _password(from_stdin=password_stdin)
    change(
        AddExtension(
            number=number, name=name or number, password=password, mode=mode, opt_in=opt_in
        ),
        data,
        config,
    )
    typer.echo(f"extension {number} added")
    if made:
        typer.echo(f"password: {password}")


@app.command("set")
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

    password = _password(from_stdin=True)[0] if password_stdin else None
    request = SetExtension(number=number, name=name, mode=mode, opt_in=opt_in, password=password)
    if request == SetExtension(number=number):
        raise UsageError("nothing to change: name an option, see --help")
    change(request, data, config)
    typer.echo(f"extension {number} changed")


@app.command("rm")
def ext_rm(number: str, data: DataOption = DEFAULT_DATA, config: ConfigOption = None) -> None:
    """Remove an extension; its calls and recordings stay."""
    from b2bua.control import RemoveExtension

    change(RemoveExtension(number=number), data, config)
    typer.echo(f"extension {number} removed")


@app.command("list")
def ext_list(data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False) -> None:
    """List the extensions."""
    from b2bua.reports import extension_rows

    print_rows(extension_rows(DataFolder(data)), as_json=as_json)


def _password(*, from_stdin: bool) -> tuple[str, bool]:
    return read_password(from_stdin=from_stdin, shortest=SHORTEST_PASSWORD, whose="telephone")
