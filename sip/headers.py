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

CANONICAL = {name.lower(): (name.lower(), name) for name in _WRITTEN.split()}
CANONICAL |= {compact: (name.lower(), name) for compact, name in _COMPACT_FORMS.items()}
"Lower-case or compact name to the storage key and the name that we write."


class HeaderTable:
    """Headers in a dictionary: a lookup costs one hash, not a walk over all names.

    `sip.message` puts it in the place of the walking table of `sipmessage`.

    Keys keep the order of their first appearance; compact forms are stored by their long name.
    """

    def __init__(self) -> None:
        self._values: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}

    def _key(self, name: str) -> str:
        lower, written = CANONICAL.get(name.lower()) or (name.lower(), name)
        self._names.setdefault(lower, written)
        return lower

    def add_parsed(self, lower: str, name: str, value: str) -> None:
        """Add one value under a key and name that are canonical already."""
        values = self._values.get(lower)
        if values is not None:
            values.append(value)
        else:
            self._values[lower] = [value]
            self._names[lower] = name

    def add(self, key: str, value: str) -> None:
        """Add one value."""
        self._values.setdefault(self._key(key), []).append(value)

    def get(self, key: str, default: str | None = None) -> str | None:
        """Return the first value or `default`."""
        values = self._values.get(key.lower())
        return values[0] if values else default

    def getlist(self, key: str) -> list[str]:
        """Return all values, in order; one value may still hold several after commas."""
        return self._values.get(key.lower(), [])

    def keys(self) -> list[str]:
        """Return the names as they are written."""
        return [self._names[key] for key in self._values]

    def remove(self, key: str) -> None:
        """Remove all values of a name."""
        self._values.pop(key.lower(), None)

    def set(self, key: str, value: str) -> None:
        """Replace all values of a name by one."""
        self._values[self._key(key)] = [value]

    def setlist(self, key: str, values: list[str]) -> None:
        """Replace all values of a name."""
        self._values[self._key(key)] = list(values)

    def __getitem__(self, key: str) -> str:
        return self._values[key.lower()][0]

    def __str__(self) -> str:
        lines = [
            f"{self._names[key]}: {value}\r\n"
            for key, values in self._values.items()
            for value in values
        ]
        return "".join(lines) + "\r\n"
