"""Whether a call may be recorded, by whom it is started, and who has to be asked first.

One pure function over plain facts. The rules are a table, `RULES`, read from top to bottom;
the first row that fits decides. Two principles stand behind the rows:

- Both sides count. An own extension needs its stored opt-in, the outside party agrees in
  the call. `never` of either own side wins over everything, and so does an emergency.
- Fail closed: what no row allows is not recorded. (A test goes through all combinations.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from recording.outcome import Outcome
from recording.permit import Basis
from recording.reasons import Reason, ReasonKey, because


class Mode(StrEnum):
    """Recording mode of an extension."""

    OFF = "off"
    MANUAL = "manual"
    AUTOMATIC = "automatic"
    NEVER = "never"


class Direction(StrEnum):
    """Of a call, seen from this house."""

    INTERNAL = "internal"
    INCOMING = "incoming"
    OUTGOING = "outgoing"


ALL_DIRECTIONS = frozenset(Direction)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnParty:
    """One of our extensions, with its settings."""

    number: str
    mode: Mode
    opted_in: bool = False
    "Its user agreed to being recorded (stored with date and actor)."

    directions: frozenset[Direction] = ALL_DIRECTIONS
    "Which calls mode `automatic` covers."

    may_stop: bool = True
    "In mode `automatic`: its user may stop the recording and start it again."

    attested: bool = False
    """Manual consent `attested` instead of `ask`: the user asks in words, his key press is
    the evidence."""

    legal_duty: bool = False
    "The outside party is informed, not asked."


class Start(StrEnum):
    """How a recording begins without anybody's key."""

    NOT = "not"
    NOW = "now"
    "When the parties are joined."

    AFTER_CONSENT = "after_consent"
    "When the outside party has agreed by key."

    AFTER_NOTICE = "after_notice"
    "When the outside party has been informed (legal duty)."


class OnKey(StrEnum):
    """What the record key (`*1`, INFO, page) of a party in `may_start` does."""

    REFUSE = "refuse"
    START = "start"
    "At once: opt-ins or an attested consent carry it."

    ASK = "ask"
    "The outside party is asked; where it agreed earlier in the call, at once."


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the call may do about recording."""

    start: Start
    on_key: OnKey
    outside_basis: Basis | None
    "For the outside party's permit at the automatic start; None where there is none."

    key_basis: Basis | None
    "The same for a start by key."

    may_start: frozenset[str]
    "Numbers of the extensions whose record key starts."

    may_stop: frozenset[str]
    "Numbers of the extensions whose record key stops. Consent can always be withdrawn."

    outcome: Outcome | None
    "Of the call, if nobody does anything; None where a recording begins by itself."

    reason: Reason
    "The sentence for that outcome, and for a key that is refused."


class Wish(StrEnum):
    """The strongest wish of our side for this call."""

    NONE = "none"
    BY_KEY = "by_key"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the rules look at."""

    wish: Wish
    emergency: bool
    fax: bool
    never: bool
    "Of any own party."

    opted_in: bool
    "All own parties."

    outside: bool
    "One party is not ours."

    key: bool
    "The outside party can press a key that we hear."

    attested: bool
    legal_duty: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: what follows, and the conditions for it (None: any)."""

    start: Start
    on_key: OnKey
    why: ReasonKey
    wish: Wish | None = None
    emergency: bool | None = None
    fax: bool | None = None
    never: bool | None = None
    opted_in: bool | None = None
    outside: bool | None = None
    key: bool | None = None
    attested: bool | None = None
    legal_duty: bool | None = None

    def fits(self, situation: Situation) -> bool:
        """Tell whether every condition of the row holds."""
        return all(
            condition is None or condition == fact
            for condition, fact in (
                (self.wish, situation.wish),
                (self.emergency, situation.emergency),
                (self.fax, situation.fax),
                (self.never, situation.never),
                (self.opted_in, situation.opted_in),
                (self.outside, situation.outside),
                (self.key, situation.key),
                (self.attested, situation.attested),
                (self.legal_duty, situation.legal_duty),
            )
        )


_NOT, _REFUSE = Start.NOT, OnKey.REFUSE
_AUTO, _BY_KEY = Wish.AUTOMATIC, Wish.BY_KEY
_CONSENT, _NOTICE = Start.AFTER_CONSENT, Start.AFTER_NOTICE
_DUTY = ReasonKey.RECORDED_LEGAL_DUTY

RULES: tuple[Rule, ...] = (
    Rule(_NOT, _REFUSE, ReasonKey.MODE_OFF, wish=Wish.NONE),
    Rule(_NOT, _REFUSE, ReasonKey.EMERGENCY, emergency=True),
    Rule(_NOT, _REFUSE, ReasonKey.FAX, fax=True),
    Rule(_NOT, _REFUSE, ReasonKey.NEVER, never=True),
    Rule(_NOT, _REFUSE, ReasonKey.NO_OPT_IN, opted_in=False),
    # Internal: the opt-ins carry it.
    Rule(Start.NOW, OnKey.START, ReasonKey.RECORDED, wish=_AUTO, outside=False),
    Rule(_NOT, OnKey.START, ReasonKey.NOT_STARTED, wish=_BY_KEY, outside=False),
    # With an outside party, to be recorded from the beginning.
    Rule(_NOTICE, OnKey.START, _DUTY, wish=_AUTO, outside=True, legal_duty=True),
    Rule(_CONSENT, OnKey.START, ReasonKey.RECORDED, wish=_AUTO, key=True, attested=True),
    Rule(_CONSENT, OnKey.ASK, ReasonKey.RECORDED, wish=_AUTO, key=True),
    Rule(_NOT, OnKey.START, ReasonKey.NO_KEY, wish=_AUTO, attested=True),
    # With an outside party, when our side presses its record key.
    Rule(_NOT, OnKey.START, ReasonKey.NOT_STARTED, wish=_BY_KEY, attested=True),
    Rule(_NOT, OnKey.ASK, ReasonKey.NOT_STARTED, wish=_BY_KEY, key=True),
    # Nobody to ask.
    Rule(_NOT, _REFUSE, ReasonKey.NO_KEY),
)


def decide(
    direction: Direction,
    own: Sequence[OwnParty],
    *,
    emergency: bool = False,
    fax: bool = False,
    outside_has_keys: bool = True,
) -> Decision:
    """Decide about one call between the `own` parties (two), or one of them and an outsider.

    Without any, as where a call from outside is forwarded outside, nothing is recorded. `own`
    holds the caller before the callee. A transfer decides anew for whoever remains.
    """
    return _decide(direction, tuple(own), emergency, fax, outside_has_keys)


@lru_cache(maxsize=1024)
def _decide(
    direction: Direction,
    own: tuple[OwnParty, ...],
    emergency: bool,  # noqa: FBT001 - of one caller, for the cache's sake
    fax: bool,  # noqa: FBT001 - the same
    outside_has_keys: bool,  # noqa: FBT001 - the same
) -> Decision:
    """Decide. The same few extensions call each other again and again."""
    situation = _situation(direction, own, emergency=emergency, fax=fax, key=outside_has_keys)
    rule = next(rule for rule in RULES if rule.fits(situation))
    starting = rule.start is not Start.NOT
    may_use_key = frozenset(party.number for party in own if _may_use_key(party, direction))
    locked = any(_automatic(party, direction) and not party.may_stop for party in own)
    return Decision(
        start=rule.start,
        on_key=rule.on_key,
        outside_basis=_START_BASIS[rule.start],
        key_basis=_key_basis(rule, situation),
        may_start=frozenset() if rule.on_key is OnKey.REFUSE else may_use_key,
        may_stop=frozenset() if locked else may_use_key,
        outcome=None if starting else _idle_outcome(rule, situation),
        reason=_reason(rule.why, direction, own),
    )


def carried_on(
    decision: Decision,
    own: Sequence[OwnParty],
    *,
    excluded: bool,
    outside_agreed: bool,
    outside_can_be_asked: bool,
) -> Decision:
    """Return what follows for a call that was being recorded until it was transferred.

    A recording belongs to the call and not to a telephone: it goes on between those who talk
    now, unless one of them is `never` or none of them is ours. Whoever has not agreed is silence
    in it; an outside party who can be asked is asked. `excluded`: an emergency or a fax.
    """
    if decision.start is not Start.NOT or excluded or not own:
        return decision
    never = next((party.number for party in own if party.mode is Mode.NEVER), None)
    if never is not None:
        why = because(ReasonKey.NEVER, number=never)
        return replace(decision, outcome=Outcome.BLOCKED, reason=why)
    outside = len(own) == 1
    asks = outside and not outside_agreed and outside_can_be_asked
    if not (asks or outside_agreed or any(party.opted_in for party in own)):
        return decision  # it would be nothing but silence
    return replace(
        decision,
        start=Start.AFTER_CONSENT if asks else Start.NOW,
        outside_basis=Basis.CONSENT if asks else None,
        may_stop=decision.may_stop or frozenset(party.number for party in own),
        outcome=None,
        reason=because(ReasonKey.RECORDED),
    )


_START_BASIS: dict[Start, Basis | None] = {
    Start.NOT: None,
    Start.NOW: None,
    Start.AFTER_CONSENT: Basis.CONSENT,
    Start.AFTER_NOTICE: Basis.LEGAL_DUTY,
}


def _situation(
    direction: Direction, own: Sequence[OwnParty], *, emergency: bool, fax: bool, key: bool
) -> Situation:
    automatic = [party for party in own if _automatic(party, direction)]
    by_key = [party for party in own if party.mode is Mode.MANUAL]
    wish = Wish.AUTOMATIC if automatic else Wish.BY_KEY if by_key else Wish.NONE
    wishing = automatic or by_key
    return Situation(
        wish=wish,
        emergency=emergency,
        fax=fax,
        never=any(party.mode is Mode.NEVER for party in own),
        opted_in=all(party.opted_in for party in own),
        outside=direction is not Direction.INTERNAL,
        key=key,
        attested=any(party.attested for party in wishing),
        legal_duty=any(party.legal_duty for party in wishing),
    )


def _automatic(party: OwnParty, direction: Direction) -> bool:
    return party.mode is Mode.AUTOMATIC and direction in party.directions


def _may_use_key(party: OwnParty, direction: Direction) -> bool:
    if party.mode is Mode.MANUAL:
        return True
    return _automatic(party, direction) and party.may_stop


def _key_basis(rule: Rule, situation: Situation) -> Basis | None:
    """Return what an outside party's permit rests on when a key starts the recording."""
    if not situation.outside or rule.on_key is OnKey.REFUSE:
        return None
    if rule.start is Start.AFTER_NOTICE:
        return Basis.LEGAL_DUTY
    return Basis.CONSENT if rule.on_key is OnKey.ASK else Basis.ATTESTED


def _idle_outcome(rule: Rule, situation: Situation) -> Outcome:
    """Return `blocked` where a recording would have begun by itself but for the obstacle.

    Where it would have needed a key, the obstacle only counts once the key was pressed.
    """
    if situation.wish is Wish.AUTOMATIC and rule.start is Start.NOT:
        return Outcome.BLOCKED
    return Outcome.NOT_WANTED


def _reason(why: ReasonKey, direction: Direction, own: Sequence[OwnParty]) -> Reason:
    """Put the parties' numbers into the reason."""
    if why is ReasonKey.MODE_OFF:
        if not own:
            return because(ReasonKey.NO_OWN_PARTY)
        elsewhere = [party.number for party in own if party.mode is Mode.AUTOMATIC]
        if elsewhere:
            return because(ReasonKey.OTHER_DIRECTION, number=elsewhere[0])
        return because(why, numbers=", ".join(party.number for party in own))
    culprits = {
        ReasonKey.NEVER: lambda party: party.mode is Mode.NEVER,
        ReasonKey.NO_OPT_IN: lambda party: not party.opted_in,
        ReasonKey.NOT_STARTED: lambda party: _may_use_key(party, direction),
    }
    if why in culprits:
        return because(why, number=next(party.number for party in own if culprits[why](party)))
    return because(why)
