"""Which recordings of a page of calls can be played."""

import functools
from collections.abc import Iterable

from cdr.rows import CallRow
from web.context import Web
from web.errors import UnavailableError


async def present_paths(web: Web, calls: Iterable[CallRow]) -> frozenset[str] | None:
    """Return the paths behind which a file stands; None where the disk does not answer."""
    wanted = {
        segment.relative_path
        for call in calls
        for segment in call.segments
        if segment.playable and segment.relative_path is not None
    }
    if not wanted:
        return frozenset()
    try:
        return await web.disk.run(functools.partial(web.ports.recordings.present, wanted))
    except (OSError, UnavailableError):
        return None
