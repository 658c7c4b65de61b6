"""The topmost Via: the address of a transaction (RFC 3261 section 20.42).

Only the topmost Via is read, every other is copied as it came, and even the topmost is never
written anew: a response has to return it octet for octet with `received` and `rport` filled in
(RFC 3261 section 18.2.1, RFC 3581 section 4). Hence texts and positions here and not
`sipmessage.Via`, which would lose escapes and order, and refuses `received=::1`.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from sip.address import HostPort

MAGIC_COOKIE = "z9hG4bK"
"RFC 3261 section 8.1.1.7: a branch with this prefix is unique by itself."

_WORD = r"[A-Za-z0-9\-.!%*_+`'~]+"
_VIA = re.compile(
    rf"SIP\s*/\s*(?P<version>{_WORD})\s*/\s*(?P<transport>{_WORD})\s+"
    r"(?P<sent_by>(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+)(?:\s*:\s*[0-9]{1,5})?)"
    r"\s*(?P<parameters>;.*)?",
    re.ASCII | re.DOTALL,
)
_USUAL = re.compile(
    r"SIP/2\.0/(UDP|TCP|TLS) ([A-Za-z0-9.\-]+(?::[0-9]{1,5})?)(;rport)?"
    rf";branch=({_WORD})((?:;(?:rport|received|alias)(?:=[0-9A-Za-z.\-]+)?)*)",
    re.ASCII,
)
"How nearly all are written, and what comes back of ours: a fifth of the general reading's time."
_PARAMETER = re.compile(
    rf';\s*(?P<name>{_WORD})(?:\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s;,"]+))?\s*',
    re.ASCII | re.DOTALL,
)
_RPORT = re.compile(r";\s*rport(?:\s*=[^;,]*)?(?=\s*(?:;|$))", re.IGNORECASE)
_RECEIVED = re.compile(r";\s*received\s*=[^;,]*", re.IGNORECASE)


class TopVia(NamedTuple):
    """The topmost Via of a message."""

    text: str
    "As it came, without the other values of the same header line."
    transport: str
    sent_by: str
    "`host[:port]` as it came, without blanks."
    branch: str
    "Empty when there is none, or one that is only the cookie: then RFC 2543 rules match."
    rport: bool
    "The client asked for `rport` (RFC 3581)."


def first_value(line: str) -> tuple[str, str]:
    """Split a header line with several values after the first one; commas in quotes are text."""
    if "," not in line:
        return line, ""
    quoted = escaped = False
    for index, character in enumerate(line):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = quoted
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            return line[:index].strip(" \t"), line[index + 1 :].strip(" \t")
    return line, ""


def parse_top_via(line: str) -> TopVia:
    """Parse the first value of the first Via line; raises `ValueError`."""
    usual = _USUAL.fullmatch(line)
    if usual is None:
        return parse_any_via(line)
    transport, sent_by, rport, branch, rest = usual.groups()
    return TopVia(
        text=line,
        transport=transport,
        sent_by=sent_by,
        branch="" if branch == MAGIC_COOKIE else branch,
        rport=rport is not None or ";rport" in rest,
    )


@lru_cache(maxsize=1024)
def parse_any_via(line: str) -> TopVia:
    """Parse it however it is written: what `parse_top_via` does not know by heart."""
    text, _ = first_value(line)
    match = _VIA.fullmatch(text)
    if match is None:
        raise ValueError("Via is not valid")
    found = dict[str, str | None]()
    tail, position = match["parameters"] or "", 0
    while position < len(tail):
        parameter = _PARAMETER.match(tail, position)
        if parameter is None:
            raise ValueError("Via parameters are not valid")
        found.setdefault(parameter["name"].lower(), parameter["value"])
        position = parameter.end()
    branch = found.get("branch") or ""
    return TopVia(
        text=text,
        transport=match["transport"].upper(),
        sent_by="".join(match["sent_by"].split()),
        branch="" if branch == MAGIC_COOKIE else branch,
        rport="rport" in found,
    )


def stamp(line: str, via: TopVia, source: HostPort) -> str:
    """Return the Via line for the response: the source noted in it (RFC 3581 section 4)."""
    same_host = via.sent_by.rpartition(":")[0] == source.uri_host or via.sent_by == source.uri_host
    if not via.rport and same_host:
        return line
    text, lower = via.text, via.text.lower()
    if "received" in lower:
        text = _RECEIVED.sub("", text)
    if via.rport and lower.count("rport") == 1 and (";rport;" in text or text.endswith(";rport")):
        text = text.replace(";rport", f";rport={source.port}")
    elif via.rport:
        text = _RPORT.sub(f";rport={source.port}", text, count=1)
    host = source.host.partition("%")[0]  # a zone means something to this machine only
    return f"{text};received={host}{line[len(via.text) :]}"
