"""`mitschnitt audit`: who did what, and what recordings rest on."""

import typer

from b2bua.commands.common import DEFAULT_DATA, DataOption, JsonOption, LimitOption
from b2bua.commands.output import print_rows
from b2bua.datadir import DataFolder

app = typer.Typer(
    help="For an auditor: who did what, and why it was recorded.", no_args_is_help=True
)


@app.command("list")
def audit_list(
    data: DataOption = DEFAULT_DATA, *, limit: LimitOption = 20, as_json: JsonOption = False
) -> None:
    """List who changed something, listened or logged in, newest first."""
    from b2bua.audit_reports import audit_rows

    print_rows(audit_rows(DataFolder(data), limit), as_json=as_json)


@app.command("grounds")
def audit_grounds(
    data: DataOption = DEFAULT_DATA, *, limit: LimitOption = 20, as_json: JsonOption = False
) -> None:
    """List what the newest recordings rest on: who agreed, when and how.

    One row for each decision of a party; those who refused, or were not heard, are told as well.
    The limit counts recordings.
    """
    from b2bua.audit_reports import ground_rows

    print_rows(ground_rows(DataFolder(data), limit), as_json=as_json)


@app.command("verify")
def audit_verify(data: DataOption = DEFAULT_DATA, *, as_json: JsonOption = False) -> None:
    """Check that the log is whole, no call is missing, and each recording has its ground.

    The exit code is 1 where something is wrong.
    """
    from b2bua.audit_reports import check_rows

    checks = check_rows(DataFolder(data))
    print_rows(checks, as_json=as_json)
    if not all(check["ok"] for check in checks):
        raise typer.Exit(1)
