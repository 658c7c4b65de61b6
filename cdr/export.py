"""CSV for whoever reads Asterisk's `Master.csv`: the same columns in the same order.

:rfc:`4180`: CRLF, every text quoted. A caller chooses his display name, and a spreadsheet runs
what looks like a formula; so a text that begins with `=`, `+`, `-`, `@`, TAB or CR gets an
apostrophe in front. Master.csv has no header line; times are local in Asterisk, UTC here.
"""

import csv
import re
from collections.abc import Iterable
from typing import Protocol

from cdr.rows import CallRow, utc

COLUMNS = (
    "accountcode",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "uniqueid",
    "userfield",
)
"As `cdr_csv` writes them; `userfield` holds the recording's relative path."

_FORMULA = re.compile(r"^[=+\-@\t\r]")
_NUMBER = re.compile(r"^[+-][0-9]+$", re.ASCII)


class TextSink(Protocol):
    """Where the lines go: a file, a response."""

    def write(self, text: str, /) -> object: ...


def write_master_csv(calls: Iterable[CallRow], sink: TextSink, *, header: bool = False) -> int:
    """Write one line per call and return how many."""
    writer = csv.writer(sink, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    if header:
        writer.writerow(COLUMNS)
    count = 0
    for call in calls:
        writer.writerow(_row(call))
        count += 1
    return count


def guarded(text: str) -> str:
    """Return text that a spreadsheet shows and does not run. A telephone number may stay."""
    if _FORMULA.match(text) and not _NUMBER.match(text):
        return f"'{text}"
    return text


def _row(call: CallRow) -> list[str | int]:
    return [
        "",
        guarded(call.src),
        guarded(call.dst),
        guarded(call.direction),
        guarded(call.clid),
        guarded(call.channel),
        guarded(call.dstchannel),
        "Dial",
        "",
        _time(call.calldate),
        _time(call.answered_at),
        _time(call.ended_at),
        call.duration,
        call.billsec,
        call.disposition,
        "DOCUMENTATION",
        guarded(call.uniqueid),
        guarded(call.recordingfile),
    ]


def _time(at: int | None) -> str:
    return "" if at is None else utc(at).strftime("%Y-%m-%d %H:%M:%S")
