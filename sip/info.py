"""What telephones put into INFO: keys, and the wish to record. Neither has an RFC of its own.

`application/dtmf-relay` comes from Cisco, `application/dtmf` from Nortel; both are read as
loosely as phones write them. `Record: on|off` is Snom's and Asterisk's one-touch recording.
"""

import re
from typing import Final, Literal

from sip.message import Request

KEYS: Final = frozenset("0123456789*#ABCD")

DTMF_RELAY: Final = "application/dtmf-relay"

KEY_MS: Final = 160
"How long a key is down that we send: INFO can't tell when it goes up."

_SIGNAL: Final = re.compile(
    r"^[ \t]*signal[ \t]*=[ \t]*(\S{1,2})[ \t]*$", re.IGNORECASE | re.MULTILINE
)

_NUMBERED: Final = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
"Event codes of RFC 4733, which some phones write in place of the key."


def key_of(request: Request) -> str | None:
    """Return the key that an INFO says was pressed; None where it is about something else."""
    kind = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    text = request.body[:256].decode("ascii", "replace").replace("\r\n", "\n")
    if kind == DTMF_RELAY:
        found = _SIGNAL.search(text)
        signal = found[1] if found is not None else ""
    elif kind == "application/dtmf":
        signal = text.strip()
    else:
        return None
    key = _NUMBERED.get(signal, signal.upper())
    return key if key in KEYS else None


def dtmf_relay(key: str) -> bytes:
    """Return the body that says that a key was pressed."""
    return f"Signal={key}\r\nDuration={KEY_MS}\r\n".encode()


def record_wish(request: Request) -> Literal["on", "off"] | None:
    """Return what the Record header asks for; None without one, or for any other word."""
    value = (request.headers.get("Record") or "").strip().lower()
    return "on" if value == "on" else "off" if value == "off" else None


def allows_info(allow: list[str]) -> bool:
    """Tell whether Allow header lines name INFO."""
    return any(method.strip().upper() == "INFO" for line in allow for method in line.split(","))
