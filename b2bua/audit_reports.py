"""Rows for `mitschnitt audit`, read from the database as it stands."""

from typing import Any

from b2bua.datadir import DataFolder
from b2bua.reports import iso, read
from cdr.audit import AuditReport
from cdr.ledger import LedgerReport
from cdr.proofs import Ground, GroundsReport, Proofs
from cdr.rows import AuditRow, EvidenceRow

SHOWN = 5
"Things that are wrong and named; the others are counted."


def audit_rows(folder: DataFolder, limit: int) -> list[dict[str, Any]]:
    """Return the newest rows of the audit log, newest first."""
    return [_entry(row) for row in read(folder, lambda database: database.audit(limit))]


def ground_rows(folder: DataFolder, limit: int) -> list[dict[str, Any]]:
    """Return what the newest recordings rest on, newest first."""
    return [_ground(each) for each in read(folder, lambda proofs: proofs.grounds(limit))]


def check_rows(folder: DataFolder) -> list[dict[str, Any]]:
    """Return what can be checked, and what came of it."""
    return [
        _chain(read(folder, Proofs.verify_audit)),
        _ledger(read(folder, Proofs.verify_ledger)),
        _grounds(read(folder, Proofs.verify_grounds)),
    ]


def _entry(row: AuditRow) -> dict[str, Any]:
    return {
        "at": iso(row.at),
        "actor": row.actor,
        "action": row.action,
        "object": row.object,
        "detail": row.detail,
        "seq": row.seq,
        "hash": row.hash,
    }


def _ground(ground: Ground) -> dict[str, Any]:
    recording, party, evidence = ground.recording, ground.party, ground.evidence
    return {
        "recorded_at": iso(recording.started_at),
        "party": party.number if party is not None else "",
        "basis": evidence.kind,
        "decision": evidence.decision,
        "decided_at": iso(evidence.decided_at),
        "how": _how(evidence),
        "file": recording.relative_path or "",
        "prompt_sha256": evidence.prompt_sha256 or "",
        "sip_call_id": evidence.sip_call_id or "",
        "evidence_id": evidence.id,
        "recording_id": recording.id,
        "call_id": recording.call_id,
    }


def _how(evidence: EvidenceRow) -> str:
    """Tell in words in what a decision consisted."""
    words = []
    if evidence.opt_in_at is not None:
        words.append(f"opted in at {iso(evidence.opt_in_at)} by {evidence.opt_in_by}")
    elif evidence.extension:
        words.append(f"asked in words by {evidence.extension}")
    if evidence.prompt_id:
        heard = "whole" if evidence.prompt_completed else "in part"
        words.append(f"heard {evidence.prompt_id} ({evidence.prompt_language}) {heard}")
    if evidence.digit:
        words.append(f"pressed {evidence.digit} ({evidence.transport})")
    if evidence.note:
        words.append(evidence.note)
    return ", ".join(words)


def _chain(report: AuditReport) -> dict[str, Any]:
    return _check(
        "audit log",
        report.checked,
        report.fault or "no row is altered or missing",
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
