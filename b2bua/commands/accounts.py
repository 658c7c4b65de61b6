"""`mitschnitt user` and `mitschnitt token`: who sees the pages, and which programs ask the API."""

from typing import Annotated

import typer

from b2bua.choices import EVERY_SCOPE, Role
from b2bua.commands.common import (
    DEFAULT_DATA,
    ConfigOption,
    DataOption,
    JsonOption,
    PasswordOption,
    change,
    read_password,
    some_of,
    words,
)
from b2bua.commands.output import print_rows
from b2bua.datadir import DataFolder
from b2bua.errors import UsageError

users = typer.Typer(help="Users of the pages.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens for programs that use the HTTP API.", no_args_is_help=True)

ROLES = "admin: everything; listener: some extensions' calls; auditor: the proofs only."

ExtensionsOption = Annotated[
    str | None,
    typer.Option("--extensions", help="Whose calls a listener sees: 101,102."),
]


@users.command("add")
def user_add(
    name: str,
    *,
    role: Annotated[Role, typer.Option("--role", help=ROLES)] = "listener",
    extensions: ExtensionsOption = None,
    password_stdin: PasswordOption = False,
    data: DataOption = DEFAULT_DATA,
    config: ConfigOption = None,
) -> None:
    """Add a user; without --password-stdin a password is made and printed once."""
    from b2bua.control.messages import AddUser

    password, made = _password(from_stdin=password_stdin)
    request = AddUser(
        name=name,
        password_hash=_hash(password),
        role=role,
        extensions=words(extensions or ""),
    )
    change(request, data, config)
    typer.echo(f"user {name} added")
    if made:
        typer.echo(f"password: {password}")


@users.command("set")
def user_set(
    name: str,
    *,
    role: Annotated[Role | None, typer.Option("--role", help=ROLES)] = None,
    extensions: ExtensionsOption = None,
    new_password: Annotated[
        bool, typer.Option("--new-password", help="Make a password and print it once.")
    ] = False,
    password_stdin: PasswordOption = False,
    data: DataOption = DEFAULT_DATA,
    config: ConfigOption = None,
) -> None:
    """Change what is named of a user; a new password ends the user's sessions."""
    from b2bua.control.messages import SetUser

    if new_password and password_stdin:
        raise UsageError("--new-password or --password-stdin, not both")
    password, made = None, False
    if new_password or password_stdin:
        password, made = _password(from_stdin=password_stdin)
    request = SetUser(
        name=name,
        password_hash=None if password is None else _hash(password),
        role=role,
        extensions=None if extensions is None else words(extensions),
    )
    if request == SetUser(name=name):
        raise UsageError("nothing to change: name an option, see --help")
    change(request, data, config)
    typer.echo(f"user {name} changed")
    if made:
        typer.echo(f"password: {password}")


@users.command("rm")
def user_rm(name: str, data: DataOption = DEFAULT_DATA, config: ConfigOption = None) -> None:
    """Remove a user and log him out."""
    from b2bua.control.messages import RemoveUser

    change(RemoveUser(name=name), data, config)
    typer.echo(f"user {name} removed")


@users.command("list")
def user_list(data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False) -> None:
    """List the users of the pages."""
    from b2bua.reports import user_rows

    print_rows(user_rows(DataFolder(data)), as_json=as_json)


@tokens.command("add")
def token_add(
    name: str,
    *,
    scopes: Annotated[
        str, typer.Option("--scopes", help="What it is for: calls, audio, metrics, audit.")
    ] = "calls,audio",
    data: DataOption = DEFAULT_DATA,
    config: ConfigOption = None,
) -> None:
    """Add a token and print it once; only its SHA-256 is kept."""
    from b2bua.control.messages import AddToken
    from web.secret import digest, new_secret

    token = new_secret()
    change(
        AddToken(name=name, hash=digest(token), scopes=some_of(EVERY_SCOPE, scopes, "--scopes")),
        data,
        config,
    )
    typer.echo(f"token {name} added")
    typer.echo(f"token: {token}")


@tokens.command("revoke")
def token_revoke(name: str, data: DataOption = DEFAULT_DATA, config: ConfigOption = None) -> None:
    """Make a token void; its name stays in the list."""
    from b2bua.control.messages import RevokeToken

    change(RevokeToken(name=name), data, config)
    typer.echo(f"token {name} revoked")


@tokens.command("list")
def token_list(data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False) -> None:
    """List the tokens, revoked ones too."""
    from b2bua.reports import token_rows

    print_rows(token_rows(DataFolder(data)), as_json=as_json)


def _password(*, from_stdin: bool) -> tuple[str, bool]:
    from web.passwords import MAX_LENGTH, MIN_LENGTH

    password, made = read_password(from_stdin=from_stdin, shortest=MIN_LENGTH, whose="user")
    if len(password) > MAX_LENGTH:
        raise UsageError(f"a password of a user has at most {MAX_LENGTH} characters")
    return password, made


def _hash(password: str) -> str:
    from web.passwords import hash_password

    return hash_password(password)
