"""What the journal does when the database, or a record, is at fault."""

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from cdr.errors import JournalClosedError
from cdr.journal import Journal, JournalSettings
from cdr.proofs import Proofs
from cdr.records import Event
from tests.unit.cdr.conftest import QUICK, until
from tests.unit.cdr.samples import AT, added, audited, ended, opened, whole_call

HOLD_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
connection.close()
"""

WRITE_UNTIL_KILLED = """
import asyncio, itertools, sys
from cdr.journal import Journal, JournalSettings
from tests.unit.cdr.samples import audited, opened

async def main():
    async with Journal(sys.argv[1], JournalSettings(group_s=0.0005)) as journal:
        for number in itertools.count(1):
            journal.put(opened(str(number)))
            if number % 7 == 0:
                await journal.execute(audited(str(number)))
                print(number, flush=True)

asyncio.run(main())
"""


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold the write lock in another process."""
    command = [sys.executable, "-c", HOLD_LOCK, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            child.stdin.write(b"\n")
            child.stdin.flush()
            assert child.wait(10) == 0


async def test_a_lock_held_by_another_process_delays_and_loses_nothing(
    database: Path, reader: Proofs, caplog: pytest.LogCaptureFixture
) -> None:
    async with Journal(database, QUICK) as journal:
        journal.put(opened("0"))
        await journal.drain(5)
        with locked(database):
            for number in range(1, 40):
                journal.put(opened(str(number)))
            # Each attempt waits for the lock, 250 ms: this is more than a second.
            await until(lambda: journal.retries >= 4)
            assert not journal.healthy
            assert journal.waiting == 39
            assert not await journal.drain(0.01)
        assert await journal.drain(5)
        await until(lambda: journal.healthy)
    page = await reader.calls(limit=100)
    assert [call.id for call in reversed(page.calls)] == [f"call-{n}" for n in range(40)]
    assert (await reader.verify_ledger()).complete
    levels = [record.levelname for record in caplog.records if record.name == "cdr.journal"]
    assert levels == ["ERROR"], "said once, not at every attempt"


async def test_a_change_waits_for_the_lock_too(database: Path, reader: Proofs) -> None:
    async with Journal(database, QUICK) as journal:
        with locked(database):
            journal.put(opened())
            await until(lambda: journal.retries >= 1)
        assert (await journal.execute(added())).number == "101"
    assert len(await reader.extensions()) == 1


async def test_readers_do_not_wait_for_the_writer(database: Path, reader: Proofs) -> None:
    async with Journal(database, QUICK) as journal:
        journal.put(opened())
        await journal.drain(5)
    with locked(database):
        assert len((await reader.calls()).calls) == 1


@pytest.mark.parametrize(
    ("break_it", "mend_it"),
    [
        ("PRAGMA query_only=1", "PRAGMA query_only=0"),
        ("PRAGMA max_page_count=1", "PRAGMA max_page_count=1000000"),
    ],
    ids=["read-only", "full"],
)
async def test_a_database_that_takes_nothing_keeps_the_records_waiting(
    database: Path, reader: Proofs, break_it: str, mend_it: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Journal(database, QUICK) as journal:
        # A new connection would be free of the fault, which the pragma sets per connection.
        monkeypatch.setattr(journal._writer, "_after_failure", lambda _error: None)
        await journal._in_thread(lambda: _pragma(journal, break_it))
        for number in range(600):
            whole_call(journal, str(number))
        waiting = journal.waiting
        await until(lambda: journal.retries >= 3)
        assert (journal.healthy, journal.lost, journal.poisoned) == (False, 0, 0)
        assert journal.waiting >= waiting - 500, "at most a first group fitted into free pages"
        await journal._in_thread(lambda: _pragma(journal, mend_it))
        assert await journal.drain(20)
        assert journal.healthy
    report = await reader.verify_ledger()
    assert (report.checked, report.complete) == (600, True)
    assert await reader.open_calls() == ()


def _pragma(journal: Journal, pragma: str) -> None:
    journal._writer._connected().execute(pragma)


async def test_a_connection_with_an_error_of_its_own_is_replaced(
    database: Path, reader: Proofs
) -> None:
    async with Journal(database, QUICK) as journal:
        await journal._in_thread(lambda: _pragma(journal, "PRAGMA query_only=1"))
        journal.put(opened())
        assert await journal.drain(5), "the new connection can write again"
        assert journal.retries == 1
    assert len((await reader.calls()).calls) == 1


async def test_a_full_queue_loses_the_newest_and_says_so_once(
    database: Path, reader: Proofs, caplog: pytest.LogCaptureFixture
) -> None:
    small = replace(QUICK, capacity=10)
    async with Journal(database, small) as journal:
        with locked(database):
            for number in range(15):
                journal.put(opened(str(number)))
            assert (journal.lost, journal.waiting, journal.healthy) == (5, 10, False)
            with pytest.raises(JournalClosedError):
                await journal.execute(added())
        await journal.drain(5)
        assert journal.healthy
        journal.put(opened("20"))
    kept = [call.id for call in reversed((await reader.calls()).calls)]
    assert kept == [*(f"call-{number}" for number in range(10)), "call-20"]
    critical = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert len(critical) == 1


async def test_poisoned_records_are_skipped_and_the_others_survive(
    journal: Journal, reader: Proofs, caplog: pytest.LogCaptureFixture
) -> None:
    journal.put(opened("1"))
    journal.put(replace(opened("2"), uniqueid="unique-1"))
    journal.put(replace(opened("3"), calldate=cast("int", None)))
    journal.put(replace(opened("4"), src=cast("str", b"octets")))
    journal.put(cast("Event", "no record at all"))
    journal.put(replace(ended("1"), outcome_params={"x": cast("str", object())}))
    journal.put(opened("5"))
    journal.put(audited("x"))
    journal.put(ended("5"))
    assert await journal.drain(5)
    assert (journal.poisoned, journal.lost, journal.healthy) == (5, 0, True)
    calls = (await reader.calls()).calls
    assert [(call.id, call.ledger, call.state) for call in calls] == [
        ("call-5", 2, "closed"),
        ("call-1", 1, "open"),
    ]
    assert (await reader.verify_ledger()).complete
    assert (await reader.verify_audit()).checked == 1
    told = [record.getMessage() for record in caplog.records if record.name == "cdr.writer"]
    assert [text.split()[1] for text in told] == [
        *["CallOpened"] * 3,
        "str",
        "CallEnded",
    ]
    assert not any("101" in text for text in told), "numbers of a call stay out of the log"


async def test_a_write_that_hangs_makes_the_journal_unhealthy(database: Path) -> None:
    stalling = JournalSettings(group_s=0.001, stall_s=0.02, retry_min_s=0.005)
    async with Journal(database, stalling) as journal:
        with locked(database):
            journal.put(opened())
            await until(lambda: not journal.healthy)
            assert journal.retries == 0, "the first attempt still waits for the lock"
        await journal.drain(5)
        assert journal.healthy


async def test_a_queue_that_cannot_be_written_is_told_at_the_end(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with locked(database):
        async with Journal(database, replace(QUICK, close_s=0.01)) as journal:
            journal.put(opened())
    told = [record.getMessage() for record in caplog.records if record.levelname == "CRITICAL"]
    assert told == ["1 records could not be written before closing"]


@pytest.mark.parametrize("acknowledged", [1, 5, 25, 60])
async def test_a_killed_server_loses_nothing_that_was_acknowledged(
    database: Path, reader: Proofs, acknowledged: int
) -> None:
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:  # noqa: ASYNC220 - alone here
        assert child.stdout is not None
        for _ in range(acknowledged):
            last = int(child.stdout.readline())
        child.kill()
        rest = child.stdout.read().split(b"\n")[:-1]
    last = int(rest[-1]) if rest else last
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ids = {row[0] for row in connection.execute("SELECT id FROM calls")}
    assert {f"call-{number}" for number in range(1, last + 1)} <= ids
    assert (await reader.verify_ledger()).complete
    audit = await reader.verify_audit()
    assert audit.intact
    assert audit.checked >= last // 7
    async with Journal(database, QUICK) as journal:
        journal.put(opened("after", at=AT))
        await journal.execute(audited("after"))
    assert (await reader.verify_ledger()).complete
    assert (await reader.verify_audit()).intact
