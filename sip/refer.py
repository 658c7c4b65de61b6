"""REFER: what one asks for who transfers a call (RFC 3515, RFC 3892, RFC 4488).

A blind transfer names a number. An attended one names a dialog too, in the Replaces header that
stands escaped behind the `?` of the Refer-To URI (RFC 3891 section 7).
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from sip.build import REASONS, clean
from sip.errors import RemoteProtocolError
from sip.message import URI, Request, parse_address
from sip.replaces import Replaces

SIPFRAG = "message/sipfrag;version=2.0"
"What a NOTIFY about a REFER holds: the status line of the INVITE that was asked for."

_HEADERS = re.compile(r"\?([^<>\s\"]*)(?=>|$)")
"The headers of the one URI in a Refer-To."


@dataclass(frozen=True, slots=True, kw_only=True)
class Refer:
    """One REFER, read."""

    target: URI
    "Whom to call, without the headers behind `?`: of those only Replaces is obeyed."
    replaces: Replaces | None = None
    "The dialog to take over."
    subscribes: bool = True
    "The referrer wants to hear what comes of it (RFC 4488)."

    @classmethod
    def parse(cls, request: Request) -> "Refer":
        """Read a REFER; raises `RemoteProtocolError` 400, or 416 for what is no telephone."""
        values = request.headers.getlist("Refer-To")
        if len(values) != 1:
            raise RemoteProtocolError(400, "One Refer-To Wanted")
        value = values[0]
        found = _HEADERS.search(value)
        headers = found[1] if found is not None else ""
        target = parse_address(_HEADERS.sub("", value, count=1)).uri
        if target.scheme not in {"sip", "sips", "tel"}:
            raise RemoteProtocolError(416, "Unsupported URI Scheme")
        refer_sub = (request.headers.get("Refer-Sub") or "true").partition(";")[0]
        return cls(
            target=target,
            replaces=_replaces(headers),
            subscribes=refer_sub.strip().lower() != "false",
        )


def _replaces(headers: str) -> Replaces | None:
    """Return the Replaces among the headers of a URI (RFC 3261 section 19.1.1)."""
    pairs = [each.partition("=") for each in headers.split("&") if each]
    values = [unquote(value) for name, _, value in pairs if unquote(name).lower() == "replaces"]
    if len(values) > 1:
        raise RemoteProtocolError(400, "Several Replaces")
    return Replaces.parse(values[0]) if values else None


def sipfrag(code: int, reason: str | None = None) -> bytes:
    """Return a status line as the body of a NOTIFY (RFC 3515 section 2.4.5)."""
    return f"SIP/2.0 {code} {clean(reason or REASONS.get(code, 'Unknown'))}\r\n".encode()
