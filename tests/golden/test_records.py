"""What the journal stores, octet for octet: readers, exports and the audit chain rely on it.

One record of every kind, with odd values among them; `records/stored.jsonl` holds every row of
every table as SQLite has it, so that 1, 1.0, "1" and true are told apart.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from sqlalchemy import Column, DefaultClause

from cdr.account_records import (
    AccountChange,
    SessionClosed,
    SessionOpened,
    SessionTouched,
    UserAdded,
    UserChanged,
    UserRemoved,
)
from cdr.extension_records import Credentials, ExtensionChanged, ExtensionRemoved, OptIn
from cdr.journal import Journal
from cdr.records import (
    BindingRemoved,
    CallAnswered,
    CallIvrAnswered,
    CallRouted,
    Change,
    Event,
    OutcomeRevised,
    PartyAnswered,
    PartyLeft,
    PromptInstalled,
    SegmentVanished,
    TokenAdded,
    TokenRevoked,
)
from cdr.schema import metadata
from cdr.store import prepare
from tests.unit.cdr.samples import (
    AT,
    SECOND,
    added,
    audited,
    binding,
    ended,
    evidence,
    joined,
    opened,
    segment_closed,
    segment_opened,
)

STORED = Path(__file__).parent / "records" / "stored.jsonl"

ODD = "a\0b \udcfc \u2028 'Grüße' \"%s\" ?1 \\u0000"

EVENTS: tuple[Event, ...] = (
    opened("1"),
    replace(opened("2"), clid=ODD, src="", dst="002", direction=""),
    CallRouted(id="call-1", direction="incoming", dst="103", did="4930123"),
    CallIvrAnswered(id="call-1", ivr_answered_at=AT + 1),
    CallAnswered(id="call-1", answered_at=AT + 2, dstchannel="SIP/103"),
    replace(
        joined("1", 0),
        channel="SIP/101",
        sip_call_id="abc@host",
        remote="192.0.2.1:5060",
        user_agent="Phone/1",
    ),
    replace(joined("1", 1), extension=None, number="+4930123", name=ODD),
    PartyAnswered(party_id="party-1a", answered_at=AT, codec="PCMA"),
    PartyLeft(
        party_id="party-1a",
        left_at=AT + 2,
        packets_received=1,
        packets_sent=5_000_000_000,
        packets_dropped=2,
        jitter_ms=0.1,
    ),
    PartyLeft(party_id="party-1b", left_at=AT + 3, packets_lost=0, round_trip_ms=1.0, mos=4.3),
    evidence("1", "a"),
    replace(
        evidence("1", "b"),
        kind="consent",
        epoch=2,
        opt_in_at=None,
        opt_in_by=None,
        prompt_id="consent",
        prompt_language="de",
        prompt_sha256="e" * 64,
        prompt_played_ms=1_500,
        prompt_completed=False,
        digit="1",
        transport="rfc4733",
        rtp_timestamp=160,
        sip_call_id="abc@host",
        note=ODD,
    ),
    segment_opened("1", 1),
    segment_closed("1", 1),
    segment_opened("1", 2),
    replace(
        segment_closed("1", 2), relative_path=None, state="failed", recovered=True, missing_s=0.5
    ),
    replace(segment_opened("1", 3), sample_rate=16_000, channels=2),
    SegmentVanished(id="segment-1-3", failure="the file is gone"),
    ended("1"),
    replace(ended("2"), outcome_params={"x": ODD, "y": None, "z": True, "n": 1.5}, recovered=True),
    OutcomeRevised(id="call-1", outcome="failed", outcome_reason="vanished"),
    binding(),
    replace(
        binding(2, "sip:102@[::1]"),
        q=0.5,
        reg_id=1,
        instance="<urn:uuid:1>",
        path=ODD,
        user_agent="Phone/1",
    ),
    binding(3, "sip:gone@192.0.2.1"),
    BindingRemoved(aor="101", contact="sip:gone@192.0.2.1"),
    SessionTouched(id_hash="unknown", idle_expires_at=AT),
    audited("x"),
    replace(audited(ODD), detail={"text": ODD, "yes": True, "none": None, "real": 2.0}),
)

WHO: dict[str, Any] = {"actor": "web:ada", "at": AT + 7}

CHANGES: tuple[Change, ...] = (
    added("101"),
    replace(added("102", "automatic", opt_in=True), user_may_stop=True, dtmf=("info", "rfc4733")),
    replace(added("103"), name="Grüße", directions=(), algorithms=("SHA-256",), srtp="required"),
    ExtensionChanged(**WHO, number="101", opt_in=OptIn(at=AT, by="web:ada"), mode="manual"),
    ExtensionChanged(
        **WHO,
        number="101",
        credentials=Credentials(realm="new", ha1_md5="c" * 32, ha1_sha256="d" * 64),
        name="",
        directions=("incoming", "internal"),
        user_may_stop=True,
        manual_consent="attested",
        forward_always="104",
        forward_busy="102",
        forward_no_answer="+4930123",
        forward_offline="102",
        forward_after_s=7,
        srtp="required",
        dtmf=(),
        algorithms=("MD5",),
        disabled=True,
    ),
    ExtensionChanged(**WHO, number="102", user_may_stop=False, disabled=False),
    ExtensionChanged(**WHO, number="103"),
    ExtensionRemoved(**WHO, number="103"),
    PromptInstalled(
        **WHO,
        id="consent/de/1",
        name="consent",
        language="de",
        version=1,
        sha256="e" * 64,
        duration_ms=4_321,
        sentence="Dürfen wir?",
    ),
    TokenAdded(**WHO, name="crm", hash="f" * 64, scopes=("calls", "audio")),
    TokenAdded(**WHO, name="old", hash="0" * 64, scopes=()),
    TokenRevoked(**WHO, name="old"),
    UserAdded(**WHO, name="ada", password_hash="$argon2id$1", role="admin"),
    UserAdded(
        **WHO, name="ben", password_hash="$argon2id$2", role="listener", extensions=("101", "102")
    ),
    UserChanged(**WHO, name="ada", extensions=("101",), disabled=False),
    UserChanged(**WHO, name="ben", password_hash="$argon2id$3", role="admin", disabled=True),
    UserAdded(**WHO, name="eve", password_hash="$argon2id$4", role="listener"),
    UserRemoved(**WHO, name="eve"),
    SessionOpened(
        **WHO,
        id_hash="1" * 64,
        user="ada",
        csrf_token="csrf",
        idle_expires_at=AT + 60 * SECOND,
        expires_at=AT + 3600 * SECOND,
        source="192.0.2.1",
    ),
    SessionOpened(
        **WHO,
        id_hash="2" * 64,
        user="ada",
        csrf_token="other",
        idle_expires_at=AT + 60 * SECOND,
        expires_at=AT + 3600 * SECOND,
    ),
    SessionClosed(**WHO, id_hash="2" * 64),
    replace(audited("y"), detail={"flag": False, "number": 7}),
)


def stored(database: Path) -> str:
    """Return every row of every table as JSON, a line for each."""
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'alembic_version'"
        )
        lines = [
            json.dumps([name, *row], ensure_ascii=False)
            for (name,) in sorted(tables.fetchall())
            for row in connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2")  # noqa: S608 - our own tables
        ]
    return "\n".join(lines) + "\n"


def test_there_is_a_record_of_every_kind() -> None:
    kinds = {type(record) for record in (*EVENTS, *CHANGES)}
    assert kinds == {*get_args(Event), *get_args(Change), *get_args(AccountChange)}


def unwritten(database: Path) -> list[str]:
    """Return the columns that no row has anything in but what the table gives by itself."""
    with closing(sqlite3.connect(database)) as connection:
        return [
            str(column)
            for table in metadata.sorted_tables
            for column in table.columns
            if not connection.execute(
                f"SELECT 1 FROM {table.name} WHERE {column.name} IS NOT {default_of(column)}"  # noqa: S608 - our own tables
            ).fetchone()
        ]


def default_of(column: Column[Any]) -> str:
    if column.server_default is None:
        return "NULL"
    assert isinstance(column.server_default, DefaultClause)
    default = column.server_default.arg
    return f"'{default}'" if isinstance(default, str) else str(default)


async def test_records_are_stored_as_ever(tmp_path: Path) -> None:
    database = tmp_path / "mitschnitt.db"
    prepare(database)
    async with Journal(database) as journal:
        for event in EVENTS:
            journal.put(event)
        for change in CHANGES:
            await journal.execute(change)
        journal.put(SessionTouched(id_hash="1" * 64, idle_expires_at=AT + 99 * SECOND))
    counted = journal.counters()
    assert (counted["lost"], counted["poisoned"], counted["unmatched"]) == (0, 0, 0)
    assert unwritten(database) == [], "a new column wants a record that fills it"
    assert stored(database) == STORED.read_text(encoding="utf-8")
