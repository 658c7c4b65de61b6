"""`mitschnitt storage`: how much the recordings take, and when the disk will be full."""

import json
from typing import Annotated

import typer

from b2bua.commands.common import DEFAULT_DATA, ConfigOption, DataOption, JsonOption, config_path
from b2bua.datadir import DataFolder


def storage(
    data: DataOption = DEFAULT_DATA,
    config: ConfigOption = None,
    *,
    minutes_per_day: Annotated[
        int | None,
        typer.Option(
            "--minutes-per-day", min=0, max=10_000_000, help="Calculate the need of so much talk."
        ),
    ] = None,
    days: Annotated[
        int, typer.Option("--days", min=1, max=36_500, help="How long it is to be kept.")
    ] = 365,
    as_json: JsonOption = False,
) -> None:
    """Say what the recordings take, how fast they grow, and when the disk will be full."""
    from b2bua.config import load
    from b2bua.storage_report import calculated, in_words, storage_report

    folder = DataFolder(data)
    report = storage_report(folder, load(config_path(config, folder)).storage.folder)
    plan = None if minutes_per_day is None else calculated(minutes_per_day, days)
    if as_json:
        typer.echo(json.dumps(report | ({} if plan is None else {"plan": plan}), indent=2))
        return
    for line in in_words(report, plan):
        typer.echo(line)
