"""The pace of NOTIFYs, pair by pair (RFC 6665 section 4.2)."""

from sip.subscription_state import PACE, PaceInput, PaceState

WANTED = {
    "QUIET CHANGE TELLING TELL",
    "TELLING CHANGE OWING NOTHING",
    "TELLING ANSWERED RESTING REST",
    "OWING CHANGE OWING NOTHING",
    "OWING ANSWERED WAITING REST",
    "RESTING CHANGE WAITING NOTHING",
    "RESTING RESTED QUIET NOTHING",
    "WAITING CHANGE WAITING NOTHING",
    "WAITING RESTED TELLING TELL",
    *(
        f"{state.name} {given} OVER {action}"
        for state in PaceState
        if state is not PaceState.OVER
        for given, action in (("END", "SAY_GOODBYE"), ("LOST", "FORGET"))
    ),
}


def test_every_pair_is_decided_and_what_is_not_named_changes_nothing() -> None:
    told = set()
    for state in PaceState:
        for given in PaceInput:
            step = PACE[state][given]
            line = f"{state.name} {given.name} {step.state.name} {step.action.name}"
            if line not in WANTED:
                assert line == f"{state.name} {given.name} {state.name} NOTHING"
            told.add(line)
    assert told >= WANTED
