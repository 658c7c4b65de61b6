"""Files for spreadsheets, sent while they are read."""

import io
from collections.abc import AsyncIterator, Iterable

from fastapi.responses import StreamingResponse

from cdr.proof_rows import Values, write_csv

AT_ONCE = 500
"Rows or calls that are read in one transaction; a file of any length takes no more memory."

MARK = "\ufeff"
"Without it spreadsheets take letters of other languages for something else."


def csv_file(
    name: str, columns: Iterable[str], parts: AsyncIterator[Iterable[Values]]
) -> StreamingResponse:
    """Return an answer that is saved as `name`."""

    async def lines() -> AsyncIterator[str]:
        yield MARK + _text([{column: column for column in columns}])
        async for rows in parts:
            yield _text(rows)

    return StreamingResponse(
        lines(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _text(rows: Iterable[Values]) -> str:
    sink = io.StringIO(newline="")
    write_csv(rows, sink)
    return sink.getvalue()
