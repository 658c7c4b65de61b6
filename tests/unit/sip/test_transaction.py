"""The tables against a second writing of RFC 3261 figures 5 to 8 and RFC 6026."""

from pathlib import Path

import pytest

from sip.timers import Timers
from sip.transaction import (
    CLIENT_INVITE,
    CLIENT_NON_INVITE,
    MACHINES,
    SERVER_INVITE,
    SERVER_NON_INVITE,
    Action,
    Input,
    Machine,
    Rule,
    State,
    Transaction,
    response_input,
    timer_rules,
)

TABLES = Path(__file__).with_name("transaction_tables.txt").read_text(encoding="ascii")

GRIDS = dict(section.split("\n", 1) for section in TABLES.split("\n== ")[1:])

STARTS = {
    "client INVITE": "CALLING:SEND,START_A,START_B",
    "client non-INVITE": "TRYING:SEND,START_E,START_F",
    "server INVITE": "PROCEEDING:",
    "server non-INVITE": "TRYING:START_GIVE_UP",
}


def read_rule(text: str, state: State) -> Rule:
    if text == ".":
        return Rule(state, ())
    target, _, actions = text.partition(":")
    return Rule(State[target], tuple(Action[name] for name in actions.split(",") if name))


def read_grid(text: str) -> dict[tuple[State, Input], Rule]:
    head, *rows = [line.split() for line in text.strip().splitlines()]
    states = [State[name] for name in head[1:]]
    rules = {}
    for given, *cells in rows:
        assert len(cells) == len(states), given
        for state, cell in zip(states, cells, strict=True):
            rules[state, Input[given]] = read_rule(cell, state)
    return rules


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_and_input_is_decided_as_in_the_figure(machine: Machine) -> None:
    expected = read_grid(GRIDS[machine.name])
    written = {
        (state, given): rule for state, row in machine.table.items() for given, rule in row.items()
    }
    assert written == expected
    assert machine.inputs == {given for _, given in expected}
    assert machine.start == read_rule(STARTS[machine.name], State.TERMINATED)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_is_reached_and_the_end_is_reached_from_everywhere(machine: Machine) -> None:
    after = {state: {rule.state for rule in row.values()} for state, row in machine.table.items()}

    def reachable(state: State) -> set[State]:
        found, new = set[State](), {state}
        while new:
            found |= new
            new = {target for known in new for target in after[known]} - found
        return found

    assert reachable(machine.start.state) == set(machine.table)
    for state in machine.table:
        assert State.TERMINATED in reachable(state)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_started_timer_is_met_by_the_state_it_runs_in(machine: Machine) -> None:
    rules = timer_rules(Timers(), reliable=False)
    starts = [machine.start, *(rule for row in machine.table.values() for rule in row.values())]
    for rule in starts:
        for action in rule.actions:
            if action in rules:
                fired = machine.table[rule.state][rules[action].fires]
                assert fired != Rule(rule.state, ()), (machine.name, action)


def test_feed_moves_and_returns_the_actions() -> None:
    transaction = Transaction(SERVER_INVITE)
    assert transaction.feed(Input.SEND_2XX) == (Action.SEND, Action.START_L)
    assert transaction.state is State.ACCEPTED
    assert transaction.feed(Input.RECEIVE_REQUEST) == ()
    assert transaction.state is State.ACCEPTED


def test_table_4_over_udp() -> None:
    rules = timer_rules(Timers(), reliable=False)
    seconds = {rule.fires.name: rule.seconds for rule in rules.values()}
    seconds["TIMER_E"] = rules[Action.START_E].seconds
    assert seconds == {
        "TIMER_A": 0.5,
        "TIMER_B": 32.0,
        "TIMER_D": 32.0,
        "TIMER_E": 0.5,
        "TIMER_F": 32.0,
        "TIMER_G": 0.5,
        "TIMER_H": 32.0,
        "TIMER_I": 5.0,
        "TIMER_J": 32.0,
        "TIMER_K": 5.0,
        "TIMER_L": 32.0,
        "TIMER_M": 32.0,
        "GIVE_UP": 32.0,
    }
    assert rules[Action.START_E_SLOW].seconds == 4.0


def test_table_4_over_a_reliable_transport() -> None:
    rules = timer_rules(Timers(), reliable=True)
    zero = {rule.fires.name for rule in rules.values() if rule.seconds == 0.0}
    assert zero == {"TIMER_D", "TIMER_I", "TIMER_J", "TIMER_K"}
    udp_only = {rule.fires.name for rule in rules.values() if rule.unreliable_only}
    assert udp_only == {"TIMER_A", "TIMER_E", "TIMER_G"}


@pytest.mark.parametrize(
    ("code", "sent", "given"),
    [
        (100, True, Input.SEND_1XX),
        (199, False, Input.RECEIVE_1XX),
        (200, True, Input.SEND_2XX),
        (299, False, Input.RECEIVE_2XX),
        (300, True, Input.SEND_300_699),
        (699, False, Input.RECEIVE_300_699),
    ],
)
def test_status_codes_are_inputs(code: int, sent: object, given: Input) -> None:
    assert response_input(code, sent=bool(sent)) is given


def test_machines_have_names_of_their_own() -> None:
    assert {machine.name for machine in MACHINES} == set(GRIDS)
    assert CLIENT_INVITE is not CLIENT_NON_INVITE
    assert SERVER_NON_INVITE in MACHINES
