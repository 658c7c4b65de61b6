import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cdr.errors import JournalClosedError, StoreError
from cdr.journal import Journal
from cdr.proofs import Proofs
from cdr.records import (
    BindingRemoved,
    CallAnswered,
    CallIvrAnswered,
    CallRouted,
    OutcomeRevised,
    PartyAnswered,
    SegmentVanished,
)
from tests.unit.cdr.conftest import QUICK, until
from tests.unit.cdr.samples import (
    AT,
    PATH,
    SECOND,
    added,
    audited,
    binding,
    ended,
    opened,
    segment_closed,
    segment_opened,
    whole_call,
)


async def test_a_whole_call_is_read_back(journal: Journal, reader: Proofs) -> None:
    whole_call(journal)
    assert await journal.drain(5)
    call = await reader.call("call-1")
    assert call is not None
    assert (call.ledger, call.src, call.dst, call.dstchannel) == (1, "101", "102", "SIP/102")
    assert (call.state, call.outcome, call.disposition) == ("closed", "recorded", "ANSWERED")
    assert (call.duration, call.billsec, call.hangup_cause) == (20, 15, 16)
    assert call.params == {"caller": "101", "seconds": 15}
    assert (call.answered_at, call.recovered) == (AT + 5 * SECOND, False)
    assert [party.leg for party in call.parties] == ["a", "b"]
    assert (call.parties[0].packets_lost, call.parties[1].mos) == (3, 4.3)
    (segment,) = call.segments
    assert (segment.relative_path, segment.duration_s, segment.octets) == (PATH, 14.96, 44_928)
    assert segment.playable
    first, second = await reader.evidence("call-1")
    assert (first.party_id, second.party_id) == ("party-1a", "party-1b")
    assert (first.rtp_ssrc, first.prompt_completed, first.digit) == (0xFFFFFFFF, True, None)


async def test_a_call_is_in_the_database_while_it_lasts(journal: Journal, reader: Proofs) -> None:
    journal.put(opened())
    journal.put(segment_opened())
    await journal.drain(5)
    (call,) = await reader.open_calls()
    assert (call.id, call.outcome, len(call.segments)) == ("call-1", "", 1)
    assert [segment.id for segment in await reader.open_segments()] == ["segment-1-1"]


async def test_later_words_on_a_call_change_its_row(journal: Journal, reader: Proofs) -> None:
    journal.put(opened())
    journal.put(CallRouted(id="call-1", direction="incoming", dst="103", did="4930123"))
    journal.put(CallIvrAnswered(id="call-1", ivr_answered_at=AT + 1))
    journal.put(CallAnswered(id="call-1", answered_at=AT + 2))
    journal.put(PartyAnswered(party_id="nobody", answered_at=AT))
    journal.put(segment_opened())
    journal.put(segment_closed())
    journal.put(SegmentVanished(id="segment-1-1", failure="the file is gone"))
    journal.put(ended())
    journal.put(OutcomeRevised(id="call-1", outcome="failed", outcome_reason="vanished"))
    await journal.drain(5)
    call = await reader.call("call-1")
    assert call is not None
    assert (call.direction, call.dst, call.did) == ("incoming", "103", "4930123")
    assert (call.ivr_answered_at, call.answered_at) == (AT + 1, AT + 2)
    assert (call.outcome, call.outcome_reason, call.recordingfile) == ("failed", "vanished", "")
    assert (call.segments[0].state, call.segments[0].playable) == ("vanished", False)
    assert journal.counters()["unmatched"] == 1


async def test_the_last_word_on_a_binding_within_one_group_counts(
    database: Path, reader: Proofs
) -> None:
    async with Journal(database, QUICK) as journal:
        gone, back = "sip:gone@127.0.0.1", "sip:back@127.0.0.1"
        journal.put(binding(cseq=1, contact=gone))
        journal.put(binding(cseq=1, contact=back))
        journal.put(BindingRemoved(aor="101", contact=back))
        journal.put(binding(cseq=2, contact=back))
        journal.put(BindingRemoved(aor="101", contact=gone))
        journal.put(binding(cseq=3, contact=back))
    (left,) = await reader.bindings(now=AT)
    assert (left.contact, left.cseq) == (back, 3)
    assert await reader.bindings(now=left.expires_at) == ()


async def test_a_binding_is_refreshed_and_removed_in_separate_groups(
    journal: Journal, reader: Proofs
) -> None:
    for cseq in (1, 2):
        journal.put(binding(cseq=cseq))
        await journal.drain(5)
    assert [row.cseq for row in await reader.bindings(now=AT)] == [2]
    journal.put(BindingRemoved(aor="101", contact=binding().contact))
    await journal.drain(5)
    assert await reader.bindings(now=AT) == ()
    assert journal.counters()["unmatched"] == 0


async def test_more_than_a_group_at_once(journal: Journal, reader: Proofs) -> None:
    for number in range(1200):
        journal.put(opened(str(number)))
    assert journal.waiting == 1200
    await journal.drain(10)
    report = await reader.verify_ledger()
    assert (report.checked, report.complete) == (1200, True)
    newest = (await reader.calls(limit=1)).calls[0]
    assert newest.id == "call-1199", "the order of the ledger is that of the calls"


async def test_text_that_is_no_text_is_stored_readably(journal: Journal, reader: Proofs) -> None:
    journal.put(opened(src="a\0b", dst=b"M\xfcller".decode("utf-8", "surrogateescape")))
    await journal.drain(5)
    call = await reader.call("call-1")
    assert call is not None
    assert (call.src, call.dst) == ("a\ufffdb", "M?ller")


async def test_events_before_a_change_are_committed_before_it(
    database: Path, journal: Journal
) -> None:
    journal.put(opened())
    await journal.execute(added())
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (1,)
    connection.close()


async def test_closing_writes_what_waits(database: Path, reader: Proofs) -> None:
    async with Journal(database, QUICK) as journal:
        whole_call(journal)
        assert journal.healthy
    await until(lambda: not journal.healthy)
    assert await reader.call("call-1") is not None


async def test_closing_writes_what_waits_when_the_body_was_cancelled(
    database: Path, reader: Proofs
) -> None:
    entered = asyncio.Event()

    async def body() -> None:
        async with Journal(database, QUICK) as journal:
            whole_call(journal)
            entered.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(body())
        await entered.wait()
        task.cancel()
    call = await reader.call("call-1")
    assert call is not None
    assert call.state == "closed"


async def test_the_exception_of_the_body_is_not_swallowed(database: Path) -> None:
    with pytest.raises(LookupError, match="of the body"):
        async with Journal(database, QUICK):
            raise LookupError("of the body")


async def test_the_ledger_goes_on_after_a_restart(database: Path, reader: Proofs) -> None:
    for name in ("1", "2", "3"):
        async with Journal.open(database, QUICK) as journal:
            journal.put(opened(name))
            await journal.execute(audited(name))
    assert [call.ledger for call in (await reader.calls()).calls] == [3, 2, 1]
    report = await reader.verify_audit()
    assert (report.checked, report.fault) == (3, None)


async def test_a_closed_journal_takes_nothing_and_says_so(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Journal(database, QUICK) as journal:
        pass
    journal.put(opened())
    journal.put(opened())
    assert journal.lost == 2
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]
    with pytest.raises(JournalClosedError):
        await journal.execute(added())


async def test_a_database_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="opened"):
        async with Journal(tmp_path / "nowhere" / "x.db", QUICK):
            pytest.fail("the body ran")


async def test_one_who_stops_waiting_gets_no_change(database: Path, reader: Proofs) -> None:
    async with Journal(database, QUICK) as journal, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(journal.execute(added()))
        await asyncio.sleep(0)
        assert journal.waiting == 1
        waiting.cancel()
        await until(lambda: journal.waiting == 0)
    assert await reader.extensions() == ()


START_WRITE_READ = """
import asyncio, sys
from cdr.journal import Journal
from cdr.own_reading import every_extension, open_calls, read
from cdr.store import prepare
from tests.unit.cdr.samples import added, opened

async def main(database):
    assert not prepare(database)
    async with Journal(database) as journal:
        journal.put(opened())
        await journal.execute(added())
    assert len(read(database, open_calls())) == len(read(database, every_extension())) == 1

asyncio.run(main(sys.argv[1]))
sys.exit(", ".join({"sqlalchemy", "alembic", "aiosqlite"} & sys.modules.keys()))
"""


def test_what_the_server_does_loads_no_sqlalchemy(database: Path) -> None:
    command = [sys.executable, "-c", START_WRITE_READ, str(database)]
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    assert done.stderr.strip() == ""
