"""Bindings of the location service, and what a REGISTER says about them (RFC 3261 section 10).

Everything that a phone can write into a REGISTER is read, bounded and turned into values here;
`sip/registrar.py` decides.
"""

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from sip.address import Flow
from sip.contact import ContactValue, read_contacts
from sip.errors import RemoteProtocolError
from sip.message import URI, Request, parse_uri

MAX_CONTACT = 512
"Characters of a Contact URI or a Path; what a phone makes us store is bounded."

OUTBOUND = "outbound"
PATH = "path"

REGISTER_EXTENSIONS = frozenset({OUTBOUND, PATH})
"Option tags that a REGISTER may require: RFC 5626 and RFC 3327."

MAX_USER_AGENT = 128
"Characters kept of User-Agent."

_DELTA_SECONDS = re.compile(r"[0-9]+", re.ASCII)
_MAX_DELTA_SECONDS = 2**32 - 1
_Q = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?", re.ASCII)
_REG_ID = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
# Written back into our answer, so nothing may stand in it that ends a quoted string or a line.
_INSTANCE = re.compile(r'"<([A-Za-z0-9:._+-]{1,128})>"', re.ASCII)
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_MUST_MATCH = frozenset({"transport", "user", "ttl", "method", "maddr"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One device on which an address of record can be reached."""

    aor: str

    contact: str
    "The Contact URI as the device wrote it: the Request-URI of calls to it."

    flow: Flow
    "Where the REGISTER came from: where calls are sent, whatever the URI's host says (NAT)."

    expires_at: float
    "In the clock of `now`."

    call_id: str
    cseq: int

    from_tag: str = ""
    "Tells a device that started anew from one that goes on; empty: not known."

    registered_at: float = -math.inf
    "When it was last made or refreshed, in the clock of `now`; not known after a restart."

    instance: str | None = None
    "The URN in `+sip.instance` (:rfc:`5626#section-4.1`), without quotes and brackets."

    reg_id: int | None = None
    "`reg-id`, only together with `instance`."

    path: str | None = None
    "Path values in their order (RFC 3327), joined by commas."

    user_agent: str = ""

    q: float | None = None
    "Preference from 0 to 1; None: not said, which counts as 1."

    def header(self, now: float) -> tuple[str, str]:
        """Return the Contact header that reports the binding and how long it lasts."""
        seconds = max(1, math.ceil(self.expires_at - now))
        value = f"<{self.contact}>;expires={seconds}"
        if self.q is not None:
            value += f";q={self.q:g}"
        if self.instance is not None:
            value += f';+sip.instance="<{self.instance}>"'
        if self.reg_id is not None:
            value += f";reg-id={self.reg_id}"
        return "Contact", value


ChangeKind = Literal["added", "refreshed", "removed", "replaced", "displaced", "expired", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingChange:
    """What happened to one binding, to be stored under its `aor` and `contact`."""

    kind: ChangeKind
    """How it came to this.

    `replaced`: the same device has a new Contact; `displaced`: went for one beyond the limit;
    `lost`: the connection over which it was reached has ended.
    """

    binding: Binding

    @property
    def stored(self) -> bool:
        """Whether the binding stands (to insert or update) or is gone (to delete)."""
        return self.kind in {"added", "refreshed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactWish:
    """One Contact of a REGISTER."""

    uri: URI
    expires: int | None
    "Seconds; None: nothing was said, or nothing that can be read."
    q: float | None
    instance: str | None
    reg_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterWish:
    """What a REGISTER asks for."""

    call_id: str
    cseq: int
    from_tag: str
    contacts: tuple[ContactWish, ...]
    "Empty: only tell what is there."
    everything: bool
    "`Contact: *`: remove all."
    path: str | None
    outbound: bool = False
    "The device keeps several flows, and knows that we know (:rfc:`5626#section-4.2`)."
    user_agent: str = ""


def read_register(request: Request) -> RegisterWish:
    """Read a REGISTER; raises `RemoteProtocolError` 400 where it breaks a rule."""
    head = request.head
    expires = _seconds(request.headers.get("Expires"))
    values = request.headers.getlist("Contact")
    everything = any(value.strip() == "*" for value in values)
    if everything and (len(values) > 1 or expires != 0):
        raise RemoteProtocolError(400, "Contact * Needs Expires 0")
    contacts = () if everything else tuple(_wish(each, expires) for each in read_contacts(values))
    supported = option_tags(request, "Supported") | option_tags(request, "Require")
    if OUTBOUND not in supported:
        # Without it the parameter has no meaning (RFC 5626, section 6).
        contacts = tuple(replace(each, reg_id=None) for each in contacts)
    if len([each for each in contacts if each.reg_id is not None]) > 1:
        raise RemoteProtocolError(400, "Several Contacts With reg-id")  # RFC 5626, section 6
    outbound = any(each.reg_id is not None for each in contacts)
    path = _path(request.headers.getlist("Path"))
    if outbound and not _first_hop_knows(request, path):
        raise RemoteProtocolError(439, "First Hop Lacks Outbound Support")
    return RegisterWish(
        call_id=head.call_id,
        cseq=head.cseq,
        from_tag=head.from_tag,
        contacts=contacts,
        everything=everything,
        path=path,
        outbound=outbound,
        user_agent=(request.headers.get("User-Agent") or "")[:MAX_USER_AGENT],
    )


def option_tags(request: Request, name: str) -> frozenset[str]:
    """Return the option tags in all header lines of a name, in lower case."""
    return frozenset(
        tag.strip().lower() for line in request.headers.getlist(name) for tag in line.split(",")
    )


def _first_hop_knows(request: Request, path: str | None) -> bool:
    """Tell whether the flow to the device is kept by us, or by a proxy that says so.

    The first proxy on the way is the last one in the Path. See :rfc:`5626#section-6`.
    """
    vias = sum(line.count("SIP/") for line in request.headers.getlist("Via"))
    if vias <= 1:
        return True
    first_hop = (path or "").rpartition(",")[2]
    return "ob" in {word.partition("=")[0].strip(" >").lower() for word in first_hop.split(";")}


def same_contact(first: URI, second: URI) -> bool:
    """Compare as :rfc:`3261#section-19.1.4` wants it.

    An absent port is not 5060; a parameter that only one side has counts if it is one of five.
    """

    def plain(uri: URI) -> tuple[str, str | None, str | None, str, int | None]:
        return uri.scheme.lower(), uri.user, uri.password, uri.host.lower(), uri.port

    if plain(first) != plain(second):
        return False
    left, right = _lower(first), _lower(second)
    deciding = (left.keys() & right.keys()) | ((left.keys() | right.keys()) & _MUST_MATCH)
    return all(left.get(name, "?") == right.get(name, "?") for name in deciding)


def _lower(uri: URI) -> dict[str, str | None]:
    return {k.lower(): None if v is None else v.lower() for k, v in uri.parameters.items()}


def _wish(contact: ContactValue, expires: int | None) -> ContactWish:
    _check_uri(contact.uri)
    parameters = contact.parameters
    instance = _INSTANCE.fullmatch(parameters.get("+sip.instance", ""))
    reg_id = parameters.get("reg-id", "")
    q = parameters.get("q", "")
    own = _seconds(parameters["expires"]) if "expires" in parameters else expires
    return ContactWish(
        uri=contact.uri,
        expires=own,
        q=float(q) if _Q.fullmatch(q) else None,
        instance=instance[1] if instance else None,
        reg_id=int(reg_id) if instance and _REG_ID.fullmatch(reg_id) else None,
    )


def _check_uri(uri: URI) -> None:
    """Refuse what could not be called later: it is stored as text and read again."""
    text = str(uri)
    if uri.scheme not in {"sip", "sips"} or len(text) > MAX_CONTACT or not text.isascii():
        raise RemoteProtocolError(400, "Bad Contact")
    parse_uri(text)


def _path(values: list[str]) -> str | None:
    path = ", ".join(values)
    if len(path) > MAX_CONTACT or not _PRINTABLE.fullmatch(path):
        raise RemoteProtocolError(400, "Bad Path")
    return path or None


def _seconds(text: str | None) -> int | None:
    """Read delta-seconds; a malformed value is as good as none (:rfc:`3261#section-20.10`)."""
    if text is None or not _DELTA_SECONDS.fullmatch(text):
        return None
    digits = text.lstrip("0") or "0"
    return _MAX_DELTA_SECONDS if len(digits) > 10 else min(int(digits), _MAX_DELTA_SECONDS)
