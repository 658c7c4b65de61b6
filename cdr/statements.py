"""How events become SQL: one statement and one parameter for all events of a kind.

A group of some hundred events is written by a thread beside the event loop, and both need the
interpreter lock. `executemany` gives it up and takes it again for every row; against a busy
loop each taking can cost a millisecond and, when unlucky, starve (seconds were measured for 40
rows). So all rows of a kind go as one JSON array: SQLite unpacks it (`json_each`) without the
lock, in one step. It costs no more CPU than `executemany`.

Order. Within a group the kinds are written in the order of `STATEMENTS`, which is the order in
which they can happen to one call, party or segment. Kinds of one table set different columns,
so events of different calls may swap places unseen. Where two events of a kind concern one
row, the later one wins.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, TypeAlias

from cdr import records
from cdr.account_records import SessionTouched

Row: TypeAlias = tuple[Any, ...]
"Column values: text, numbers, booleans, None."


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """How events of one kind are written."""

    sql: str
    "Takes one parameter, a JSON array of rows."
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


def compact(value: object) -> str:
    """Return JSON without blanks, as it is stored in a column."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def clean(text: str) -> str:
    """Return text that every database takes and gives back: no NUL, no lone surrogate.

    Bytes of a SIP message that are no UTF-8 arrive as surrogates.
    """
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def encode_rows(rows: list[Row]) -> str:
    """Return the rows as the one parameter of a statement."""
    encoded = compact(rows)
    if "\\u0000" in encoded or not _is_unicode(encoded):
        cleaned = [
            [clean(value) if isinstance(value, str) else value for value in row] for row in rows
        ]
        encoded = compact(cleaned)
    return encoded


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _column_values(first: int, columns: Iterable[str], source: str) -> list[str]:
    return [
        f"json_extract({source}.value, '$[{index}]')"
        for index, _ in enumerate(columns, start=first)
    ]


def insert(table: str, columns: tuple[str, ...]) -> str:
    """Return an INSERT of all rows."""
    values = ", ".join(_column_values(0, columns, "new"))
    names = ", ".join(columns)
    # WHERE TRUE: SQLite's parser would take a following ON for that of a join.
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM json_each(?) AS new WHERE TRUE"  # noqa: S608 - names of our own schema


def upsert(table: str, key: tuple[str, ...], columns: tuple[str, ...]) -> str:
    """Return an INSERT that replaces the row with the same primary key."""
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    return f"{insert(table, columns)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"


def update(table: str, key: str, columns: tuple[str, ...], constants: str = "") -> str:
    """Return an UPDATE by key; a row is the key, then the columns."""
    values = _column_values(1, columns, "new")
    changed = ", ".join(f"{name} = {value}" for name, value in zip(columns, values, strict=True))
    return (
        f"UPDATE {table} SET {changed}{constants} FROM json_each(?) AS new "  # noqa: S608 - names of our own schema
        f"WHERE {table}.{key} = json_extract(new.value, '$[0]')"
    )


def delete(table: str, key: tuple[str, ...]) -> str:
    """Return a DELETE by primary key."""
    values = ", ".join(_column_values(0, key, "new"))
    return (
        f"DELETE FROM {table} WHERE ({', '.join(key)}) IN "  # noqa: S608 - names of our own schema
        f"(SELECT {values} FROM json_each(?) AS new)"
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
        encoded = clean(compact(dict(values[place])))
        return (*values[:place], encoded, *values[place + 1 :])

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
