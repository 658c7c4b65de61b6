"""`mitschnitt demo`: what this is about, shown to a stranger."""

from typing import Annotated

import typer

from b2bua.commands.common import JsonOption


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
