"""Reading a SUBSCRIBE (RFC 6665 section 4.2.1): which package, for how long, in which form."""

from dataclasses import dataclass

from sip.dialog import header_values
from sip.dialog_info import DIALOG_INFO
from sip.errors import RemoteProtocolError
from sip.message import Request

PACKAGE = "dialog"
"The event package of RFC 4235, the only one that we speak."

DEFAULT_S = 3600
"RFC 4235 section 3.4, for a SUBSCRIBE that names no duration."


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """One SUBSCRIBE, read."""

    event: str
    "The Event value as our NOTIFY repeats it: the package, and the subscriber's id."
    expires_s: int
    "Wished for; 0: tell me once, or no more."

    @classmethod
    def parse(cls, request: Request) -> "Subscribe":
        """Read a SUBSCRIBE; raises `RemoteProtocolError`: 489, 406 or 400."""
        event = _event(request.headers.get("Event") or "")
        accepted = request.headers.getlist("Accept")
        if accepted and not _takes_dialog_info(accepted):
            raise RemoteProtocolError(406, "Not Acceptable")
        return cls(event=event, expires_s=_expires(request.headers.get("Expires")))


def _event(value: str) -> str:
    """Return package and id; other parameters (`sla`, `call-id`) narrow nothing for us."""
    package, *parameters = (part.strip() for part in value.split(";"))
    if package.lower() != PACKAGE:
        raise RemoteProtocolError(489, "Bad Event")
    for parameter in parameters:
        name, _, text = parameter.partition("=")
        if name.strip().lower() == "id" and text.strip():
            return f"{PACKAGE};id={text.strip()}"
    return PACKAGE


def _takes_dialog_info(lines: list[str]) -> bool:
    kinds = {value.partition(";")[0].strip().lower() for value in header_values(lines)}
    return not kinds.isdisjoint((DIALOG_INFO, "application/*", "*/*"))


def _expires(text: str | None) -> int:
    if text is None:
        return DEFAULT_S
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise RemoteProtocolError(400, "Bad Expires")
    return int(text)
