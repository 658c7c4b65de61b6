"""The document of a lamp: `application/dialog-info+xml` (RFC 4235 section 4).

Always the full state, with one dialog in it, also where there is none: telephones take a
`terminated` dialog for a lamp that is off, and some leave a lamp as it was where a document is
empty. Who the other party is stands in none of them: a lamp is no list of calls.
"""

from dataclasses import dataclass
from typing import Literal

DIALOG_INFO = "application/dialog-info+xml"

DialogState = Literal["terminated", "trying", "early", "confirmed"]
"RFC 4235 section 3.7.1; telephones let a lamp blink for `early`."

Direction = Literal["initiator", "recipient"]

_QUOTED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})
"In an attribute. (`xml.sax.saxutils` has it too, and half of `urllib` and `http` with it.)"


@dataclass(frozen=True, slots=True)
class DialogInfo:
    """What one lamp shows."""

    state: DialogState = "terminated"
    direction: Direction | None = None
    "Whether the watched one called or was called, where that is known."

    def document(self, entity: str, version: int) -> bytes:
        """Return the XML about `entity`, a URI; `version` counts up within a subscription."""
        direction = f' direction="{self.direction}"' if self.direction is not None else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\r\n'
            '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info"'
            f' version="{version}" state="full" entity="{entity.translate(_QUOTED)}">\r\n'
            f'<dialog id="1"{direction}><state>{self.state}</state></dialog>\r\n'
            "</dialog-info>\r\n"
        ).encode()


OFF = DialogInfo()
