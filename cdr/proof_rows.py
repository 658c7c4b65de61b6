"""What an auditor takes along: the log, and what recordings rest on, as rows of plain values.

The same rows for the command line, the API and files for spreadsheets. Times are UTC.
"""

import csv
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from cdr.export import TextSink, guarded
from cdr.proofs import Ground
from cdr.rows import AuditRow, EvidenceRow, iso

Values: TypeAlias = dict[str, str | int | None]

ENTRY_COLUMNS = ("at", "actor", "action", "object", "detail", "seq", "hash")
GROUND_COLUMNS = (
    *("recorded_at", "party", "basis", "decision", "decided_at", "how"),
    *("file", "prompt_sha256", "sip_call_id", "evidence_id", "recording_id", "call_id"),
)
"The keys, in their order."


def entry_values(row: AuditRow) -> Values:
    """Return one row of the audit log."""
    return {
        "at": iso(row.at),
        "actor": row.actor,
        "action": row.action,
        "object": row.object,
        "detail": row.detail,
        "seq": row.seq,
        "hash": row.hash,
    }


def ground_values(ground: Ground) -> Values:
    """Return what one party of a recording had agreed to, and how."""
    recording, party, evidence = ground.recording, ground.party, ground.evidence
    return {
        "recorded_at": iso(recording.started_at),
        "party": party.number if party is not None else "",
        **_decision(evidence),
        "file": recording.relative_path or "",
        "prompt_sha256": evidence.prompt_sha256 or "" if evidence else "",
        "sip_call_id": evidence.sip_call_id or "" if evidence else "",
        "evidence_id": evidence.id if evidence else "",
        "recording_id": recording.id,
        "call_id": recording.call_id,
    }


def _decision(evidence: EvidenceRow | None) -> Values:
    if evidence is None:
        return {"basis": "", "decision": "none", "decided_at": "", "how": ""}
    return {
        "basis": evidence.kind,
        "decision": evidence.decision,
        "decided_at": iso(evidence.decided_at),
        "how": how(evidence),
    }


def how(evidence: EvidenceRow) -> str:
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


def write_csv(rows: Iterable[Mapping[str, str | int | None]], sink: TextSink) -> None:
    """Write rows that have the same keys, without a line of names (:rfc:`4180`)."""
    writer = csv.writer(sink, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    for row in rows:
        writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in row.values()])
