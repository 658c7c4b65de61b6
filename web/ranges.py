"""Conditional and partial requests: :rfc:`9110#section-13` and :rfc:`9110#section-14`.

Pure functions over header values. One range is served; a list of several is answered with the
whole, as :rfc:`9110#section-14.2` allows.
"""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]*)[ \t]*-[ \t]*([0-9]*)[ \t]*", re.ASCII)
_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The octets `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1

    def content_range(self, size: int) -> str:
        """Return the value of `Content-Range`."""
        return f"bytes {self.first}-{self.last}/{size}"


class UnsatisfiableRangeError(ValueError):
    """The range begins beyond the end: 416."""


def requested_range(value: str | None, size: int) -> ByteRange | None:
    """Return the wanted part of `size` octets; None where the whole is to be sent.

    A value that is no range of ours is ignored, as the RFC demands.
    """
    match = _RANGE.fullmatch(value) if value is not None else None
    if match is None or max(len(match[1]), len(match[2])) > _MAX_DIGITS:
        return None
    if not match[1]:
        return _suffix(match[2], size)
    first = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        raise UnsatisfiableRangeError(value)
    return ByteRange(first, min(last, size - 1))


def _suffix(digits: str, size: int) -> ByteRange | None:
    if not digits:
        return None
    length = int(digits)
    if length == 0 or size == 0:
        raise UnsatisfiableRangeError(f"-{digits}")
    return ByteRange(max(0, size - length), size - 1)


def none_match(value: str | None, etag: str) -> bool:
    """Tell whether `If-None-Match` knows this representation: then 304."""
    if value is None:
        return False
    return value.strip() == "*" or etag in _ENTITY_TAG.findall(value)


def range_applies(if_range: str | None, etag: str, last_modified: str) -> bool:
    """Tell whether `If-Range` lets the range stand; compares strongly, a date exactly."""
    return if_range is None or if_range.strip() in {etag, last_modified}
