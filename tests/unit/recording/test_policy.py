"""The rules, row by row and in all combinations."""

from itertools import product

import pytest

from recording.outcome import Outcome
from recording.permit import Basis
from recording.policy import (
    RULES,
    Decision,
    Direction,
    Mode,
    OnKey,
    OwnParty,
    Situation,
    Start,
    Wish,
    carried_on,
    decide,
)
from recording.reasons import ReasonKey, render

INTERNAL, INCOMING, OUTGOING = Direction.INTERNAL, Direction.INCOMING, Direction.OUTGOING
MODES = {"off": Mode.OFF, "manual": Mode.MANUAL, "auto": Mode.AUTOMATIC, "never": Mode.NEVER}


def ext(number: str, mode: str, **settings: bool) -> OwnParty:
    settings.setdefault("opted_in", True)
    return OwnParty(number=number, mode=MODES[mode], **settings)  # type: ignore[arg-type]  # flags


def internal(caller: OwnParty, callee: OwnParty) -> Decision:
    return decide(INTERNAL, (caller, callee))


@pytest.mark.parametrize(
    ("caller", "callee", "start", "outcome", "why"),
    [
        ("off", "off", Start.NOT, Outcome.NOT_WANTED, ReasonKey.MODE_OFF),
        ("off", "manual", Start.NOT, Outcome.NOT_WANTED, ReasonKey.NOT_STARTED),
        ("off", "auto", Start.NOW, None, ReasonKey.RECORDED),
        ("off", "never", Start.NOT, Outcome.NOT_WANTED, ReasonKey.MODE_OFF),
        ("manual", "manual", Start.NOT, Outcome.NOT_WANTED, ReasonKey.NOT_STARTED),
        ("manual", "auto", Start.NOW, None, ReasonKey.RECORDED),
        ("manual", "never", Start.NOT, Outcome.NOT_WANTED, ReasonKey.NEVER),
        ("auto", "auto", Start.NOW, None, ReasonKey.RECORDED),
        ("auto", "never", Start.NOT, Outcome.BLOCKED, ReasonKey.NEVER),
        ("never", "never", Start.NOT, Outcome.NOT_WANTED, ReasonKey.MODE_OFF),
    ],
)
def test_internal_modes(
    caller: str, callee: str, start: Start, outcome: Outcome | None, why: ReasonKey
) -> None:
    for one, other in ((caller, callee), (callee, caller)):
        decision = internal(ext("101", one), ext("102", other))
        assert (decision.start, decision.outcome) == (start, outcome)
        assert decision.reason.key is why
        assert decision.outside_basis is decision.key_basis is None


@pytest.mark.parametrize("lacking", [0, 1])
def test_an_internal_call_needs_both_opt_ins(lacking: int) -> None:
    parties = [
        ext("101", "auto", opted_in=lacking != 0),
        ext("102", "off", opted_in=lacking != 1),
    ]
    decision = decide(INTERNAL, parties)
    assert decision.start is Start.NOT
    assert decision.outcome is Outcome.BLOCKED
    assert decision.may_start == frozenset()
    assert render(decision.reason, "en") == (
        f"Extension {101 + lacking} has not agreed to being recorded."
    )


def test_manual_without_opt_in_is_refused_at_the_key_only() -> None:
    decision = internal(ext("101", "manual"), ext("102", "off", opted_in=False))
    assert decision.outcome is Outcome.NOT_WANTED
    assert (decision.on_key, decision.may_start) == (OnKey.REFUSE, frozenset())


def test_who_may_start_and_stop() -> None:
    decision = internal(ext("101", "manual"), ext("102", "off"))
    assert decision.may_start == decision.may_stop == {"101"}
    decision = internal(ext("101", "auto"), ext("102", "manual"))
    assert decision.may_start == decision.may_stop == {"101", "102"}
    decision = internal(ext("101", "auto", may_stop=False), ext("102", "manual"))
    assert decision.may_start == {"102"}
    assert not decision.may_stop


@pytest.mark.parametrize(
    ("direction", "covered", "start"),
    [
        (INCOMING, {INCOMING}, Start.AFTER_CONSENT),
        (OUTGOING, {INCOMING}, Start.NOT),
        (OUTGOING, {INCOMING, OUTGOING}, Start.AFTER_CONSENT),
        (INCOMING, {INTERNAL}, Start.NOT),
    ],
)
def test_automatic_covers_its_directions(
    direction: Direction, covered: set[Direction], start: Start
) -> None:
    party = OwnParty(
        number="101", mode=Mode.AUTOMATIC, opted_in=True, directions=frozenset(covered)
    )
    decision = decide(direction, [party])
    assert decision.start is start
    if start is Start.NOT:
        assert decision.reason.key is ReasonKey.OTHER_DIRECTION
        assert decision.outcome is Outcome.NOT_WANTED


@pytest.mark.parametrize("direction", [INCOMING, OUTGOING])
@pytest.mark.parametrize(
    ("mode", "flags", "keys", "start", "on_key", "basis", "key_basis", "why"),
    [
        ("auto", {}, True, "after_consent", "ask", "consent", "consent", "recorded"),
        ("auto", {}, False, "not", "refuse", None, None, "no_key"),
        ("auto", {"attested"}, True, "after_consent", "start", "consent", "attested", "recorded"),
        ("auto", {"attested"}, False, "not", "start", None, "attested", "no_key"),
        (
            "auto", {"legal_duty"}, True,
            "after_notice", "start", "legal_duty", "legal_duty", "recorded_legal_duty",
        ),
        (
            "auto", {"legal_duty"}, False,
            "after_notice", "start", "legal_duty", "legal_duty", "recorded_legal_duty",
        ),
        ("manual", {}, True, "not", "ask", None, "consent", "not_started"),
        ("manual", {}, False, "not", "refuse", None, None, "no_key"),
        ("manual", {"attested"}, True, "not", "start", None, "attested", "not_started"),
        ("manual", {"attested"}, False, "not", "start", None, "attested", "not_started"),
        ("off", {}, True, "not", "refuse", None, None, "mode_off"),
        ("never", {}, True, "not", "refuse", None, None, "mode_off"),
    ],
)  # fmt: skip
def test_with_an_outside_party(  # noqa: PLR0917 - columns of the table
    direction: Direction,
    mode: str,
    flags: set[str],
    keys: bool,  # noqa: FBT001 - a column of the table
    start: str,
    on_key: str,
    basis: str | None,
    key_basis: str | None,
    why: str,
) -> None:
    party = ext("101", mode, **dict.fromkeys(flags, True))
    decision = decide(direction, [party], outside_has_keys=keys)
    assert (decision.start, decision.on_key) == (start, on_key)
    assert (decision.outside_basis, decision.key_basis) == (basis, key_basis)
    assert decision.reason.key == why


def test_a_line_without_keys_blocks_what_was_automatic() -> None:
    decision = decide(INCOMING, [ext("101", "auto")], outside_has_keys=False)
    assert decision.outcome is Outcome.BLOCKED


ALL = [
    OwnParty(number="101", mode=mode, opted_in=opted_in, attested=attested, legal_duty=duty)
    for mode in Mode
    for opted_in, attested, duty in product((False, True), repeat=3)
]


def every_call() -> list[tuple[Direction, tuple[OwnParty, ...]]]:
    calls: list[tuple[Direction, tuple[OwnParty, ...]]] = []
    calls += [(INTERNAL, pair) for pair in product(ALL, ALL)]
    calls += [(direction, (one,)) for direction in (INCOMING, OUTGOING) for one in ALL]
    return calls


@pytest.mark.parametrize("keys", [False, True])
def test_nothing_starts_against_a_hard_no_in_any_combination(
    keys: bool,  # noqa: FBT001 - parametrized
) -> None:
    for direction, own in every_call():
        emergency = decide(direction, own, emergency=True, outside_has_keys=keys)
        assert emergency.start is Start.NOT
        assert emergency.on_key is OnKey.REFUSE
        fax = decide(direction, own, fax=True, outside_has_keys=keys)
        assert (fax.start, fax.on_key) == (Start.NOT, OnKey.REFUSE)
        decision = decide(direction, own, outside_has_keys=keys)
        if any(p.mode is Mode.NEVER or not p.opted_in for p in own):
            assert (decision.start, decision.on_key) == (Start.NOT, OnKey.REFUSE)
        wanted = any(p.mode in {Mode.AUTOMATIC, Mode.MANUAL} for p in own)
        assert wanted or decision.on_key is OnKey.REFUSE
        assert (decision.outcome is None) == (decision.start is not Start.NOT)
        if direction is not INTERNAL and decision.start is not Start.NOT:
            assert decision.outside_basis in {Basis.CONSENT, Basis.LEGAL_DUTY}
        if decision.outcome is not None:
            assert "?" not in render(decision.reason, "de"), "nothing is left open"


def test_every_situation_is_decided_and_every_rule_is_of_use() -> None:
    used = set()
    for wish, flags in product(Wish, product((False, True), repeat=8)):
        emergency, fax, never, opted_in, outside, key, attested, duty = flags
        situation = Situation(
            wish=wish,
            emergency=emergency,
            fax=fax,
            never=never,
            opted_in=opted_in,
            outside=outside,
            key=key,
            attested=attested,
            legal_duty=duty,
        )
        used.add(next(rule for rule in RULES if rule.fits(situation)))
    assert used == set(RULES)


def test_an_emergency_says_so() -> None:
    decision = decide(OUTGOING, [ext("101", "auto")], emergency=True)
    assert decision.outcome is Outcome.BLOCKED
    assert render(decision.reason, "de") == "Notrufe werden nie aufgezeichnet."


def test_a_fax_says_so() -> None:
    decision = decide(INCOMING, [ext("101", "auto")], fax=True)
    assert decision.outcome is Outcome.BLOCKED
    assert render(decision.reason, "de") == "Ein Fax wird nie aufgezeichnet."


# --- a recording that goes on after a transfer

OPTED_OUT = OwnParty(number="7", mode=Mode.OFF)
OPTED_IN = OwnParty(number="8", mode=Mode.OFF, opted_in=True)
HARD_NO = OwnParty(number="9", mode=Mode.NEVER)


def going_on(
    *own: OwnParty, agreed: bool = False, keys: bool = True, emergency: bool = False
) -> Decision:
    direction = Direction.INTERNAL if len(own) == 2 else Direction.INCOMING
    usual = decide(direction, own, emergency=emergency, outside_has_keys=keys)
    return carried_on(
        usual, own, excluded=emergency, outside_agreed=agreed, outside_can_be_asked=keys
    )


@pytest.mark.parametrize(
    ("own", "agreed", "keys", "start"),
    [
        ((OPTED_IN, OPTED_OUT), False, True, Start.NOW),
        ((OPTED_OUT, OPTED_OUT), False, True, Start.NOT),
        ((OPTED_IN,), True, True, Start.NOW),
        ((OPTED_OUT,), True, True, Start.NOW),
        ((OPTED_IN,), False, True, Start.AFTER_CONSENT),
        ((OPTED_IN,), False, False, Start.NOW),
        ((OPTED_OUT,), False, False, Start.NOT),
        ((), True, True, Start.NOT),
    ],
)
def test_a_recording_goes_on_with_whoever_may_be_heard(
    own: tuple[OwnParty, ...], *, agreed: bool, keys: bool, start: Start
) -> None:
    decision = going_on(*own, agreed=agreed, keys=keys)

    assert decision.start is start
    assert (decision.outcome is None) == (start is not Start.NOT)


@pytest.mark.parametrize("own", [(HARD_NO,), (OPTED_IN, HARD_NO), (HARD_NO, OPTED_OUT)])
def test_never_ends_a_recording_that_runs(own: tuple[OwnParty, ...]) -> None:
    decision = going_on(*own, agreed=True)

    assert decision.start is Start.NOT
    assert (decision.outcome, decision.reason.key) == (Outcome.BLOCKED, ReasonKey.NEVER)


@pytest.mark.parametrize("mode", [Mode.AUTOMATIC, Mode.OFF])
def test_no_recording_goes_on_into_an_emergency(mode: Mode) -> None:
    party = OwnParty(number="1", mode=mode, opted_in=True)

    assert going_on(party, agreed=True, emergency=True).start is Start.NOT


def test_whoever_talks_then_may_stop_it() -> None:
    assert going_on(OPTED_IN, agreed=True).may_stop == {"8"}
