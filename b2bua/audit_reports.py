"""Rows for `mitschnitt audit`, read from the database as it stands."""

from typing import Any

from b2bua.datadir import DataFolder
from b2bua.reports import read
from cdr.audit import AuditReport
from cdr.ledger import LedgerReport
from cdr.proof_rows import Values, entry_values, ground_values
from cdr.proofs import GroundsReport, Proofs

SHOWN = 5
"Things that are wrong and named; the others are counted."


def audit_rows(folder: DataFolder, limit: int) -> list[Values]:
    """Return the newest rows of the audit log, newest first."""
    return [entry_values(row) for row in read(folder, lambda database: database.audit(limit))]


def ground_rows(folder: DataFolder, limit: int) -> list[Values]:
    """Return what the newest recordings rest on, newest first."""
    return [ground_values(each) for each in read(folder, lambda proofs: proofs.grounds(limit))]


def check_rows(folder: DataFolder) -> list[dict[str, Any]]:
    """Return what can be checked, and what came of it."""
    return [
        _chain(read(folder, Proofs.verify_audit)),
        _ledger(read(folder, Proofs.verify_ledger)),
        _grounds(read(folder, Proofs.verify_grounds)),
    ]


def _chain(report: AuditReport) -> dict[str, Any]:
    return _check(
        "audit log",
        report.checked,
        str(report.fault or "no row is altered or missing"),
        ok=report.intact,
    )


def _ledger(report: LedgerReport) -> dict[str, Any]:
    gaps = [f"{a}" if a == b else f"{a} to {b}" for a, b in report.gaps]
    found = f"missing: {_some(gaps)}" if gaps else "no call is missing"
    return _check("calls", report.checked, found, ok=report.complete)


def _grounds(report: GroundsReport) -> dict[str, Any]:
    without = [each.relative_path or each.id for each in report.groundless]
    found = f"nobody had agreed: {_some(without)}" if without else "somebody had agreed to each"
    return _check("recordings", report.checked, found, ok=not without)


def _check(what: str, checked: int, found: str, *, ok: bool) -> dict[str, Any]:
    return {"what": what, "checked": checked, "ok": ok, "found": found}


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
