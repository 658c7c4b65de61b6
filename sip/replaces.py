"""Replaces: which dialog a new INVITE, or the one that a REFER asks for, takes over (RFC 3891).

The tags are those of whoever is asked: `to_tag` is its own, `from_tag` its peer's.
"""

import re
from dataclasses import dataclass

from sip.errors import RemoteProtocolError

_CALL_ID = re.compile(r"[^\s;,<>\"]+")
_PARAMETER = re.compile(
    r"[ \t]*;[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)(?:[ \t]*=[ \t]*([A-Za-z0-9\-.!%*_+`'~]+))?[ \t]*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaces:
    """One Replaces value."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False
    "Only a dialog that was not answered yet may be replaced."

    @classmethod
    def parse(cls, text: str) -> "Replaces":
        """Read a value; raises `RemoteProtocolError` 400."""
        text = text.strip(" \t")
        call_id = _CALL_ID.match(text)
        if call_id is None:
            raise RemoteProtocolError(400, "Bad Replaces")
        parameters: dict[str, str] = {}
        position = call_id.end()
        while position < len(text):
            found = _PARAMETER.match(text, position)
            if found is None or found[1].lower() in parameters:
                raise RemoteProtocolError(400, "Bad Replaces")
            parameters[found[1].lower()] = found[2] or ""
            position = found.end()
        to_tag, from_tag = parameters.get("to-tag"), parameters.get("from-tag")
        if not to_tag or not from_tag:
            raise RemoteProtocolError(400, "Bad Replaces")
        return cls(
            call_id=call_id[0],
            to_tag=_tag(to_tag),
            from_tag=_tag(from_tag),
            early_only="early-only" in parameters,
        )

    def __str__(self) -> str:
        value = f"{self.call_id};to-tag={self.to_tag or '0'};from-tag={self.from_tag or '0'}"
        return f"{value};early-only" if self.early_only else value


def _tag(text: str) -> str:
    """Return a tag; `0` stands for that of a peer of RFC 2543, which has none (section 3)."""
    return "" if text == "0" else text
