"""The writing connection: groups of events and changes, each group one transaction.

Everything here runs in the journal's own thread and blocks there. The connection is a plain
one (`cdr/connection.py`) rather than an asynchronous one: aiosqlite crosses threads three times
per statement, which costs five times the CPU of one crossing per group (0.4 against 0.07 ms a
call at 100 calls a second).
"""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cdr import audit, ledger
from cdr.changes import apply_change
from cdr.connection import attempt, open_writing, transaction
from cdr.errors import CdrError, InvalidChangeError
from cdr.records import AuditEntry, CallOpened, Change
from cdr.rows import ExtensionRow
from cdr.statements import STATEMENTS, by_kind

logger = logging.getLogger("cdr.writer")

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"Another process holds the lock: the connection itself is sound."

TRANSIENT = BUSY | {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"The database can't take anything now. (OperationalError alone may be a misspelt column too.)"


def is_transient(error: BaseException) -> bool:
    """Tell whether the same records may be written later."""
    code = _code(error)
    if code is not None:
        return code in TRANSIENT
    return isinstance(error, sqlite3.OperationalError | sqlite3.InterfaceError)


def _code(error: BaseException) -> int | None:
    """Return SQLite's primary result code; errors of the driver's own have none."""
    extended: int | None = getattr(error, "sqlite_errorcode", None)
    return None if extended is None else extended & 0xFF


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one change."""

    result: ExtensionRow | None = None
    error: CdrError | None = None


@dataclass(slots=True)
class _Numbers:
    """What the writer alone counts; taken over only when a transaction was committed."""

    ledger: int
    chain: audit.ChainHead

    def copy(self) -> "_Numbers":
        return _Numbers(self.ledger, self.chain)


Work: TypeAlias = Callable[[sqlite3.Connection, _Numbers], None]


class Writer:
    """The one writing connection. Not safe for use by two threads at a time."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None
        self._numbers = _Numbers(0, audit.EMPTY_CHAIN)
        self.poisoned = 0
        "Events that could not be written and were skipped."
        self.unmatched = 0
        "Events that found no row to change."

    def write_events(self, events: Sequence[object]) -> None:
        """Write the events in one transaction.

        Where one of them is at fault, each is tried by itself and the faulty ones are logged
        and skipped. Raises only transient errors (`is_transient`); then nothing was written.
        """
        try:
            self._transact(
                lambda connection, numbers: self._write_group(connection, numbers, events)
            )
        except Exception as error:
            if is_transient(error):
                raise
            self._transact(
                lambda connection, numbers: self._write_singly(connection, numbers, events)
            )

    def write_changes(self, changes: Sequence[Change]) -> list[Answer]:
        """Carry out the changes, each with its audit row; one answer for each."""
        answers: list[Answer] = []

        def apply_all(connection: sqlite3.Connection, numbers: _Numbers) -> None:
            answers.clear()
            answers.extend(self._apply(connection, numbers, change) for change in changes)

        self._transact(apply_all)
        return answers

    def open(self) -> None:
        """Connect, and learn where ledger and audit chain stand.

        A lock that another process holds just now is met again, and waited for, at the first
        write.
        """
        try:
            self._connected()
        except sqlite3.OperationalError as error:
            if _code(error) not in BUSY:
                raise
            logger.warning("another process holds the database's lock")

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = open_writing(self._database)
            try:
                with transaction(connection):
                    self._numbers = _Numbers(
                        ledger.last_number(connection), audit.stored_head(connection)
                    )
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _transact(self, work: Work) -> None:
        connection = self._connected()
        numbers = self._numbers.copy()
        try:
            with transaction(connection):
                work(connection, numbers)
        except Exception as error:
            self._after_failure(error)
            raise
        self._numbers = numbers

    def _after_failure(self, error: Exception) -> None:
        """Drop a connection that may not be sound; the next transaction opens a new one.

        A connection opened while the file was read-only stays so; one that saw an I/O error
        has lost its transaction in ways of its own.
        """
        if _code(error) in BUSY or self._connection is None or not is_transient(error):
            return
        with suppress(sqlite3.Error):
            self.close()

    def _write_group(
        self, connection: sqlite3.Connection, numbers: _Numbers, events: Sequence[object]
    ) -> None:
        kinds = by_kind(events)
        for kind, statement in STATEMENTS.items():
            of_kind = kinds.pop(kind, None)
            if not of_kind:
                continue
            rows = statement.rows(of_kind)
            if kind is CallOpened:
                rows = [(number, *row) for number, row in enumerate(rows, numbers.ledger + 1)]
                numbers.ledger += len(rows)
            missing = len(rows) - statement.sql.run(connection, rows)
            if missing and not statement.unmatched:
                self._miss(kind, missing)
        entries = kinds.pop(AuditEntry, None)
        if entries:
            numbers.chain = audit.append(connection, numbers.chain, entries)  # type: ignore[arg-type] # sorted by type
        if kinds:
            raise TypeError(f"no record: {', '.join(kind.__name__ for kind in kinds)}")

    def _write_singly(
        self, connection: sqlite3.Connection, numbers: _Numbers, events: Sequence[object]
    ) -> None:
        for event in events:
            tried = numbers.copy()
            try:
                with attempt(connection):
                    self._write_group(connection, tried, [event])
            except Exception as error:  # a record of whatever fault must not harm the others
                if is_transient(error):
                    raise
                self._skip(event, error)
            else:
                numbers.ledger, numbers.chain = tried.ledger, tried.chain

    def _apply(self, connection: sqlite3.Connection, numbers: _Numbers, change: Change) -> Answer:
        try:
            with attempt(connection):
                result, entry = apply_change(connection, change)
                numbers.chain = audit.append(connection, numbers.chain, [entry])
        except CdrError as error:
            return Answer(error=error)
        except sqlite3.IntegrityError as error:
            return Answer(error=InvalidChangeError(f"refused: {error}"))
        return Answer(result=result)

    def _miss(self, kind: type, count: int) -> None:
        self.unmatched += count
        logger.warning("%d %s found no row to change", count, kind.__name__)

    def _skip(self, event: object, error: Exception) -> None:
        self.poisoned += 1
        # The error's text may hold the values; those of a call are nobody's business here.
        logger.error(
            "a %s could not be written and was skipped (%s)",
            type(event).__name__,
            type(error).__name__,
        )
