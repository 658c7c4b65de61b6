"""Who calls, as a trunk is told it, and as it tells us.

Outgoing: From names the caller, P-Asserted-Identity or P-Preferred-Identity (RFC 3325) the
number that the provider vouches for or may choose. Who withholds his number is `anonymous` in
From, and `Privacy: id` has the provider keep the rest to itself (RFC 3323, RFC 3325).
"""

from dataclasses import dataclass
from typing import Final

from b2bua.calls.party import Party
from b2bua.trunks.trunk import ANONYMOUS, Trunk
from sip.message import URI, Address, Request

NOBODY: Final = Address(
    name="Anonymous", uri=URI(scheme="sip", user=ANONYMOUS, host="anonymous.invalid")
)
""":rfc:`3323#section-4.1.1.3`."""

_PRIVATE: Final = frozenset({"id", "user", "header"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a call to a trunk says of its caller."""

    from_: Address
    headers: tuple[tuple[str, str], ...]


def identity(trunk: Trunk, caller: Party, *, withheld: bool, host: str) -> Identity:
    """Return who calls; `host`: ours, for a trunk that has no domain of its own for us."""
    settings = trunk.settings.identity
    number = trunk.numbers.shown_number(caller.number, extension=caller.extension is not None)
    shown = _address(trunk, number, host)
    from_ = _address(trunk, trunk.settings.account_user or number, host)
    if settings.from_ == "caller":
        from_ = shown
    headers = []
    if settings.asserted:
        headers.append(("P-Asserted-Identity", str(shown)))
    if settings.preferred:
        headers.append(("P-Preferred-Identity", str(shown)))
    if withheld:
        headers.append(("Privacy", "id"))
        from_ = NOBODY if settings.anonymous_from else from_
    elif caller.name:
        from_ = Address(name=caller.name, uri=from_.uri)
    return Identity(from_=from_, headers=tuple(headers))


def _address(trunk: Trunk, user: str, host: str) -> Address:
    if trunk.settings.has_domain:
        return Address(uri=trunk.uri(user))
    return Address(uri=URI(scheme="sip", user=user, host=host))


def wants_privacy(request: Request) -> bool:
    """Tell whether a caller withholds its number."""
    host = request.from_address.uri.host or ""
    return asks_for_privacy(request) or host.lower() == "anonymous.invalid"


def asks_for_privacy(request: Request) -> bool:
    """Tell whether its sender is not to be named (:rfc:`3323#section-4.2`)."""
    values = ";".join(request.headers.getlist("Privacy")).replace(",", ";").split(";")
    return not _PRIVATE.isdisjoint(value.strip().lower() for value in values)
