"""The command line. Exit codes: 0 done, 1 failed, 2 the call's words are off.

Commands that change something ask the running server over its control socket; without one
they take the lock on the data folder and write through the same code. The commands stand in
`b2bua/commands`, one noun a file; heavy imports stand inside them, so that `--help` and
completion stay quick.
"""

import sys
from importlib.metadata import version as package_version
from typing import Annotated

import typer

from b2bua.commands import accounts, audit, demo, ext, music, prompt, records, server, storage
from b2bua.errors import MitschnittError

app = typer.Typer(
    name="mitschnitt",
    help="A SIP telephone server that records calls, with consent, to MP3 as they happen.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(server.serve)
app.command("init")(server.init)
app.command("check-config")(server.check_config)
app.command("status")(server.status)
app.command("demo")(demo.demo)
app.command("calls")(records.calls)
app.command("storage")(storage.storage)
app.add_typer(ext.app, name="ext")
app.add_typer(records.app, name="rec")
app.add_typer(audit.app, name="audit")
app.add_typer(accounts.users, name="user")
app.add_typer(accounts.tokens, name="token")
app.add_typer(prompt.app, name="prompt")
app.add_typer(music.app, name="music")


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


if __name__ == "__main__":
    main()
