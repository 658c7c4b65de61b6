"""The record key's table: each press in each state, by those who may and those who may not."""

from dataclasses import replace
from itertools import product

import pytest

from recording.controller import (
    TABLE,
    Action,
    Press,
    RecordingController,
    State,
    Wish,
)
from recording.permit import Basis
from recording.policy import Decision, OnKey, Start
from recording.reasons import ReasonKey, because

ASK = Decision(
    start=Start.NOT,
    on_key=OnKey.ASK,
    outside_basis=None,
    key_basis=Basis.CONSENT,
    may_start=frozenset({"101"}),
    may_stop=frozenset({"101"}),
    outcome=None,
    reason=because(ReasonKey.NOT_STARTED, number="101"),
)
START = replace(ASK, on_key=OnKey.START)
REFUSE = replace(ASK, on_key=OnKey.REFUSE, may_start=frozenset(), may_stop=frozenset())
LOCKED = replace(START, may_stop=frozenset())


def in_state(state: State, decision: Decision = ASK) -> RecordingController:
    controller = RecordingController(decision)
    controller.state = state
    return controller


def press(
    controller: RecordingController,
    wish: Wish = Wish.TOGGLE,
    *,
    number: str = "101",
    held: bool = False,
) -> Action:
    return controller.press(Press(number=number, wish=wish, held=held))


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(product(State, Wish))


@pytest.mark.parametrize(
    ("state", "wish", "action", "after"),
    [
        (State.IDLE, Wish.TOGGLE, Action.ASK, State.ASKING),
        (State.IDLE, Wish.ON, Action.ASK, State.ASKING),
        (State.IDLE, Wish.OFF, Action.CONFIRM_OFF, State.IDLE),
        (State.WAITING, Wish.TOGGLE, Action.CONFIRM_OFF, State.IDLE),
        (State.WAITING, Wish.ON, Action.POSTPONE, State.WAITING),
        (State.WAITING, Wish.OFF, Action.CONFIRM_OFF, State.IDLE),
        (State.ASKING, Wish.TOGGLE, Action.CANCEL, State.IDLE),
        (State.ASKING, Wish.ON, Action.NOTHING, State.ASKING),
        (State.ASKING, Wish.OFF, Action.CANCEL, State.IDLE),
        (State.RECORDING, Wish.TOGGLE, Action.STOP, State.IDLE),
        (State.RECORDING, Wish.ON, Action.CONFIRM_ON, State.RECORDING),
        (State.RECORDING, Wish.OFF, Action.STOP, State.IDLE),
    ],
)
def test_a_press_of_whoever_may(state: State, wish: Wish, action: Action, after: State) -> None:
    controller = in_state(state)
    assert press(controller, wish) is action
    assert controller.state is after


@pytest.mark.parametrize(("state", "wish"), list(product(State, Wish)))
@pytest.mark.parametrize("held", [False, True])
def test_whoever_may_not_changes_nothing(state: State, wish: Wish, *, held: bool) -> None:
    for controller, number in ((in_state(state), "102"), (in_state(state, REFUSE), "101")):
        assert press(controller, wish, number=number, held=held) is Action.REFUSE
        assert controller.state is state


@pytest.mark.parametrize("wish", [Wish.TOGGLE, Wish.ON])
@pytest.mark.parametrize("held", [False, True])
def test_what_opt_ins_or_attestation_carry_starts_at_once(wish: Wish, *, held: bool) -> None:
    controller = in_state(State.IDLE, START)
    assert press(controller, wish, held=held) is Action.START
    assert controller.state is State.RECORDING


@pytest.mark.parametrize("held", [False, True])
def test_an_earlier_yes_carries_a_later_start(*, held: bool) -> None:
    controller = in_state(State.IDLE)
    controller.consented = True
    assert press(controller, held=held) is Action.START


def test_who_may_start_may_not_always_stop() -> None:
    controller = in_state(State.RECORDING, LOCKED)
    assert press(controller) is Action.REFUSE
    assert press(controller, Wish.OFF) is Action.REFUSE
    assert press(controller, Wish.ON) is Action.CONFIRM_ON
    assert controller.state is State.RECORDING


@pytest.mark.parametrize("wish", [Wish.TOGGLE, Wish.ON])
def test_on_hold_the_question_waits(wish: Wish) -> None:
    controller = in_state(State.IDLE)
    assert press(controller, wish, held=True) is Action.POSTPONE
    assert controller.state is State.WAITING
    assert controller.resumed() is Action.ASK
    assert press(controller, Wish.ON) is Action.NOTHING, "the question is under way"


@pytest.mark.parametrize("state", [State.IDLE, State.ASKING, State.RECORDING])
def test_the_end_of_a_hold_means_nothing_else(state: State) -> None:
    controller = in_state(state)
    assert controller.resumed() is Action.NOTHING
    assert controller.state is state


def test_a_yes_starts_and_is_remembered() -> None:
    controller = in_state(State.ASKING)
    assert controller.answered(granted=True) is Action.START
    assert (controller.state, controller.consented) == (State.RECORDING, True)
    assert press(controller) is Action.STOP
    assert press(controller) is Action.START, "not asked twice"


def test_a_no_leaves_it_off_and_may_be_asked_again() -> None:
    controller = in_state(State.ASKING)
    assert controller.answered(granted=False) is Action.NOTHING
    assert (controller.state, controller.consented) == (State.IDLE, False)
    assert press(controller) is Action.ASK


@pytest.mark.parametrize("state", [State.IDLE, State.WAITING, State.RECORDING])
@pytest.mark.parametrize("granted", [False, True])
def test_an_answer_to_a_question_taken_back_is_none(state: State, *, granted: bool) -> None:
    controller = in_state(state)
    assert controller.answered(granted=granted) is Action.NOTHING
    assert (controller.state, controller.consented) == (state, False)


def test_what_begins_and_ends_by_itself_is_noted() -> None:
    controller = in_state(State.IDLE)
    controller.begin()
    assert press(controller, Wish.ON) is Action.CONFIRM_ON
    controller.ended()
    assert press(controller, Wish.OFF) is Action.CONFIRM_OFF
    controller.ask()
    assert press(controller) is Action.CANCEL
