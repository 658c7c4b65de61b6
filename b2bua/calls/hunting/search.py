"""Whom to ring next. Decides only; `hunt.py` rings.

A search begins with what the dial plan says. Each step is one or several parties who are rung
at the same time; where a step came to nothing, the search says which one follows: where the
extension has its calls forwarded, the next member of a group, or nobody.

A forwarded call goes where the extension that forwards it could have dialled, so nobody gets
outside through it who could not before. No number is tried twice, so no forwarding runs in a
circle: where nobody could be rung at all for that, the caller is told 482, else what the last
one who was rung has said.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from b2bua.calls.call_over import Unanswered, busy, circle, likeliest, no_answer
from b2bua.calls.exchange import Exchange
from b2bua.calls.hunting.diversion import Diversion, When
from b2bua.calls.party import Party
from b2bua.directory import Extension
from b2bua.routing import DialPlan, Reachable, ToExtension, ToGroup, ToTrunk
from recording.reasons import ReasonKey

MAX_DIVERSIONS = 8
"More hops than any house means; each of them may ring for a while."


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One party who is rung."""

    party: Party
    destination: ToExtension | ToTrunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Those who are rung at the same time."""

    stations: tuple[Station, ...]
    patience_s: float
    "How long they may let it ring."
    final: bool
    "Nobody is rung after them."
    diversions: tuple[Diversion, ...]
    "Who has sent the call on, oldest first."


class Search:
    """The way of one call through the house, until somebody answers."""

    def __init__(
        self,
        plan: DialPlan,
        exchange: Exchange,
        destination: Reachable,
        *,
        patience_s: float,
        caller: Party | None = None,
        diverted_by: Collection[str] = (),
    ) -> None:
        """Begin at `destination`.

        `caller`: to whom nobody forwards its own call. `diverted_by`: numbers that have sent this
        call on before it came back to us.
        """
        self._plan = plan
        self._exchange = exchange
        self._destination = destination
        self._patience_s = patience_s
        self._tried: set[str] = set()
        if caller is not None and caller.extension is not None:
            self._tried.add(caller.number)
        self._diverted_by = frozenset(diverted_by)
        self._diversions: list[Diversion] = []
        self._at: Extension | _Group | None = None
        "Who decides what follows when the step that runs comes to nothing."
        self._last: Unanswered | None = None
        "What the last one who could be rung has said."

    def first(self) -> Step:
        """Return who is rung first; raises `CallOver` where there is nobody."""
        return self._enter(self._destination)

    def after(self, over: Unanswered) -> Step:
        """Return who is rung after a step that ended so; raises `CallOver` where nobody is."""
        at = self._at
        if isinstance(at, _Group):
            at.refusals.append(over)
            return self._next_member(at)
        if at is None:
            raise over
        if over.redirect:
            return self._send_on(at, over.redirect, When.REDIRECTED, over)
        return self._send_on(at, *_case(at, over), over)

    # --- where a number leads

    def _enter(self, destination: Reachable) -> Step:
        self._tried.add(_name(destination))
        self._at = None
        match destination:
            case ToTrunk():
                party = Party(number=destination.number, trunk=destination.trunk)
                return self._step(
                    Station(party=party, destination=destination), patience_s=self._patience_s
                )
            case ToExtension():
                return self._ring_extension(destination.extension)
            case ToGroup():
                return self._next_member(_Group(destination, iter(destination.members), []))

    def _ring_extension(self, extension: Extension) -> Step:
        number, forwards = extension.number, extension.forwards
        if forwards.always:
            return self._send_on(extension, forwards.always, When.ALWAYS, None)
        if self._exchange.is_full(number):
            return self._send_on(extension, forwards.busy, When.BUSY, busy(number))
        if not self._exchange.is_registered(number):
            over = no_answer(ReasonKey.UNREACHABLE, number)
            return self._send_on(extension, forwards.offline, When.OFFLINE, over)
        self._at = extension
        patience_s = forwards.after_s if forwards.no_answer else self._patience_s
        may_go_on = forwards.busy or forwards.no_answer or forwards.offline
        return self._step(_own(extension), patience_s=patience_s, final=not may_go_on)

    def _step(self, *stations: Station, patience_s: float, final: bool = True) -> Step:
        self._tried.update(_name(station.destination) for station in stations)
        return Step(
            stations=stations,
            patience_s=patience_s,
            final=final,
            diversions=tuple(self._diversions),
        )

    # --- forwarding

    def _send_on(
        self, extension: Extension, target: str, when: When, over: Unanswered | None
    ) -> Step:
        """Go where an extension sends the call; raises `over` where that is nowhere."""
        number = extension.number
        self._last = over or self._last
        if not target:
            raise self._last or circle(number)
        destination = self._plan.forwarded(target, extension)
        if destination is None:
            raise self._last or no_answer(ReasonKey.UNREACHABLE, target)
        if (
            _name(destination) in self._tried
            or number in self._diverted_by
            or len(self._diversions) == MAX_DIVERSIONS
        ):
            raise self._last or circle(number)
        self._diversions.append(Diversion(number, when))
        return self._enter(destination)

    # --- groups

    def _next_member(self, group: "_Group") -> Step:
        """Ring all members at once, or the next one; then whoever comes after the group."""
        self._at = group
        free = (_own(member) for member in group.members if self._is_free(member, group))
        if not group.wanted.in_turn:
            together = tuple(free)
            if together:
                final = not group.wanted.otherwise
                return self._step(*together, patience_s=self._patience_s, final=final)
        elif (member := next(free, None)) is not None:
            return self._step(member, patience_s=group.wanted.turn_s, final=False)
        over = self._last = group.over
        self._at = None
        following = self._plan.own(group.wanted.otherwise) if group.wanted.otherwise else None
        if following is None or _name(following) in self._tried:
            raise over
        return self._enter(following)

    def _is_free(self, member: Extension, group: "_Group") -> bool:
        """Tell whether a member is rung: who forwards all calls is not there."""
        number, exchange = member.number, self._exchange
        if exchange.is_busy(number) or exchange.is_full(number):
            group.refusals.append(busy(group.wanted.number))
            return False
        there = exchange.is_registered(number) and not member.forwards.always
        return there and _name(ToExtension(member)) not in self._tried


@dataclass(slots=True)
class _Group:
    """A group whose members are being rung."""

    wanted: ToGroup
    members: Iterator[Extension]
    "Those whose turn has not come yet."

    refusals: "list[Unanswered]"

    @property
    def over(self) -> Unanswered:
        """What the caller is told when all of them have refused."""
        if not self.refusals:
            return no_answer(ReasonKey.UNREACHABLE, self.wanted.number)
        return likeliest(self.refusals)


def _case(extension: Extension, over: Unanswered) -> tuple[str, When]:
    """Return where an extension's calls go that end so, and how that is called."""
    forwards = extension.forwards
    if over.disposition == "BUSY":
        return forwards.busy, When.BUSY
    key = over.why.key if over.why is not None else None
    if key is ReasonKey.NOT_ANSWERED:
        return forwards.no_answer, When.NO_ANSWER
    return (forwards.offline if key is ReasonKey.UNREACHABLE else ""), When.OFFLINE


def _own(extension: Extension) -> Station:
    return Station(party=Party.own(extension), destination=ToExtension(extension))


def _name(destination: Reachable) -> str:
    """Return what a number is remembered by."""
    match destination:
        case ToTrunk():
            return f"{destination.trunk.name}/{destination.number}"
        case ToExtension():
            return destination.extension.number
        case ToGroup():
            return destination.number
