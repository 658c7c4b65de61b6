"""Calls that come from a trunk: which number is meant, and who calls.

What the caller says of itself is a stranger's words: what is no number is none, what can't be
printed is left out.
"""

from typing import Final

from b2bua.trunks.identity import asks_for_privacy
from b2bua.trunks.trunk import ANONYMOUS, Trunk
from sip.errors import RemoteProtocolError
from sip.message import Address, Request, parse_address, user_of
from sip.via import first_value

MAX_NAME: Final = 80
"Characters of a caller's display name that are kept."

_NUMBER: Final = frozenset("+0123456789*#")


def dialled_number(request: Request, trunk: Trunk | None) -> str:
    """Return the number that a call is for; `trunk`: which it came from, None for an extension.

    Where the trunk only calls the contact that we registered, To has the number.
    """
    user = user_of(request.uri)
    if trunk is None:
        return user
    source = trunk.settings.did_from
    if source == "p-called-party-id":
        called = _address(request, "P-Called-Party-ID")
        if called is not None:
            return _number_of(called)
        source = "to"
    if source == "to" or (user and user == trunk.contact_user):
        return _number_of(request.to_address)
    return _without_parameters(user)


def caller_of(request: Request, trunk: Trunk) -> tuple[str, str]:
    """Return number and display name of an outside caller, as extensions see them."""
    address: Address | None = None
    if trunk.settings.caller_from == "p-asserted-identity":
        address = _address(request, "P-Asserted-Identity")
    address = address or request.from_address
    number = _number_of(address)
    name = "".join(c for c in address.name or "" if c.isprintable())[:MAX_NAME]
    if asks_for_privacy(request):
        # The trunk trusts us with the number, but it is not for telephones and records.
        return ANONYMOUS, ""
    if not number or not set(number) <= _NUMBER or len(number) > MAX_NAME:
        return ANONYMOUS, name
    return trunk.numbers.incoming(number), name


def _address(request: Request, name: str) -> Address | None:
    """Return the first value of a header; None where there is none that can be read."""
    value = request.headers.get(name)
    try:
        return parse_address(first_value(value)[0]) if value else None
    except RemoteProtocolError:
        return None


def _number_of(address: Address) -> str:
    return _without_parameters(user_of(address.uri))


def _without_parameters(user: str) -> str:
    """Return the number of a telephone subscriber without its parameters (RFC 3966)."""
    return user.partition(";")[0]
