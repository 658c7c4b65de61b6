"""Decisions and rows of the audit log, told in the reader's language."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cdr.proofs import RecordedCall
from cdr.rows import GRANTED, AuditRow, EvidenceRow, PartyRow
from web.context import Web
from web.formats import clock_text, day_text, local, moment_text, number_text, rfc3339
from web.texts import Texts

CARRIED: Final = "agreed in call "
"How a note begins that names the call from which an agreement was carried over."

WORDS: Final[Mapping[str, str]] = {
    "mode": "mode",
    "manual_consent": "consent",
    "directions": "direction",
    "srtp": "srtp",
    "dtmf": "dtmf",
    "role": "role",
    "file": "outcome_of_file",
}
"Columns whose values have words of their own, and where these are."

NOTHING: Final = "–"  # noqa: RUF001 - a dash

SECRETS: Final = frozenset({"ha1_md5", "ha1_sha256", "password_hash"})
"Columns of which the log knows only that they were set."

YEAR_9000: Final = 221_845_392_000_000_000
"Beyond it there are no dates to show."

OF_ALL: Final = frozenset({"audit.verify", "storage.test"})
"Actions whose object has no name of its own."

INSIDE: Final = frozenset({"number", "call", "created_at", "changed_at", "realm"})
"What the log holds and a reader does not miss; it is in the file for spreadsheets."


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentView:
    """A time, for people and for programs."""

    day: str
    clock: str
    iso: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """What one party said about being recorded."""

    who: str
    name: str
    side: str
    basis: str
    decision: str
    decision_word: str
    granted: bool
    at: MomentView | None
    how: tuple[str, ...]
    marks: tuple[tuple[str, str], ...]
    "What can be compared with other sources: name and value."


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One row of the audit log."""

    seq: int
    hash: str
    at: MomentView
    actor: str
    via: str
    action: str
    object: str
    object_word: str
    recording: bool
    "Whether the object is the id of a recording."
    lines: tuple[str, ...]
    raw: str


def moment(web: Web, at: int, t: Texts) -> MomentView:
    """Return a stored time as pages show it."""
    when = local(at, web.settings.timezone)
    return MomentView(
        day=day_text(when.date(), t.language), clock=clock_text(when), iso=rfc3339(at)
    )


# --- decisions


def decisions(web: Web, recorded: RecordedCall, t: Texts) -> tuple[DecisionView, ...]:
    """Return all decisions of a call in order of time, then the parties who made none."""
    parties = {party.party_id: party for party in recorded.call.parties}
    made = [_decision(web, row, parties.get(row.party_id), t) for row in recorded.evidence]
    heard = {row.party_id for row in recorded.evidence}
    note = t("how.none") if made else ""
    silent = [
        _undecided(party, note, t) for party in parties.values() if party.party_id not in heard
    ]
    return (*made, *silent)


def _decision(web: Web, row: EvidenceRow, party: PartyRow | None, t: Texts) -> DecisionView:
    return DecisionView(
        **_who(party, t),
        basis=t.word("basis", row.kind),
        decision=row.decision,
        decision_word=t.word("decision", row.decision),
        granted=row.decision == GRANTED,
        at=moment(web, row.decided_at, t),
        how=tuple(_how(web, row, t)),
        marks=tuple(_marks(row, t)),
    )


def _undecided(party: PartyRow, note: str, t: Texts) -> DecisionView:
    return DecisionView(
        **_who(party, t),
        basis="",
        decision="none",
        decision_word=t("decision.none"),
        granted=False,
        at=None,
        how=(note,) if note else (),
        marks=(),
    )


def _who(party: PartyRow | None, t: Texts) -> dict[str, str]:
    if party is None:
        return {"who": "", "name": "", "side": ""}
    name = "" if party.name == party.number else party.name
    return {"who": party.number, "name": name, "side": t.word("side", str(party.side))}


def _how(web: Web, row: EvidenceRow, t: Texts) -> Iterator[str]:
    """Tell in what a decision consisted (`cdr.proof_rows.how` does it for programs)."""
    if row.opt_in_at is not None:
        date = moment_text(local(row.opt_in_at, web.settings.timezone), t.language)
        yield t("how.opt_in", date=date, actor=row.opt_in_by)
    elif row.extension:
        yield t("how.attested", number=row.extension)
    if row.prompt_id:
        prompt = {"prompt": row.prompt_id, "language": row.prompt_language}
        if row.prompt_completed:
            yield t("how.heard", **prompt)
        else:
            seconds = number_text((row.prompt_played_ms or 0) / 1000, t.language, 1)
            yield t("how.heard_part", seconds=seconds, **prompt)
    if row.digit:
        yield t("how.digit", digit=row.digit, transport=t.word("transport", row.transport or ""))
    if row.note:
        yield _note(row.note, t)


def _note(note: str, t: Texts) -> str:
    if note.startswith(CARRIED):
        return t("how.carried", call=note.removeprefix(CARRIED))
    return t.word("departure", note)


def _marks(row: EvidenceRow, t: Texts) -> Iterator[tuple[str, str]]:
    if row.prompt_sha256:
        yield t("mark.prompt"), row.prompt_sha256
    if row.sip_call_id:
        yield t("mark.call_id"), row.sip_call_id
    if row.rtp_ssrc is not None:
        yield t("mark.ssrc"), f"{row.rtp_ssrc:08x}"
    if row.rtp_timestamp is not None:
        yield t("mark.rtp"), str(row.rtp_timestamp)
    yield t("mark.evidence"), row.id


# --- rows of the log


def entry(web: Web, row: AuditRow, t: Texts) -> EntryView:
    """Return a row in words."""
    via, _, actor = row.actor.rpartition(":")
    return EntryView(
        seq=row.seq,
        hash=row.hash,
        at=moment(web, row.at, t),
        actor=actor,
        via=t.word("via", via) if via else "",
        action=t.word("audit", row.action),
        object=row.object,
        object_word=t.word("object", row.object) if row.action in OF_ALL else row.object,
        recording=row.action.startswith("recording."),
        lines=tuple(dict.fromkeys(_lines(web, row.detail, t))),
        raw=row.detail,
    )


def details(detail: str) -> dict[str, object] | None:
    """Return the details of a row; None where nobody of ours can have written it."""
    try:
        fields = json.loads(detail)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _lines(web: Web, detail: str, t: Texts) -> Iterator[str]:
    fields = details(detail)
    if fields is None:
        yield detail
        return
    for name in dict.fromkeys(each.removesuffix("_was") for each in fields):
        if name in INSIDE:
            continue
        told = [
            _value(web, name, fields[each], t) for each in (f"{name}_was", name) if each in fields
        ]
        if told != [NOTHING]:
            yield f"{t.word('field', name)}: {' → '.join(told)}"


def _value(web: Web, name: str, value: object, t: Texts) -> str:
    if name in SECRETS:
        return t("field.secret")
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return t("field.yes") if value else t("field.no")
    if name.endswith("_at") and isinstance(value, int) and 0 <= value < YEAR_9000:
        return moment_text(local(value, web.settings.timezone), t.language)
    if name in WORDS and isinstance(value, str):
        code = web.settings.record_code
        return ", ".join(t.word(WORDS[name], each, code=code) for each in value.split(","))
    return str(value)
