"""Header storage by name, with the canonical spelling of names (RFC 3261 section 7.3)."""

_WRITTEN = (
    "Accept Accept-Encoding Accept-Language Alert-Info Allow Allow-Events Authentication-Info "
    "Authorization Call-ID Call-Info Contact Content-Disposition Content-Encoding "
    "Content-Language Content-Length Content-Type CSeq Date Diversion Error-Info Event Expires "
    "From Geolocation History-Info Identity In-Reply-To Info-Package Join Max-Breadth "
    "Max-Forwards MIME-Version Min-Expires Min-SE Organization P-Access-Network-Info "
    "P-Asserted-Identity P-Preferred-Identity Path Priority Privacy Proxy-Authenticate "
    "Proxy-Authorization Proxy-Require RAck Reason Record-Route Recv-Info Refer-Sub Refer-To "
    "Referred-By Replaces Reply-To Request-Disposition Require Retry-After Route RSeq Server "
    "Service-Route Session-Expires Session-ID SIP-ETag SIP-If-Match Subject "
    "Subscription-State Supported Target-Dialog Timestamp To Unsupported User-Agent Via Warning "
    "WWW-Authenticate"
)
"The names in the spelling of their RFCs; cheap phones compare them by case."

_COMPACT_FORMS = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

_NAMES = (*_WRITTEN.split(), *_COMPACT_FORMS.values())

CANONICAL = {spelt: name for name in _NAMES for spelt in (name, name.lower())} | _COMPACT_FORMS
"A name in the spelling of its RFC, in lower case or in compact form to the one that we write."


def canonical(name: str) -> str:
    """Return what a header is stored under: a name of ours, or a foreign one in lower case."""
    if name in CANONICAL:
        return CANONICAL[name]
    lower = name.lower()
    return CANONICAL.get(lower, lower)


class HeaderTable:
    """Headers in a dictionary: a lookup costs one hash, not a walk over all names.

    `sip.message` puts it in the place of the walking table of `sipmessage`.

    Keys keep the order of their first appearance; compact forms are stored by their long name.
    """

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}
        "The values by `canonical` name: for whoever has such a name at hand."
        self._foreign: dict[str, str] = {}
        "How a name that we don't know was written first."

    def key(self, name: str) -> str:
        """Return what a header of this name is stored under, and remember the spelling."""
        key = canonical(name)
        if key not in CANONICAL:
            self._foreign.setdefault(key, name)
        return key

    def add(self, key: str, value: str) -> None:
        """Add one value."""
        self.fields.setdefault(self.key(key), []).append(value)

    def get(self, key: str, default: str | None = None) -> str | None:
        """Return the first value or `default`."""
        values = self.fields.get(key)
        if values is None and CANONICAL.get(key) != key:
            values = self.fields.get(canonical(key))
        return values[0] if values else default

    def getlist(self, key: str) -> list[str]:
        """Return all values, in order; one value may still hold several after commas."""
        values = self.fields.get(key)
        if values is None and CANONICAL.get(key) != key:
            values = self.fields.get(canonical(key))
        return [] if values is None else values

    def keys(self) -> list[str]:
        """Return the names as they are written."""
        return [self._foreign.get(key, key) for key in self.fields]

    def remove(self, key: str) -> None:
        """Remove all values of a name."""
        self.fields.pop(canonical(key), None)

    def set(self, key: str, value: str) -> None:
        """Replace all values of a name by one."""
        self.fields[self.key(key)] = [value]

    def setlist(self, key: str, values: list[str]) -> None:
        """Replace all values of a name."""
        self.fields[self.key(key)] = list(values)

    def __getitem__(self, key: str) -> str:
        return (self.fields.get(key) or self.fields[canonical(key)])[0]

    def __str__(self) -> str:
        lines = [
            f"{self._foreign.get(key, key)}: {value}\r\n"
            for key, values in self.fields.items()
            for value in values
        ]
        return "".join(lines) + "\r\n"
