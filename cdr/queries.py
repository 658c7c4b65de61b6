"""Reading: typed values over connections that can't write.

Calls are listed newest first, in the order of the ledger, not of the wall clock, which may be
set back. A cursor is the ledger number of the last call shown: it stays right while new calls
come in. Each method reads all it needs within one short transaction (a long one would keep
SQLite's write-ahead log from being cut).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from sqlalchemy import Column, ColumnElement, Select, Table, exists, func, or_, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from cdr import own_reading
from cdr.connection import Query
from cdr.engines import database_url, reading_engine, words_of
from cdr.errors import StoreError
from cdr.rows import (
    GRANTED,
    BindingRow,
    CallRow,
    EvidenceRow,
    ExtensionRow,
    PartyRow,
    PromptRow,
    SegmentRow,
    SessionRow,
    TokenRow,
    UserRow,
    column_names,
    value,
)
from cdr.schema import (
    calls,
    evidence,
    parties,
    segments,
    sessions,
    tokens,
    users,
)
from cdr.usage import DAY_US, DayUsage, Stored

READ_TIMEOUT_S = 5.0

Value = TypeVar("Value")

Narrowing: TypeAlias = Callable[[Select[Any]], Select[Any]]
"Adds conditions and order to a query."


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which calls; a field that is None doesn't matter."""

    number: str | None = None
    "Part of `src`, `dst` or `did`."
    since: int | None = None
    until: int | None = None
    "`calldate` from `since` on and before `until`."
    outcome: str | None = None
    direction: str | None = None
    linkedid: str | None = None
    extensions: tuple[str, ...] | None = None
    "Only calls in which one of these took part: what a user may see."
    recorded: bool = False
    "Only calls of which something was recorded."
    basis: str | None = None
    "Only calls in which somebody agreed in this way."
    groundless: bool = False
    "Only calls with a recording that began before anybody had agreed."

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the filter as SQL conditions with bound values."""
        found: list[ColumnElement[bool]] = []
        if self.number is not None:
            fields = (calls.c.src, calls.c.dst, calls.c.did)
            found.append(or_(*(field.contains(self.number, autoescape=True) for field in fields)))
        if self.since is not None:
            found.append(calls.c.calldate >= self.since)
        if self.until is not None:
            found.append(calls.c.calldate < self.until)
        for name in ("outcome", "direction", "linkedid"):
            wanted = getattr(self, name)
            if wanted is not None:
                found.append(calls.c[name] == wanted)
        if self.extensions is not None:
            found.append(
                exists().where(
                    parties.c.call_id == calls.c.id, parties.c.extension.in_(self.extensions)
                )
            )
        return found + self._of_evidence()

    def _of_evidence(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.recorded:
            found.append(exists().where(segments.c.call_id == calls.c.id))
        if self.basis is not None:
            found.append(
                exists().where(
                    evidence.c.call_id == calls.c.id,
                    evidence.c.kind == self.basis,
                    evidence.c.decision == GRANTED,
                )
            )
        if self.groundless:
            found.append(exists().where(segments.c.call_id == calls.c.id, ~agreed_before()))
        return found


def agreed_before() -> ColumnElement[bool]:
    """Return the condition that somebody had agreed before a segment began."""
    return exists().where(
        evidence.c.call_id == segments.c.call_id,
        evidence.c.decision == GRANTED,
        evidence.c.decided_at <= segments.c.started_at,
    )


EVERY_CALL = CallFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """Some calls, newest first."""

    calls: tuple[CallRow, ...]
    cursor: int | None
    "For the next page; None where this is the last one."


class ReadOnly:
    """A reader of the database; an asynchronous context manager."""

    def __init__(self, database: str | Path) -> None:
        self._engine = reading_engine(database)
        path = database_url(database).database
        self._path = Path(path) if self._engine.dialect.name == "sqlite" and path else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._engine.dispose()

    # --- calls

    async def calls(
        self, limit: int = 50, cursor: int | None = None, where: CallFilter = EVERY_CALL
    ) -> CallPage:
        """Return up to `limit` calls that are older than `cursor`, with segments and parties."""
        query = select(*columns(CallRow, calls)).where(*where.conditions())
        if cursor is not None:
            query = query.where(calls.c.ledger < cursor)
        query = query.order_by(calls.c.ledger.desc()).limit(limit + 1)
        async with self._reading() as connection:
            found = [value(CallRow, row) for row in await connection.execute(query)]
            shown = await _completed(connection, found[:limit])
        more = len(found) > limit
        return CallPage(calls=tuple(shown), cursor=shown[-1].ledger if more and shown else None)

    async def call(self, call_id: str) -> CallRow | None:
        """Return one call by its public id."""
        query = select(*columns(CallRow, calls)).where(calls.c.id == call_id)
        async with self._reading() as connection:
            found = [value(CallRow, row) for row in await connection.execute(query)]
            completed = await _completed(connection, found)
        return completed[0] if completed else None

    async def open_calls(self) -> tuple[CallRow, ...]:
        """Return the calls that were never closed, oldest first: after a crash, its victims."""
        async with self._reading() as connection:
            found = await _asked(connection, own_reading.open_calls())
            return tuple(await _completed(connection, found))

    async def evidence(self, call_id: str) -> tuple[EvidenceRow, ...]:
        """Return what the permits of a call rest on, in order of time."""
        return await self._all(
            EvidenceRow,
            evidence,
            lambda query: query.where(evidence.c.call_id == call_id).order_by(
                evidence.c.decided_at
            ),
        )

    # --- recordings

    async def recordings(self, limit: int = 50) -> tuple[SegmentRow, ...]:
        """Return the newest recordings, newest first."""
        return await self._all(
            SegmentRow,
            segments,
            lambda query: query.order_by(
                segments.c.started_at.desc(), segments.c.number.desc()
            ).limit(limit),
        )

    async def recording(self, recording_id: str) -> SegmentRow | None:
        """Return one recording by its public id."""
        found = await self._all(
            SegmentRow, segments, lambda query: query.where(segments.c.id == recording_id)
        )
        return found[0] if found else None

    async def open_segments(self) -> tuple[SegmentRow, ...]:
        """Return the recordings that were never closed, oldest first."""
        return await self._read(own_reading.open_segments())

    # --- what the server knows at its start

    async def extensions(self) -> tuple[ExtensionRow, ...]:
        """Return all extensions by number, with their HA1 values."""
        return await self._read(own_reading.every_extension())

    async def bindings(self, now: int) -> tuple[BindingRow, ...]:
        """Return the registrations that have not expired at `now`."""
        return await self._read(own_reading.living_bindings(now))

    async def prompts(self) -> tuple[PromptRow, ...]:
        """Return all versions of all announcements."""
        return await self._read(own_reading.every_prompt())

    async def tokens(self) -> tuple[TokenRow, ...]:
        """Return all API tokens, revoked ones too."""
        return await self._all(TokenRow, tokens, lambda query: query.order_by(tokens.c.name))

    # --- who may see what

    async def token(self, digest: str) -> TokenRow | None:
        """Return the API token with this SHA-256, a revoked one too."""
        found = await self._all(
            TokenRow, tokens, lambda query: query.where(tokens.c.hash == digest)
        )
        return found[0] if found else None

    async def users(self) -> tuple[UserRow, ...]:
        """Return all users of the web pages by name, disabled ones too."""
        return await self._all(UserRow, users, lambda query: query.order_by(users.c.name))

    async def user(self, name: str) -> UserRow | None:
        """Return one user."""
        found = await self._all(UserRow, users, lambda query: query.where(users.c.name == name))
        return found[0] if found else None

    async def session(self, id_hash: str) -> tuple[SessionRow, UserRow] | None:
        """Return a session with its user; whether both are still valid is not asked here."""
        async with self._reading() as connection:
            rows = await connection.execute(
                select(*columns(SessionRow, sessions)).where(sessions.c.id_hash == id_hash)
            )
            found = [value(SessionRow, row) for row in rows]
            if not found:
                return None
            rows = await connection.execute(
                select(*columns(UserRow, users)).where(users.c.name == found[0].user)
            )
            owner = [value(UserRow, row) for row in rows]
        return (found[0], owner[0]) if owner else None

    # --- how much

    async def usage(self, since: int) -> tuple[DayUsage, ...]:
        """Return what was recorded per day, of recordings that began at `since` or later."""
        day = segments.c.started_at // DAY_US
        query = (
            select(
                day.label("day"),
                func.sum(segments.c.octets).label("octets"),
                func.sum(segments.c.duration_s).label("seconds"),
            )
            .where(segments.c.started_at >= since)
            .group_by("day")
            .order_by("day")
        )
        async with self._reading() as connection:
            return tuple(
                DayUsage(day=int(row.day), octets=int(row.octets), seconds=float(row.seconds))
                for row in await connection.execute(query)
            )

    async def stored(self) -> Stored:
        """Return how much all recordings that are there take."""
        query = select(func.count(), func.coalesce(func.sum(segments.c.octets), 0)).where(
            segments.c.relative_path.is_not(None), segments.c.state.in_(("finished", "failed"))
        )
        async with self._reading() as connection:
            row = (await connection.execute(query)).one()
        return Stored(recordings=int(row[0]), octets=int(row[1]))

    # --- how

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        if self._path is not None and not self._path.is_file():
            # aiosqlite's thread outlives a connection that could not be opened by a moment,
            # and may then find the loop closed.
            raise StoreError(f"the database can't be read: unable to open {self._path}")
        try:
            async with asyncio.timeout(READ_TIMEOUT_S), self._engine.connect() as connection:
                yield connection
        except TimeoutError as error:
            raise StoreError("reading the database took too long") from error
        except SQLAlchemyError as error:
            raise StoreError(f"the database can't be read: {words_of(error)}") from error

    async def _all(self, kind: type[Value], table: Table, narrow: Narrowing) -> tuple[Value, ...]:
        query = narrow(select(*columns(kind, table)))
        async with self._reading() as connection:
            return tuple(value(kind, row) for row in await connection.execute(query))

    async def _read(self, query: Query[Value]) -> tuple[Value, ...]:
        async with self._reading() as connection:
            return tuple(await _asked(connection, query))


def columns(kind: type, table: Table) -> list[Column[Any]]:
    """Return the columns that a value of `kind` is made of."""
    return [table.c[name] for name in column_names(kind)]


async def _asked(connection: AsyncConnection, query: Query[Value]) -> list[Value]:
    """Return what the server's own process would read, too."""
    rows = await connection.execute(text(query.sql), query.parameters)
    return [value(query.kind, row) for row in rows]


async def _completed(connection: AsyncConnection, found: Sequence[CallRow]) -> list[CallRow]:
    """Return the calls with their segments and parties."""
    ids = [call.id for call in found]
    segment_query = (
        select(*columns(SegmentRow, segments))
        .where(segments.c.call_id.in_(ids))
        .order_by(segments.c.call_id, segments.c.number)
    )
    party_query = (
        select(*columns(PartyRow, parties))
        .where(parties.c.call_id.in_(ids))
        .order_by(parties.c.call_id, parties.c.joined_at, parties.c.leg)
    )
    all_segments = [value(SegmentRow, row) for row in await connection.execute(segment_query)]
    all_parties = [value(PartyRow, row) for row in await connection.execute(party_query)]
    by_segment, by_party = _by_call(all_segments), _by_call(all_parties)
    return [
        replace(call, segments=by_segment.get(call.id, ()), parties=by_party.get(call.id, ()))
        for call in found
    ]


def _by_call(rows: Iterable[Value]) -> dict[str, tuple[Value, ...]]:
    call_id: Any = attrgetter("call_id")
    return {key: tuple(group) for key, group in groupby(rows, key=call_id)}
