"""The parameters of an Authorization header, read octet by octet.

`sipmessage` splits at every comma, also inside a quoted value, so this is a parser of
our own. It is strict where a tolerant reading would let two readers disagree about who
is asking: a parameter that comes twice or an unterminated quote makes the whole value
unusable.
"""

import re

MAX_LENGTH = 4096
"Characters of one header value; real ones stay below 600."

_SCHEME = re.compile(r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]+|$)")
# No alternative of the quoted part can match what another one matches: linear time.
_PARAMETER = re.compile(
    r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*"
    r'(?:"((?:[^"\\]|\\.)*)"|([^\s",;]+))[ \t]*(?:,|$)',
    re.ASCII | re.DOTALL,
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


class AuthParamsError(ValueError):
    """The value does not follow the grammar of RFC 7235, section 2.1."""


def parse(value: str) -> tuple[str, dict[str, str]]:
    """Read `scheme name=value, name="quoted value"`.

    Scheme and names come back in lower case, values unquoted. See :rfc:`7616#section-3.4`
    and :rfc:`3261#section-25.1` (credentials).
    """
    if len(value) > MAX_LENGTH:
        raise AuthParamsError("too long")
    scheme = _SCHEME.match(value)
    if scheme is None:
        raise AuthParamsError("no scheme")
    parameters: dict[str, str] = {}
    position = scheme.end()
    while position < len(value):
        parameter = _PARAMETER.match(value, position)
        if parameter is None:
            raise AuthParamsError("not name=value")
        name, quoted, token = parameter.groups()
        name = name.lower()
        if name in parameters:
            raise AuthParamsError(f"{name} comes twice")
        if quoted is None:
            parameters[name] = token
        else:
            parameters[name] = _QUOTED_PAIR.sub(r"\1", quoted) if "\\" in quoted else quoted
        position = parameter.end()
    return scheme.group(1).lower(), parameters


def quote(value: str) -> str:
    """Write a quoted-string (:rfc:`3261#section-25.1`)."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
