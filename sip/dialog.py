"""Dialogs: what both ends have agreed on for their further requests (RFC 3261 section 12)."""

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from sip.address import Flow
from sip.build import OutgoingRequest, with_tag
from sip.contact import read_contacts
from sip.errors import RemoteProtocolError
from sip.message import URI, Request, Response, parse_address
from sip.name_addr import MAX_KNOWN, write_uri
from sip.via import first_value

DialogId = tuple[str, str, str]
"Call-ID, local tag, remote tag."


def header_values(lines: list[str]) -> tuple[str, ...]:
    """Return the single values of header lines that may hold several each."""
    values = list[str]()
    for line in lines:
        rest = line
        while rest:
            value, rest = first_value(rest)
            if value:
                values.append(value)
    return tuple(values)


def contact_uri(message: Request | Response) -> URI | None:
    """Return the URI of the only Contact, the remote target (RFC 3261 section 12.1).

    None where there is none; raises `RemoteProtocolError` where it can't be read.
    """
    lines = message.headers.getlist("Contact")
    if len(lines) == 1 and len(lines[0]) <= MAX_KNOWN:
        return _known_uri(lines[0])
    return _only_uri(*lines)


def _only_uri(*lines: str) -> URI | None:
    contacts = list(read_contacts(list(lines)))
    if len(contacts) > 1:
        raise RemoteProtocolError(400, "Several Contacts")
    return contacts[0].uri if contacts else None


_known_uri = lru_cache(maxsize=1024)(_only_uri)
"A telephone has the same Contact in each of its calls."


@dataclass(slots=True, kw_only=True)
class Dialog:
    """One dialog, seen from our end.

    Requests go to `flow`, where the peer's messages come from, and not to the address that
    route set or remote target resolve to: behind NAT only the flow reaches the peer, and with
    a proxy in the route set the flow is the proxy.
    """

    call_id: str
    local_tag: str
    remote_tag: str
    "Empty for a peer of RFC 2543."
    local_party: str
    "From of our requests, with the tag."
    remote_party: str
    "To of our requests, with the tag, as the peer wrote it."
    remote_target: URI
    route_set: tuple[str, ...]
    "Route values in the order in which our requests carry them."
    local_cseq: int
    remote_cseq: int | None
    "None until the peer has sent a request."
    flow: Flow
    secure: bool = False
    "Its request had a `sips` URI, so our Contact has one (RFC 3261 section 12.1.1)."

    @classmethod
    def as_uas(cls, request: Request, local_tag: str, flow: Flow) -> "Dialog":
        """Make the dialog of a request that we answer (RFC 3261 section 12.1.1)."""
        target = contact_uri(request)
        if target is None:
            raise RemoteProtocolError(400, "Missing Contact")
        headers, head = request.headers, request.head
        return cls(
            call_id=head.call_id,
            local_tag=local_tag,
            remote_tag=head.from_tag,
            local_party=with_tag(headers["To"], local_tag),
            remote_party=headers["From"],
            remote_target=target,
            route_set=header_values(headers.getlist("Record-Route")),
            local_cseq=0,
            remote_cseq=head.cseq,
            flow=flow,
            secure=request.uri.scheme == "sips",
        )

    @classmethod
    def as_uac(
        cls, sent: OutgoingRequest, target: URI, local_tag: str, response: Response, flow: Flow
    ) -> "Dialog":
        """Make the dialog of a response to our request (RFC 3261 section 12.1.2).

        A response without a usable Contact leaves the target of the request in place.
        """
        with suppress(RemoteProtocolError):
            target = contact_uri(response) or target
        return cls(
            call_id=sent.call_id,
            local_tag=local_tag,
            remote_tag=response.head.to_tag,
            local_party=sent.from_,
            remote_party=response.headers["To"],
            remote_target=target,
            route_set=header_values(response.headers.getlist("Record-Route"))[::-1],
            local_cseq=sent.cseq,
            remote_cseq=None,
            flow=flow,
            secure=sent.uri.startswith("sips:"),
        )

    @property
    def id(self) -> DialogId:
        """The key by which requests of the peer find the dialog."""
        return self.call_id, self.local_tag, self.remote_tag

    def receive_cseq(self, cseq: int) -> bool:
        """Note the number of a request of the peer; false when it is out of order.

        Gaps are legal, a lower number is not (RFC 3261 section 12.2.2).
        """
        if self.remote_cseq is not None and cseq < self.remote_cseq:
            return False
        self.remote_cseq = cseq
        return True

    def refresh_target(self, message: Request | Response) -> None:
        """Take over the Contact of a re-INVITE, an UPDATE or the 2xx to one (section 12.2)."""
        with suppress(RemoteProtocolError):
            self.remote_target = contact_uri(message) or self.remote_target

    def next_cseq(self) -> int:
        """Count up the number of our requests."""
        self.local_cseq += 1
        return self.local_cseq

    def request(
        self,
        method: str,
        *,
        cseq: int,
        via: str,
        branch: str,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> OutgoingRequest:
        """Return a request inside the dialog (RFC 3261 section 12.2.1.1)."""
        uri, routes = self._request_uri_and_routes()
        return OutgoingRequest(
            method=method,
            uri=uri,
            via=via,
            branch=branch,
            from_=self.local_party,
            to=self.remote_party,
            call_id=self.call_id,
            cseq=cseq,
            routes=routes,
            headers=headers,
            body=body,
            content_type=content_type,
        )

    def _request_uri_and_routes(self) -> tuple[str, tuple[str, ...]]:
        target = write_uri(self.remote_target)
        if not self.route_set:
            return target, ()
        try:
            first = parse_address(self.route_set[0]).uri
        except RemoteProtocolError:
            return target, self.route_set
        if "lr" in first.parameters:
            return target, self.route_set
        # A strict router of RFC 2543 wants itself in the Request-URI and the target at the end.
        return str(first), (*self.route_set[1:], f"<{target}>")
