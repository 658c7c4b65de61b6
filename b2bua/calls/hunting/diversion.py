"""Who sent a call on, as telephones and trunks tell each other (:rfc:`5806`).

The newest diversion stands first. We write the header for whoever is rung in somebody's place,
and read it of a call from a trunk: one of our numbers in it has sent this very call on already,
so it does not do so again.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sip.contact import read_contacts
from sip.errors import RemoteProtocolError
from sip.message import URI, Request, Response

NUMBER = re.compile(r"\+?[0-9]{2,32}")


class When(StrEnum):
    """Why a call was sent on, in the words of :rfc:`5806#section-4`."""

    ALWAYS = "unconditional"
    BUSY = "user-busy"
    NO_ANSWER = "no-answer"
    OFFLINE = "unavailable"
    REDIRECTED = "deflection"
    "The telephone itself said where (3xx)."


@dataclass(frozen=True, slots=True)
class Diversion:
    """One of our numbers, and why it sent the call on."""

    number: str
    when: When


def diversion_headers(
    diversions: Iterable[Diversion], names: Mapping[str, str], host: str
) -> tuple[tuple[str, str], ...]:
    """Return the headers, newest first.

    `names`: what our numbers are called where the call goes, such as the DIDs of a trunk.
    """
    return tuple(
        ("Diversion", _entry(each, names.get(each.number, each.number), host))
        for each in reversed(tuple(diversions))
    )


def _entry(diversion: Diversion, name: str, host: str) -> str:
    uri = URI(scheme="sip", user=name, host=host)
    return f"<{uri}>;reason={diversion.when.value}"


def diverted_by(request: Request) -> frozenset[str]:
    """Return the numbers that have sent a call on, as it says itself."""
    try:
        entries = list(read_contacts(request.headers.getlist("Diversion")))
    except RemoteProtocolError:
        return frozenset()
    return frozenset(entry.uri.user for entry in entries if entry.uri.user)


def redirected_to(response: Response) -> str:
    """Return the number that a 3xx names first; empty for none.

    Only a number: it goes through the dial plan like one that was dialled, and no further.
    """
    try:
        contact = next(read_contacts(response.headers.getlist("Contact")), None)
    except RemoteProtocolError:
        return ""
    number = contact.uri.user if contact is not None else None
    return number if number is not None and NUMBER.fullmatch(number) else ""
