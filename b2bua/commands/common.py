"""What several commands share: options, who asks, and the way a change takes."""

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from b2bua.datadir import DataFolder
from b2bua.errors import ControlError, UsageError

if TYPE_CHECKING:
    from b2bua.control.messages import Request

W = TypeVar("W", bound=str)

DEFAULT_DATA = Path("/var/lib/mitschnitt")

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
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=100_000)]
PasswordOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


def config_path(config: Path | None, data: DataFolder) -> Path | None:
    """Return the configuration file in effect; None: the built-in defaults."""
    if config is not None:
        return config
    return data.config_file if data.config_file.exists() else None


def actor() -> str:
    """Return who changes something, for the audit log."""
    return f"cli:{getpass.getuser()}"


def change(request: "Request", data: Path, config: Path | None) -> None:
    """Have the server commit a change, or commit it here when none is running."""
    from b2bua.control.messages import Refused
    from b2bua.control.socket import ask

    folder = DataFolder(data)
    reply = ask(folder.control_socket, request)
    if reply is None:
        from b2bua.config import load
        from b2bua.control.administration import change_offline

        realm = load(config_path(config, folder)).sip.realm
        change_offline(folder, realm, request, actor())
    elif isinstance(reply, Refused):
        raise ControlError(reply.reason)


def words(text: str) -> tuple[str, ...]:
    """Return the words of a comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def some_of(table: tuple[W, ...], text: str, option: str) -> tuple[W, ...]:
    """Return the words of a list in the order of the table; one at least."""
    wanted = words(text)
    unknown = sorted(set(wanted) - set(table))
    if unknown or not wanted:
        said = ", ".join(unknown) or "nothing"
        raise UsageError(f"{option}: {', '.join(table)}; not {said}")
    return tuple(each for each in table if each in wanted)


def read_password(*, from_stdin: bool, shortest: int, whose: str) -> tuple[str, bool]:
    """Return a password and whether it was made here (and must be shown)."""
    from b2bua.passwords import new_password

    if not from_stdin:
        return new_password(), True
    password = sys.stdin.readline().rstrip("\n")
    if len(password) < shortest:
        raise UsageError(f"a password of a {whose} has at least {shortest} characters")
    return password, False
