"""Contact values of a REGISTER, read octet by octet (RFC 3261 section 20.10).

`sipmessage` reads quoted strings up to the last quote of the line, so of several quoted
parameters (`+sip.instance` and `methods` are usual) it makes one, and of two Contacts with
display names too. It also resolves escapes in parameters, which here are copied into answers.
Hence a reader of our own; URIs are still its business.

No alternative of a repeated group can match what another one matches: linear time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sip.errors import RemoteProtocolError
from sip.message import URI, parse_uri

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_VALUE = re.compile(rf'(?:{_QUOTED}|<[^<>]*>|[^",<>])+')
_NAME_ADDR = re.compile(rf"(?:{_QUOTED}|[^\"<>;])*<([^<>?]*)(?:\?[^<>]*)?>")
_ADDR_SPEC = re.compile(r'[ \t]*([^\s;<>"?]+)')
_PARAMETER = re.compile(
    rf"[ \t]*;[ \t]*([A-Za-z0-9.!%*_+`'~-]+)(?:[ \t]*=[ \t]*({_QUOTED}|[^\s;\"<>]+))?"
)


@dataclass(frozen=True, slots=True)
class ContactValue:
    """One Contact."""

    uri: URI
    "Without the headers behind `?`: they are never obeyed."

    parameters: dict[str, str]
    "Names in lower case, values as they are written, quotes included; empty: no value."


def read_contacts(lines: list[str]) -> Iterator[ContactValue]:
    """Read all Contact headers of a message; raises `RemoteProtocolError` 400."""
    for line in lines:
        position = 0
        while line.strip(" \t"):
            value = _VALUE.match(line, position)
            if value is None:
                raise RemoteProtocolError(400, "Bad Contact")
            yield _read_contact(value[0])
            position = value.end()
            if position == len(line):
                break
            if line[position] != ",":
                raise RemoteProtocolError(400, "Bad Contact")
            position += 1


def _read_contact(value: str) -> ContactValue:
    start = _NAME_ADDR.match(value) or _ADDR_SPEC.match(value)
    if start is None:
        raise RemoteProtocolError(400, "Bad Contact")
    parameters: dict[str, str] = {}
    position = start.end()
    while value[position:].strip(" \t"):
        parameter = _PARAMETER.match(value, position)
        if parameter is None or parameter[1].lower() in parameters:
            raise RemoteProtocolError(400, "Bad Contact")
        parameters[parameter[1].lower()] = parameter[2] or ""
        position = parameter.end()
    return ContactValue(_parse_uri(start[1]), parameters)


def _parse_uri(text: str) -> URI:
    try:
        return parse_uri(text)
    except (RemoteProtocolError, TypeError) as error:
        # TypeError: `sipmessage` takes parameters as keywords and trips over one named `self`.
        raise RemoteProtocolError(400, "Bad Contact") from error
