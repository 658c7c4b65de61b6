"""How lists are printed: a table for people, JSON for programs."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import typer


def print_rows(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows that all have the same keys."""
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
