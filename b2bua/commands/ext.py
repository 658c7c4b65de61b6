"""`mitschnitt ext`: the own numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from b2bua.choices import (
    EVERY_DIRECTION,
    EVERY_WAY,
    Direction,
    DtmfWay,
    ManualConsent,
    Mode,
    SrtpWish,
)
from b2bua.commands.common import (
    DEFAULT_DATA,
    ConfigOption,
    DataOption,
    JsonOption,
    PasswordOption,
    change,
    read_password,
    some_of,
)
from b2bua.commands.output import print_rows
from b2bua.datadir import DataFolder
from b2bua.errors import UsageError

if TYPE_CHECKING:
    from b2bua.control.messages import SetExtension

SHORTEST_PASSWORD = 8

ManualConsentOption = Annotated[
    ManualConsent | None,
    typer.Option(
        "--manual-consent",
        help="Started by key: ask the other party by announcement, or attested: "
        "the extension has asked in words.",
    ),
]
DirectionsOption = Annotated[
    str | None,
    typer.Option("--directions", help="What mode automatic is for: incoming,outgoing,internal."),
]
MayStopOption = Annotated[
    bool | None,
    typer.Option(
        "--user-may-stop/--no-user-may-stop",
        help="Whether the one on the phone may stop an automatic recording.",
    ),
]

SrtpOption = Annotated[
    SrtpWish | None,
    typer.Option("--srtp", help="Encryption of the sound; default: as the configuration says."),
]

DtmfOption = Annotated[
    str | None,
    typer.Option(
        "--dtmf",
        help="How it presses keys: rfc4733,info,in_band; default: as the configuration says.",
    ),
]

ForwardOption = Annotated[str | None, typer.Option(metavar="NUMBER|off")]

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
    manual_consent: ManualConsentOption = None,
    directions: DirectionsOption = None,
    user_may_stop: MayStopOption = None,
    srtp: SrtpOption = None,
    dtmf: DtmfOption = None,
    password_stdin: PasswordOption = False,
    data: DataOption = DEFAULT_DATA,
    config: ConfigOption = None,
) -> None:
    """Add an extension; without --password-stdin a password is made and printed once."""
    from b2bua.control.messages import AddExtension

    password, made = _password(from_stdin=password_stdin)
    request = AddExtension(
        number=number,
        name=name or number,
        password=password,
        mode=mode,
        opt_in=opt_in,
        manual_consent=manual_consent or "ask",
        directions=_directions(directions) or EVERY_DIRECTION,
        user_may_stop=bool(user_may_stop),
        srtp=srtp or "default",
        dtmf=_ways(dtmf) or (),
    )
    change(request, data, config)
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
    manual_consent: ManualConsentOption = None,
    directions: DirectionsOption = None,
    user_may_stop: MayStopOption = None,
    srtp: SrtpOption = None,
    dtmf: DtmfOption = None,
    password_stdin: PasswordOption = False,
    data: DataOption = DEFAULT_DATA,
    config: ConfigOption = None,
) -> None:
    """Change what is named of an extension."""
    from b2bua.control.messages import SetExtension

    password = _password(from_stdin=True)[0] if password_stdin else None
    request = SetExtension(
        number=number,
        name=name,
        mode=mode,
        opt_in=opt_in,
        manual_consent=manual_consent,
        directions=_directions(directions),
        user_may_stop=user_may_stop,
        srtp=srtp,
        dtmf=_ways(dtmf),
        password=password,
    )
    _set(request, data, config)


@app.command("rm")
def ext_rm(number: str, data: DataOption = DEFAULT_DATA, config: ConfigOption = None) -> None:
    """Remove an extension; its calls and recordings stay."""
    from b2bua.control.messages import RemoveExtension

    change(RemoveExtension(number=number), data, config)
    typer.echo(f"extension {number} removed")


@app.command("forward")
def ext_forward(
    number: str,
    *,
    always: ForwardOption = None,
    busy: ForwardOption = None,
    no_answer: ForwardOption = None,
    offline: ForwardOption = None,
    after_s: Annotated[
        int | None, typer.Option("--after", help="Seconds that it rings before --no-answer.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    config: ConfigOption = None,
) -> None:
    """Send an extension's calls on: to a number as the extension would dial it, or off."""
    from b2bua.control.messages import SetExtension

    request = SetExtension(
        number=number,
        forward_always=_target(always),
        forward_busy=_target(busy),
        forward_no_answer=_target(no_answer),
        forward_offline=_target(offline),
        forward_after_s=after_s,
    )
    _set(request, data, config)


@app.command("show")
def ext_show(number: str, data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False) -> None:
    """Show one extension."""
    from b2bua.reports import extension_row

    row = extension_row(DataFolder(data), number)
    if as_json:
        print_rows([row], as_json=True)
        return
    print_rows([{"setting": name, "value": value} for name, value in row.items()], as_json=False)


@app.command("list")
def ext_list(data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False) -> None:
    """List the extensions."""
    from b2bua.reports import extension_rows

    print_rows(extension_rows(DataFolder(data)), as_json=as_json)


def _set(request: "SetExtension", data: Path, config: Path | None) -> None:
    """Have settings changed, of which there has to be one."""
    if request == type(request)(number=request.number):
        raise UsageError("nothing to change: name an option, see --help")
    change(request, data, config)
    typer.echo(f"extension {request.number} changed")


def _directions(text: str | None) -> tuple[Direction, ...] | None:
    """Return the directions of a list, None where none was given."""
    return None if text is None else some_of(EVERY_DIRECTION, text, "--directions")


def _ways(text: str | None) -> tuple[DtmfWay, ...] | None:
    """Return the ways of a list, no one for `default`, None where none was given."""
    if text is None:
        return None
    return () if text == "default" else some_of(EVERY_WAY, text, "--dtmf")


def _target(number: str | None) -> str | None:
    """Return a number to forward to; empty for `off`."""
    if number == "":
        raise UsageError("name a number, or off")
    return "" if number == "off" else number


def _password(*, from_stdin: bool) -> tuple[str, bool]:
    return read_password(from_stdin=from_stdin, shortest=SHORTEST_PASSWORD, whose="telephone")
