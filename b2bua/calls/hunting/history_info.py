"""Who sent a call on, as History-Info tells it (:rfc:`7044`).

Where `Diversion` names those who have sent a call on, this names all whom the call was for, in
their order: each entry has the place of the one it follows in its `index`, the `mp` of an entry
says whose place it took, and the `cause` in its URI why (:rfc:`4458`).
"""

from collections.abc import Iterable, Mapping

from b2bua.calls.hunting.diversion import Diversion, When
from sip.contact import read_contacts
from sip.errors import RemoteProtocolError
from sip.message import URI, Request

_CAUSES = {
    When.ALWAYS: 302,
    When.BUSY: 486,
    When.NO_ANSWER: 408,
    When.OFFLINE: 503,
    When.REDIRECTED: 480,
}
""":rfc:`4458#section-2`, of which 3GPP TS 24.604 makes the reasons of a diversion."""


def history_headers(
    diversions: Iterable[Diversion], names: Mapping[str, str], host: str, target: URI
) -> tuple[tuple[str, str], ...]:
    """Return the headers, oldest first; none where nobody has sent the call on.

    `names`: what our numbers are called where the call goes; `target`: whom it is for now.
    """
    entries: list[tuple[str, str]] = []
    index, cause = "1", ""
    for each in diversions:
        uri = URI(scheme="sip", user=names.get(each.number, each.number), host=host)
        entries.append(_entry(uri, index, cause))
        index, cause = f"{index}.1", str(_CAUSES[each.when])
    if entries:
        entries.append(_entry(target, index, cause))
    return tuple(entries)


def _entry(uri: URI, index: str, cause: str) -> tuple[str, str]:
    if not cause:
        return "History-Info", f"<{uri}>;index={index}"
    before = index.rpartition(".")[0]
    return "History-Info", f"<{uri};cause={cause}>;index={index};mp={before}"


def replaced_by_others(request: Request) -> frozenset[str]:
    """Return the numbers that have sent a call on, as it says itself: others took their place."""
    try:
        entries = list(read_contacts(request.headers.getlist("History-Info")))
    except RemoteProtocolError:
        return frozenset()
    places = {entry.parameters["mp"] for entry in entries if "mp" in entry.parameters}
    return frozenset(
        entry.uri.user
        for entry in entries
        if entry.uri.user and entry.parameters.get("index") in places
    )
