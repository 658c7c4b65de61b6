"""Evidence and the permits that rest on it: no row, no permit."""

from dataclasses import replace
from typing import cast

import pytest

from b2bua.calls.call_record import CallRecord
from b2bua.calls.recording.evidence import Agreement, Evidence, EvidenceError
from b2bua.calls.sessions.bridge import Side
from cdr.journal import Journal
from cdr.records import EvidenceStored
from ivr.consent_menu import Decision, Departure, Verdict
from ivr.key_pad import Way
from recording.permit import Basis
from tests.unit.b2bua.calls.call_rig import extension
from tests.unit.b2bua.calls.fake_plane import FakeJournal

BEGAN = 500.0

YES = Verdict(
    decision=Decision.GRANTED,
    at=BEGAN + 12.5,
    prompt_id="consent",
    language="de",
    sha256="cd" * 32,
    played_ms=6200,
    completed=False,
    digit="1",
    transport=Way.RFC4733,
    rtp_timestamp=123,
    ssrc=456,
)


class Desk:
    """Evidence over a journal that can be looked into."""

    def __init__(self) -> None:
        self.journal = FakeJournal()
        journal = cast("Journal", self.journal)
        self.record = CallRecord(journal, lambda: BEGAN)
        self.evidence = Evidence(journal, self.record)

    @property
    def rows(self) -> list[EvidenceStored]:
        return self.journal.of(EvidenceStored)


def test_a_yes_is_stored_with_every_fact_and_carries_a_permit() -> None:
    desk = Desk()
    agreement = desk.evidence.asked(Side.A, YES, "call-id@phone")
    (row,) = desk.rows
    assert agreement == Agreement(Basis.CONSENT, row.id)
    assert row == EvidenceStored(
        id=row.id,
        call_id=desk.record.id,
        party_id=desk.record.party_id(0),
        kind="consent",
        decision="granted",
        decided_at=desk.record.started_at + 12_500_000,
        prompt_id="consent",
        prompt_language="de",
        prompt_sha256="cd" * 32,
        prompt_played_ms=6200,
        prompt_completed=False,
        digit="1",
        transport="rfc4733",
        rtp_timestamp=123,
        rtp_ssrc=456,
        sip_call_id="call-id@phone",
    )
    permit = desk.evidence.agreed(Side.A, agreement)
    assert (permit.call_id, permit.party_id) == (desk.record.uniqueid, row.party_id)
    assert (permit.basis, permit.evidence_id, permit.epoch) == (Basis.CONSENT, row.id, 0)


@pytest.mark.parametrize(
    ("decision", "departure", "stored"),
    [
        (Decision.REFUSED, None, "refused"),
        (Decision.TIMED_OUT, None, "timed_out"),
        (Decision.CANCELLED, None, "cancelled"),
        (Decision.LEFT, Departure.HOLD, "refused"),
        (Decision.LEFT, Departure.TRANSFER, "refused"),
        (Decision.LEFT, Departure.BYE, "refused"),
    ],
)
def test_everything_else_is_stored_and_is_no_agreement(
    decision: Decision, departure: Departure | None, stored: str
) -> None:
    desk = Desk()
    verdict = replace(YES, decision=decision, departure=departure)
    assert desk.evidence.asked(Side.B, verdict, "") is None
    (row,) = desk.rows
    assert (row.decision, row.note) == (stored, departure)
    assert row.party_id == desk.record.party_id(1)


def test_every_decision_of_the_menu_has_a_word() -> None:
    for decision in Decision:
        Desk().evidence.asked(Side.A, replace(YES, decision=decision), "")


def test_an_attested_consent_names_who_asked() -> None:
    desk = Desk()
    agreement = desk.evidence.attested(Side.B, "101")
    (row,) = desk.rows
    assert (agreement.basis, agreement.evidence_id) == (Basis.ATTESTED, row.id)
    assert (row.kind, row.decision, row.extension) == ("attested", "granted", "101")
    assert row.party_id == desk.record.party_id(1), "the outside party's, not the extension's"
    assert row.digit is None
    assert row.prompt_id is None


def test_an_opt_in_carries_date_and_actor() -> None:
    desk = Desk()
    permit = desk.evidence.opt_in(Side.A, extension("101"))
    (row,) = desk.rows
    assert (row.kind, row.decision, row.extension) == ("opt_in", "granted", "101")
    assert (row.opt_in_at, row.opt_in_by) == (1_000_000, "admin")
    assert (permit.basis, permit.evidence_id) == (Basis.OPT_IN, row.id)


def test_without_an_opt_in_there_is_no_permit() -> None:
    desk = Desk()
    with pytest.raises(EvidenceError, match="101 has not opted in"):
        desk.evidence.opt_in(Side.A, extension("101", opted_in=False))
    assert desk.rows == []


def test_without_a_healthy_journal_there_is_no_permit() -> None:
    desk = Desk()
    agreement = desk.evidence.asked(Side.B, YES, "")
    assert agreement is not None
    desk.journal.healthy = False
    assert not desk.evidence.possible
    with pytest.raises(EvidenceError, match="journal"):
        desk.evidence.opt_in(Side.A, extension("101"))
    with pytest.raises(EvidenceError, match="journal"):
        desk.evidence.agreed(Side.B, agreement)
    assert [row.kind for row in desk.rows] == ["consent"]
