"""What a permit rests on: the rows that an auditor finds, and the permits that name them.

No evidence, no permit: while the journal is not healthy, `EvidenceError` is raised and nothing
is recorded.
"""

from dataclasses import dataclass, replace

from b2bua.calls.call_record import CallRecord
from b2bua.calls.sessions.bridge import Side
from b2bua.directory import Extension
from cdr.journal import Journal
from cdr.records import EvidenceStored, new_id
from ivr.consent_menu import Decision, Verdict
from recording.permit import Basis, RecordingPermit, grant

_DECISIONS = {
    Decision.GRANTED: "granted",
    Decision.REFUSED: "refused",
    Decision.TIMED_OUT: "timed_out",
    Decision.LEFT: "refused",
    Decision.CANCELLED: "cancelled",
}


class EvidenceError(Exception):
    """The evidence could not be kept, so there is no permit."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """That an outside party may be recorded, as stored."""

    basis: Basis
    evidence_id: str


class Evidence:
    """The evidence of one call."""

    def __init__(self, journal: Journal, record: CallRecord) -> None:
        self._journal = journal
        self._record = record

    @property
    def possible(self) -> bool:
        """Whether evidence will be kept."""
        return self._journal.healthy

    def asked(self, side: Side, verdict: Verdict, sip_call_id: str) -> Agreement | None:
        """Store how a question ended; returns the agreement if it was a yes."""
        decided_at = self._record.us_at(verdict.at)
        row = replace(
            self._row(side, Basis.CONSENT, _DECISIONS[verdict.decision], decided_at),
            prompt_id=verdict.prompt_id,
            prompt_language=verdict.language,
            prompt_sha256=verdict.sha256,
            prompt_played_ms=verdict.played_ms,
            prompt_completed=verdict.completed,
            digit=verdict.digit,
            transport=verdict.transport,
            rtp_timestamp=verdict.rtp_timestamp,
            rtp_ssrc=verdict.ssrc,
            sip_call_id=sip_call_id,
            note=verdict.departure,
        )
        self._record.evidence(row)
        if verdict.decision is not Decision.GRANTED:
            return None
        return Agreement(Basis.CONSENT, row.id)

    def attested(self, side: Side, by: str) -> Agreement:
        """Store that the extension `by` has asked in words: its press of the key says so."""
        row = replace(
            self._row(side, Basis.ATTESTED, "granted", self._record.now_us()), extension=by
        )
        self._record.evidence(row)
        return Agreement(Basis.ATTESTED, row.id)

    def carried(self, side: Side, agreement: Agreement, earlier: str) -> Agreement:
        """Store that a party who was transferred here had agreed before.

        `earlier`: the `uniqueid` of that call, where its answer stands in full.
        """
        row = replace(
            self._row(side, agreement.basis, "granted", self._record.now_us()),
            note=f"agreed in call {earlier}",
        )
        self._record.evidence(row)
        return Agreement(agreement.basis, row.id)

    def opt_in(self, side: Side, extension: Extension) -> RecordingPermit:
        """Make an own party's permit from its stored opt-in; raises `EvidenceError`."""
        if extension.opt_in_at is None:
            raise EvidenceError(f"extension {extension.number} has not opted in")
        row = replace(
            self._row(side, Basis.OPT_IN, "granted", self._record.now_us()),
            extension=extension.number,
            opt_in_at=extension.opt_in_at,
            opt_in_by=extension.opt_in_by,
        )
        permit = self._permit(side, Basis.OPT_IN, row.id)
        self._record.evidence(row)
        return permit

    def agreed(self, side: Side, agreement: Agreement) -> RecordingPermit:
        """Make an outside party's permit; raises `EvidenceError`."""
        return self._permit(side, agreement.basis, agreement.evidence_id)

    def _permit(self, side: Side, basis: Basis, evidence_id: str) -> RecordingPermit:
        if not self.possible:
            raise EvidenceError("the journal is not healthy")
        return grant(
            call_id=self._record.uniqueid,
            party_id=self._record.party_id(side),
            basis=basis,
            evidence_id=evidence_id,
            epoch=0,
        )

    def _row(self, side: Side, kind: Basis, decision: str, decided_at: int) -> EvidenceStored:
        return EvidenceStored(
            id=new_id(decided_at),
            call_id=self._record.id,
            party_id=self._record.party_id(side),
            kind=kind,
            decision=decision,
            decided_at=decided_at,
        )
