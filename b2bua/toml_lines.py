"""Where in a TOML text a key stands: `tomllib` doesn't tell, and operators want to know."""

import re
from collections.abc import Sequence

_HEADER = re.compile(r"(\[\[?)\s*([^\]]+?)\s*\]\]?")


def line_of(text: str, keys: Sequence[str]) -> int:
    """Return the line (from 1) of the key with this path, or of its section, or 1.

    Sections that repeat are counted in the path: `trunk`, `0`, `address`.
    """
    table: list[str] = []
    counts: dict[str, int] = {}
    found, depth = 1, 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#", 1)[0].strip()
        if header := _HEADER.fullmatch(line):
            path = table = _table(header[1] == "[[", _parts(header[2]), counts)
        elif "=" in line:
            path = [*table, *_parts(line.split("=", 1)[0])]
        else:
            continue
        if len(path) > depth and list(keys[: len(path)]) == path:
            found, depth = number, len(path)
    return found


def _table(repeats: bool, parts: list[str], counts: dict[str, int]) -> list[str]:  # noqa: FBT001 - a fact of the line
    """Return the path of a section, with the place of each one that repeats."""
    name = parts[0]
    if repeats and len(parts) == 1:
        counts[name] = counts.get(name, -1) + 1
    return [name, str(counts[name]), *parts[1:]] if name in counts else parts


def _parts(text: str) -> list[str]:
    return [part.strip().strip("\"'") for part in text.split(".")]
