"""The registrar and its location service (RFC 3261 section 10), sans-IO.

The caller has verified who asks and that the address of record is his. A REGISTER is applied
as a whole or not at all.

Which registrations are of one telephone says `sip/devices.py`. Where phones made us choose besides:

- **Order.** A CSeq that is not above that of the same Call-ID is refused as a late arrival, as
  RFC 3261 wants. But a phone that starts anew may use its old Call-ID with a CSeq from 1
  (pyVoIP: always). So it passes if it looks like a start (another From-tag, a CSeq of at most
  10), or if the binding is older than a request can be late (64*T1).
- **Path** (RFC 3327). It is stored, and calls to the device have it as their Route. A device that
  does not say that it knows of it is taken all the same, unless `require_path_support`: few
  telephones say so, and the proxy in front of them has to put it there.
- **Limit.** Beyond `max_contacts` the binding goes whose last refresh is longest ago. A refusal
  would lock out a phone that left dead contacts behind on its reboots, until they expire; this
  way it is reachable, and a living phone that had to go comes back at its next refresh. One
  request with more Contacts than that gets 403.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sip.address import Flow
from sip.binding import (
    OUTBOUND,
    PATH,
    Binding,
    BindingChange,
    ChangeKind,
    ContactWish,
    RegisterWish,
    option_tags,
    read_register,
    same_contact,
)
from sip.devices import device_of, successor
from sip.errors import RemoteProtocolError
from sip.message import Request, parse_uri

__all__ = ["Binding", "BindingChange", "RegisterResult", "Registrar"]

DEFAULT_EXPIRES_S = 3600
"Where a phone says nothing or nonsense (:rfc:`3261#section-20.10`)."

LATE_S = 32.0
"64*T1: after this no retransmission of an older request is under way any more."

FRESH_START_CSEQ = 10
"A start may have lost a few requests and answered a few challenges before its first success."

MAX_LOST = 4096
"Devices without a connection of which we know the last one; the oldest go first."

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterResult:
    """The answer to a REGISTER, and what it changed."""

    code: int
    headers: Headers = ()
    changes: tuple[BindingChange, ...] = ()
    "To be stored in this order."
    reason: str | None = None
    "Reason phrase where the usual one says too little."
    moved: tuple[tuple[Flow, Flow], ...] = ()
    """Flows over which nothing is reached any more, and those to which their devices have moved:
    the calls of a device go with it."""


@dataclass(slots=True)
class _Draft:
    """The bindings of one address of record while a request is applied to them."""

    standing: list[Binding]
    touched: list[Binding]
    changes: list[BindingChange]
    moves: list[tuple[Binding, Binding]] = field(default_factory=list)
    "Bindings before and after, of the same device."

    def drop(self, binding: Binding, kind: ChangeKind) -> None:
        self.standing.remove(binding)
        self.changes.append(BindingChange(kind=kind, binding=binding))

    def put(self, binding: Binding, old: Binding | None) -> None:
        """Add `binding`, in the place of `old` where there is one."""
        if old is not None:
            self.moves.append((old, binding))
            self.standing.remove(old)
            if old in self.touched:
                self.touched.remove(old)
            if old.contact != binding.contact:
                self.changes.append(BindingChange(kind="replaced", binding=old))
        kind: ChangeKind = "added" if old is None else "refreshed"
        self.standing.append(binding)
        self.touched.append(binding)
        self.changes.append(BindingChange(kind=kind, binding=binding))


class Registrar:
    """Where each address of record can be reached at the moment."""

    def __init__(
        self,
        *,
        min_expires: int = 60,
        max_expires: int = 3600,
        max_contacts: int = 5,
        require_path_support: bool = False,
    ) -> None:
        self._min_expires = min_expires
        self._max_expires = max_expires
        self._max_contacts = max_contacts
        self._require_path_support = require_path_support
        self._bindings: dict[str, list[Binding]] = {}
        self._flows = Counter[Flow]()
        self._lost: dict[tuple[str, str], Flow] = {}
        "The last flow of devices whose connection has ended, by address of record and device."

    def __len__(self) -> int:
        return sum(len(bindings) for bindings in self._bindings.values())

    def process(self, request: Request, aor: str, flow: Flow, now: float) -> RegisterResult:
        """Apply a REGISTER and return its answer. Never raises on what a phone wrote."""
        expired = self._expire(aor, now)
        try:
            wish = read_register(request)
            if self._require_path_support and wish.path and PATH not in _supported(request):
                unsupported = ("Unsupported", PATH)
                return RegisterResult(code=420, headers=(unsupported,), changes=tuple(expired))
            draft = _Draft(list(self._bindings.get(aor, ())), [], [])
            refusal = self._apply(wish, draft, aor, flow, now)
        except RemoteProtocolError as error:
            refusal = RegisterResult(code=error.status, reason=error.reason)
        if refusal is not None:
            return RegisterResult(
                code=refusal.code,
                headers=refusal.headers,
                reason=refusal.reason,
                changes=tuple(expired),
            )
        self._keep(aor, draft.standing)
        return RegisterResult(
            code=200,
            headers=_report(wish, draft, now),
            changes=(*expired, *draft.changes),
            moved=tuple(self._moved(draft)),
        )

    def _moved(self, draft: _Draft) -> Iterator[tuple[Flow, Flow]]:
        """Tell from where the devices of a request have moved.

        Behind a proxy (Path) the flow is the proxy's, and others may be on it.
        """
        pairs = [(old.flow, new.flow) for old, new in draft.moves if old.path is None]
        for binding in draft.touched:
            lost = self._lost.pop(device_of(binding), None)
            if lost is not None:
                pairs.append((lost, binding.flow))
        for old, new in dict.fromkeys(pairs):
            if old != new and not self.has_flow(old):
                yield old, new

    def bindings(self, aor: str, now: float) -> tuple[Binding, ...]:
        """Return what can be called now: highest `q` first, then the one refreshed last.

        Of a device with several flows all are there; `first_flows` chooses.
        """
        alive = [each for each in self._bindings.get(aor, ()) if each.expires_at > now]
        alive.sort(key=lambda each: each.registered_at, reverse=True)
        alive.sort(key=lambda each: 1.0 if each.q is None else each.q, reverse=True)
        return tuple(alive)

    def flow_failed(self, binding: Binding) -> tuple[BindingChange, ...]:
        """Forget a binding whose flow is no more, as a proxy said (RFC 5626 section 5.3.1)."""
        standing = self._bindings.get(binding.aor, [])
        if binding not in standing:
            return ()
        self._keep(binding.aor, [each for each in standing if each != binding])
        return (BindingChange(kind="lost", binding=binding),)

    def expire(self, now: float) -> tuple[BindingChange, ...]:
        """Forget what has run out, and tell what it was."""
        return tuple(change for aor in list(self._bindings) for change in self._expire(aor, now))

    def restore(self, bindings: Iterable[Binding]) -> None:
        """Take up bindings from before a restart; `expires_at` is in the clock of `now`.

        A row whose Contact can't be read any more is left out: the phone will come again.
        """
        for binding in bindings:
            with contextlib.suppress(RemoteProtocolError):
                parse_uri(binding.contact)
                self._keep(binding.aor, [*self._bindings.get(binding.aor, ()), binding])

    def remove(self, aor: str) -> tuple[BindingChange, ...]:
        """Forget an address of record that no longer exists."""
        gone = self._bindings.get(aor, [])
        self._keep(aor, [])
        return tuple(BindingChange(kind="removed", binding=each) for each in gone)

    def flow_lost(self, flow: Flow) -> tuple[BindingChange, ...]:
        """Forget what was reached over a connection that has ended (RFC 5626 section 6).

        Nobody listens where it came from: the device is reachable when it registers again.
        """
        changes = []
        for aor, bindings in list(self._bindings.items()):
            gone = [each for each in bindings if each.flow == flow]
            if gone:
                self._keep(aor, [each for each in bindings if each.flow != flow])
                changes += [BindingChange(kind="lost", binding=each) for each in gone]
                for each in gone:
                    self._remember(each)
        return tuple(changes)

    def _remember(self, lost: Binding) -> None:
        if lost.path is not None:
            return
        if len(self._lost) >= MAX_LOST:
            del self._lost[next(iter(self._lost))]
        self._lost[device_of(lost)] = lost.flow

    def flows(self) -> set[Flow]:
        """Return the flows of all bindings."""
        return set(self._flows)

    def has_flow(self, flow: Flow) -> bool:
        """Tell whether something is reached over a flow."""
        return flow in self._flows

    def _keep(self, aor: str, bindings: list[Binding]) -> None:
        self._flows.update(each.flow for each in bindings)
        for binding in self._bindings.get(aor, ()):
            self._flows[binding.flow] -= 1
            if not self._flows[binding.flow]:
                del self._flows[binding.flow]
        if bindings:
            self._bindings[aor] = bindings
        else:
            self._bindings.pop(aor, None)

    def _expire(self, aor: str, now: float) -> list[BindingChange]:
        bindings = self._bindings.get(aor, [])
        gone = [each for each in bindings if each.expires_at <= now]
        if gone:
            self._keep(aor, [each for each in bindings if each.expires_at > now])
        return [BindingChange(kind="expired", binding=each) for each in gone]

    def _apply(
        self, wish: RegisterWish, draft: _Draft, aor: str, flow: Flow, now: float
    ) -> RegisterResult | None:
        """Change the draft; return the refusal where there is one."""
        if wish.everything:
            for binding in list(draft.standing):
                _check_order(binding, wish, now)
                draft.drop(binding, "removed")
            return None
        if len(wish.contacts) > self._max_contacts:
            return RegisterResult(code=403, reason="Too Many Contacts")
        for contact in wish.contacts:
            seconds = DEFAULT_EXPIRES_S if contact.expires is None else contact.expires
            old = _find(contact, draft.standing)
            if old is not None and old not in draft.touched:
                _check_order(old, wish, now)
            if seconds == 0:
                if old is not None:
                    draft.drop(old, "removed")
                continue
            if seconds < self._min_expires:
                minimum = ("Min-Expires", str(self._min_expires))
                return RegisterResult(code=423, headers=(minimum,))
            expires_at = now + min(seconds, self._max_expires)
            draft.put(_binding(contact, wish, aor, flow, now=now, expires_at=expires_at), old)
        self._make_room(draft)
        return None

    def _make_room(self, draft: _Draft) -> None:
        """Let go what the same devices left behind, then what is beyond the limit."""
        for binding in list(draft.standing):
            new = None if binding in draft.touched else successor(binding, draft.touched)
            if new is not None:
                draft.moves.append((binding, new))
                draft.drop(binding, "replaced")
        while len(draft.standing) > self._max_contacts:
            others = [each for each in draft.standing if each not in draft.touched]
            draft.drop(min(others, key=lambda each: each.registered_at), "displaced")


def _binding(
    contact: ContactWish,
    wish: RegisterWish,
    aor: str,
    flow: Flow,
    *,
    now: float,
    expires_at: float,
) -> Binding:
    return Binding(
        aor=aor,
        contact=str(contact.uri),
        flow=flow,
        expires_at=expires_at,
        call_id=wish.call_id,
        cseq=wish.cseq,
        from_tag=wish.from_tag,
        registered_at=now,
        instance=contact.instance,
        reg_id=contact.reg_id,
        path=wish.path,
        user_agent=wish.user_agent,
        q=contact.q,
    )


def _find(contact: ContactWish, standing: list[Binding]) -> Binding | None:
    """Return the binding that the Contact is about."""
    matches = (each for each in standing if same_contact(parse_uri(each.contact), contact.uri))
    return next(matches, None)


def _check_order(old: Binding, wish: RegisterWish, now: float) -> None:
    """Refuse a request that an older one overtook. See :rfc:`3261#section-10.3`, step 7."""
    if wish.call_id != old.call_id or wish.cseq > old.cseq:
        return
    starts_anew = wish.from_tag != old.from_tag and wish.cseq <= FRESH_START_CSEQ
    if not starts_anew and now - old.registered_at <= LATE_S:
        raise RemoteProtocolError(500, "CSeq Out Of Order")


def _supported(request: Request) -> frozenset[str]:
    return option_tags(request, "Supported") | option_tags(request, "Require")


def _report(wish: RegisterWish, draft: _Draft, now: float) -> Headers:
    """Return the headers of the 200: all bindings, the asking phone's own ones first.

    Cheap phones read only the first Contact, or the Expires header and no Contact at all.
    """
    others = [each for each in draft.standing if each not in draft.touched]
    headers = [each.header(now) for each in (*draft.touched, *others)]
    if len(draft.touched) == 1:
        headers.append(("Expires", str(round(draft.touched[0].expires_at - now))))
    if wish.path is not None:
        headers.append(("Path", wish.path))
    if wish.outbound:
        headers.append(("Require", OUTBOUND))
    return tuple(headers)
