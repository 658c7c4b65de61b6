"""`mitschnitt calls` and `mitschnitt rec`: what happened."""

import sys
from typing import Annotated

import typer

from b2bua.commands.common import DEFAULT_DATA, DataOption, JsonOption, LimitOption
from b2bua.commands.output import print_rows
from b2bua.datadir import DataFolder
from b2bua.errors import UsageError

app = typer.Typer(help="Recordings.", no_args_is_help=True)


def calls(
    data: DataOption = DEFAULT_DATA,
    *,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool,
        typer.Option(
            "--csv", help="Lines as in Asterisk's Master.csv, oldest first; times in UTC."
        ),
    ] = False,
) -> None:
    """List calls, newest first."""
    from b2bua.reports import call_rows, write_calls

    if as_csv and as_json:
        raise UsageError("--csv or --json, not both")
    if as_csv:
        write_calls(DataFolder(data), limit, sys.stdout)
    else:
        print_rows(call_rows(DataFolder(data), limit), as_json=as_json)


@app.command("list")
def rec_list(
    data: DataOption = DEFAULT_DATA, *, limit: LimitOption = 20, as_json: JsonOption = False
) -> None:
    """List recordings, newest first."""
    from b2bua.reports import recording_rows

    print_rows(recording_rows(DataFolder(data), limit), as_json=as_json)
