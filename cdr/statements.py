"""How events become SQL: one statement for all events of a kind.

A group of some hundred events is written by a thread beside the event loop, and both need the
interpreter lock. `executemany` gives it up and takes it again for every row; against a busy
loop each taking can cost a millisecond and, when unlucky, starve (seconds were measured for 40
rows). So the rows of a kind go together, as `VALUES (?, ?), (?, ?), ...`, which SQLite takes in
one step. (One JSON array that SQLite unpacks would do the same, and cost twice as much.)

A statement is parsed anew for each number of rows. So that there are few of them, it has room
for 1, 2, 4, ... or `MOST_ROWS` rows, and rows without a key, which concern nothing, fill it up.

Order. Within a group the kinds are written in the order of `STATEMENTS`, which is the order in
which they can happen to one call, party or segment. Kinds of one table set different columns,
so events of different calls may swap places unseen. Where two events of a kind concern one
row, the later one wins.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any, TypeAlias

from cdr import records
from cdr.account_records import SessionTouched

Row: TypeAlias = tuple[Any, ...]
"Column values: text, numbers, booleans, None. The first one is never None."

MOST_ROWS = 32
"Of one statement: each value of each prepared one takes some 80 octets of memory."

PLAIN = (str, int, float, type(None))
"What is stored; octets, which SQLite would take, are a mistake."


@dataclass(frozen=True, slots=True)
class Sql:
    """A statement over rows of values: what is before them, how long each is, what follows."""

    head: str
    width: int
    tail: str

    def run(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
        """Run it for all rows; return how many rows of the table were concerned."""
        concerned = 0
        for begin in range(0, len(rows), MOST_ROWS):
            some = rows[begin : begin + MOST_ROWS]
            room = 1 << (len(some) - 1).bit_length()
            values = parameters(some) + self._nothing() * (room - len(some))
            concerned += connection.execute(self.text(room), values).rowcount
        return concerned

    def text(self, room: int) -> str:
        """Return the statement with room for so many rows."""
        return _text(self, room)

    def _nothing(self) -> list[object]:
        # Zeros, since binding None costs ten times as much.
        return [None] + [0] * (self.width - 1)


@lru_cache(maxsize=128)
def _text(sql: Sql, room: int) -> str:
    row = f"({', '.join('?' * sql.width)})"
    return f"{sql.head}{', '.join([row] * room)}{sql.tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """How events of one kind are written."""

    sql: Sql
    row: Callable[[Any], Row]
    key: Callable[[Any], object] | None = None
    "What names the row that an event changes; None: each event makes a new one."
    unmatched: bool = False
    "Whether it is normal that an event finds no row."

    def rows(self, events: Iterable[Any]) -> list[Row]:
        """Return one row per event, or the last one per key."""
        if self.key is None:
            return list(map(self.row, events))
        return [self.row(event) for event in {self.key(event): event for event in events}.values()]


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def compact(value: object) -> str:
    """Return JSON without blanks, as it is stored in a column."""
    return _JSON.encode(value)


def clean(text: str) -> str:
    """Return text that every database takes and gives back: no NUL, no lone surrogate.

    Bytes of a SIP message that are no UTF-8 arrive as surrogates.
    """
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def parameters(rows: Iterable[Row]) -> list[object]:
    """Return the values of all rows, one after the other, as they are stored."""
    values: list[object] = list(chain.from_iterable(rows))
    for kind in set(map(type, values)):
        if not issubclass(kind, PLAIN):
            raise TypeError(f"a {kind.__name__} can't be stored")
    if not _is_clean("".join([value for value in values if isinstance(value, str)])):
        return [clean(value) if isinstance(value, str) else value for value in values]
    return values


def _is_clean(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def insert(table: str, columns: tuple[str, ...]) -> Sql:
    """Return an INSERT of all rows."""
    return Sql(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM (VALUES ",  # noqa: S608 - names of our own schema
        len(columns),
        ") WHERE column1 IS NOT NULL",
    )


def upsert(table: str, key: tuple[str, ...], columns: tuple[str, ...]) -> Sql:
    """Return an INSERT that replaces the row with the same primary key."""
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    new = insert(table, columns)
    return replace(new, tail=f"{new.tail} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}")


def update(table: str, key: str, columns: tuple[str, ...], constants: str = "") -> Sql:
    """Return an UPDATE by key; a row is the key, then the columns."""
    changed = ", ".join(
        f"{name} = new.column{number}" for number, name in enumerate(columns, start=2)
    )
    return Sql(
        f"UPDATE {table} SET {changed}{constants} FROM (VALUES ",  # noqa: S608 - names of our own schema
        1 + len(columns),
        f") AS new WHERE {table}.{key} = new.column1",
    )


def delete(table: str, key: tuple[str, ...]) -> Sql:
    """Return a DELETE by primary key."""
    return Sql(
        f"DELETE FROM {table} WHERE ({', '.join(key)}) IN (SELECT * FROM (VALUES ",  # noqa: S608 - names of our own schema
        len(key),
        "))",
    )


def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _row_of(names: tuple[str, ...]) -> Callable[[Any], Row]:
    """Return the function from an event to its values; a JSON object becomes text."""
    plain = attrgetter(*names)
    if "outcome_params" not in names:
        return plain
    place = names.index("outcome_params")

    def row(event: Any) -> Row:  # noqa: ANN401 - each kind of event has its own fields
        values = plain(event)
        return (*values[:place], compact(dict(values[place])), *values[place + 1 :])

    return row


def _inserts(kind: type, table: str) -> Statement:
    names = _names(kind)
    return Statement(sql=insert(table, names), row=_row_of(names))


def _updates(kind: type, table: str, constants: str = "") -> Statement:
    key, *others = _names(kind)
    return Statement(
        sql=update(table, key, tuple(others), constants),
        row=_row_of((key, *others)),
        key=attrgetter(key),
    )


_STATEMENTS: Mapping[type, Statement] = {
    records.CallOpened: Statement(
        # The number comes from the writer, in front of the event's own values.
        sql=insert("calls", ("ledger", *_names(records.CallOpened))),
        row=_row_of(_names(records.CallOpened)),
    ),
    records.CallRouted: _updates(records.CallRouted, "calls"),
    records.CallIvrAnswered: _updates(records.CallIvrAnswered, "calls"),
    records.CallAnswered: _updates(records.CallAnswered, "calls"),
    records.PartyJoined: _inserts(records.PartyJoined, "parties"),
    records.PartyAnswered: _updates(records.PartyAnswered, "parties"),
    records.PartyLeft: _updates(records.PartyLeft, "parties"),
    records.EvidenceStored: _inserts(records.EvidenceStored, "evidence"),
    records.SegmentOpened: _inserts(records.SegmentOpened, "segments"),
    records.SegmentClosed: _updates(records.SegmentClosed, "segments"),
    records.SegmentVanished: _updates(records.SegmentVanished, "segments", ", state = 'vanished'"),
    records.CallEnded: _updates(records.CallEnded, "calls", ", state = 'closed'"),
    records.OutcomeRevised: _updates(records.OutcomeRevised, "calls"),
    records.BindingStored: Statement(
        sql=upsert("bindings", ("aor", "contact"), _names(records.BindingStored)),
        row=_row_of(_names(records.BindingStored)),
        key=attrgetter("aor", "contact"),
    ),
    records.BindingRemoved: Statement(
        sql=delete("bindings", ("aor", "contact")),
        row=attrgetter("aor", "contact"),
        key=attrgetter("aor", "contact"),
        unmatched=True,
    ),
    # Someone may have logged out meanwhile.
    SessionTouched: replace(_updates(SessionTouched, "sessions"), unmatched=True),
}
STATEMENTS = _STATEMENTS
"Kind of event -> how it is written, in the order of writing. Audit entries: `cdr/audit.py`."


def by_kind(events: Iterable[object]) -> dict[type, list[object]]:
    """Sort the events by kind, each kind in its order of arrival.

    A binding may be stored, removed and stored again within one group: only the last word on
    each counts, so that the two kinds concern different rows.
    """
    kinds: dict[type, list[object]] = {}
    for event in events:
        kinds.setdefault(type(event), []).append(event)
    stored, removed = kinds.get(records.BindingStored), kinds.get(records.BindingRemoved)
    if stored and removed:
        last = {
            (event.aor, event.contact): event
            for event in events
            if isinstance(event, records.BindingStored | records.BindingRemoved)
        }
        for kind in (records.BindingStored, records.BindingRemoved):
            kinds[kind] = [event for event in last.values() if type(event) is kind]
    return kinds
