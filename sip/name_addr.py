"""URIs and the values of From and To: read as tolerantly as is safe, and written.

`sipmessage` knows the grammar; what it is too strict with or reads otherwise than it was meant is
read here. Telephones say the same few in each of their calls, so the last ones are remembered.
"""

import ipaddress
import re
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

from sipmessage import URI, Address, Parameters

from sip.errors import RemoteProtocolError

MAX_KNOWN = 512
"Characters of what is remembered: strangers choose what it is."

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TAG = re.compile(rf";\s*tag\s*=\s*({_TOKEN.pattern})\s*(?=;|$)", re.IGNORECASE)
_NAME_ADDR = re.compile(
    rf"(?P<name>{_QUOTED.pattern}|(?:[A-Za-z0-9\-.!%*_+`'~]|[ \t])*)[ \t]*<(?P<uri>[^<>]*)>",
    re.DOTALL,
)
_USUAL = re.compile(r"""(?:"[^"\\]*"|[A-Za-z0-9\-.!%*_+`'~ ]*) *<([^<>"]*)>""")
"How nearly all From and To values are written, up to the tag."
_ADDR_SPEC = re.compile(r"(?P<name>)(?P<uri>[^\s;<>\",?]+)")
_PARAMETER = re.compile(
    rf"\s*;\s*(?P<name>{_TOKEN.pattern})(?:\s*=\s*(?P<value>{_QUOTED.pattern}|[^\s;\",<>]+))?\s*",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HOST = re.compile(
    r"(sips?:(?:[^@]*@)?)([A-Za-z0-9](?:[A-Za-z0-9\-._]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"((?::[0-9]+)?(?:;.*)?)"
)


def parse_uri(text: str) -> URI:
    """Parse a Request-URI; raises `RemoteProtocolError` 416 for a foreign scheme, else 400."""
    return _known_uri(text) if len(text) <= MAX_KNOWN else _parse_uri(text)


def _parse_uri(text: str) -> URI:
    scheme, colon, rest = text.partition(":")
    if colon and _SCHEME.fullmatch(scheme):
        scheme = scheme.lower()
        if scheme not in ("sip", "sips", "tel"):
            raise RemoteProtocolError(416, "Unsupported URI Scheme")
    if not text.isascii():
        raise RemoteProtocolError(400, "Bad URI")
    try:
        uri = _parse_any_host(f"{scheme}:{rest}")
    except (ValueError, TypeError) as error:
        # TypeError: `sipmessage` takes parameters as keywords and trips over one named `self`.
        raise RemoteProtocolError(400, "Bad URI") from error
    if uri.port is not None and uri.port > 0xFFFF:
        raise RemoteProtocolError(400, "Bad URI")
    return uri


_known_uri = lru_cache(maxsize=1024)(_parse_uri)


def _parse_any_host(text: str) -> URI:
    """Parse a URI whose host may end in a digit, hold an underscore, or be IPv4 within IPv6.

    `sipmessage` wants letters only at the end of a host name, so `pbx1` would be no host.
    """
    try:
        return URI.parse(text)
    except ValueError:
        match = _HOST.fullmatch(text)
        if match is None or not _is_reference(match[2]):
            raise
        return replace(URI.parse(f"{match[1]}host{match[3]}"), host=match[2])


def write_uri(uri: URI) -> str:
    """Return `str(uri)`: at once where nothing has to be escaped, as in nearly all."""
    user = uri.user
    plain = user is None or (user.isascii() and user.isalnum())
    if not plain or uri.password is not None or uri.scheme == "tel" or uri.parameters:
        return str(uri)
    host = uri.host if uri.port is None else f"{uri.host}:{uri.port}"
    return f"{uri.scheme}:{host}" if user is None else f"{uri.scheme}:{user}@{host}"


def write_address(address: Address) -> str:
    """Return `str(address)`, in the same way."""
    if address.name or address.parameters:
        return str(address)
    return f"<{write_uri(address.uri)}>"


def user_of(uri: URI) -> str:
    """Return the user part for people and databases: controls stay escaped, such as `%00`."""
    return _CONTROLS.sub(lambda found: f"%{ord(found[0]):02X}", uri.user or "")


def _is_reference(host: str) -> bool:
    """Tell whether what stands in brackets is an IPv6 address; a name is always fine.

    With three colons too, as the grammar of RFC 3261 wrote it (RFC 5118 section 4.10).
    """
    if not host.startswith("["):
        return True
    try:
        ipaddress.IPv6Address(host[1:-1].replace(":::", "::"))
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address:
    """Parse one From or To value; raises `RemoteProtocolError` 400.

    `sipmessage` reads a quoted display name up to the last quote of the line; hence our own.
    Parameter values stay as they are written.
    """
    start = _NAME_ADDR.match(text) or _ADDR_SPEC.match(text)
    if start is None:
        raise RemoteProtocolError(400, "Bad Address")
    parameters: dict[str, str | None] = {}
    position = start.end()
    while position < len(text):
        parameter = _PARAMETER.match(text, position)
        if parameter is None:
            raise RemoteProtocolError(400, "Bad Address")
        parameters[parameter["name"].lower()] = parameter["value"]
        position = parameter.end()
    parameters.pop("self", None)  # no keyword that `Parameters` can take, and no use to us
    name = start["name"].strip()
    if name.startswith('"'):
        name = _ESCAPED.sub(r"\1", name[1:-1])
    try:
        uri = parse_uri(start["uri"])
    except RemoteProtocolError as error:
        raise RemoteProtocolError(400, "Bad Address") from error
    return Address(uri=uri, name=name, parameters=Parameters(**parameters))


@lru_cache(maxsize=1024)
def tag_of(value: str) -> str:
    """Return the tag of a From or To value as it is written, or the empty string.

    The whole value is checked on the way.
    """
    party, mark, tag = value.rpartition(";tag=")
    if not mark:
        party = tag
    if is_usual_party(party) and (not mark or _TOKEN.fullmatch(tag)):
        return tag if mark else ""
    return tag_of_any(value)


@lru_cache(maxsize=1024)
def is_usual_party(value: str) -> bool:
    """Tell whether a From or To value without parameters is written as nearly all are."""
    usual = _USUAL.fullmatch(value)
    with suppress(RemoteProtocolError):
        return usual is not None and bool(parse_uri(usual[1]))
    return False


def tag_of_any(value: str) -> str:
    """Return the tag of a From or To value, however it is written.

    It is looked for in the text, because two tags are a fault that the mapping of parameters
    would hide.
    """
    address = parse_address(value)
    plain = _QUOTED.sub("", value) if '"' in value else value
    tags: list[str] = _TAG.findall(plain.rpartition(">")[2])
    if len(tags) > 1 or (not tags and "tag" in address.parameters):
        raise RemoteProtocolError(400, "Bad Tag")
    return tags[0] if tags else ""
