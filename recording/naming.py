"""Where a recording's file lies: `YYYY/MM/DD/HHMMSS_caller_callee_callid[_segment].mp3`.

The name is for people who look into the folder. It is never parsed back: the path is
stored in the call's row. Times are local, as people remember their calls.

Numbers come from strangers. Only letters, digits, `+` and `-` survive; `_` parts the
fields. `*` and `#` are legal in a number, but a shell takes the first for a pattern, a
URL cuts at the second and a Windows share refuses the first, so they become `-` too.
"""

import re
from datetime import datetime

MAX_NUMBER = 32
MAX_CALL_ID = 64

_FOREIGN = re.compile(r"[^0-9A-Za-z+]+")


def recording_path(
    started: datetime, *, caller: str, callee: str, call_id: str, segment: int = 1
) -> str:
    """Return the path below the recordings' folder.

    `started` is local time; `segment` counts from 1 within the call, the first one is not
    numbered.
    """
    fields = [
        f"{started:%H%M%S}",
        sanitised(caller, MAX_NUMBER),
        sanitised(callee, MAX_NUMBER),
        sanitised(call_id, MAX_CALL_ID),
    ]
    if segment > 1:
        fields.append(str(segment))
    return f"{started.year:04}/{started:%m/%d}/{'_'.join(fields)}.mp3"


def sanitised(text: str, limit: int) -> str:
    """Return `text` reduced to harmless characters, 1 to `limit` of them."""
    # Bounded before the pattern works, so that a huge number costs nothing.
    return _FOREIGN.sub("-", text[: 4 * limit]).strip("-")[:limit].strip("-") or "unknown"
