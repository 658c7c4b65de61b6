"""The two tables of INVITE usages, pair by pair."""

import pytest

from sip.errors import LocalProtocolError
from sip.usage_state import CLIENT_USAGE, SERVER_USAGE, Table, UsageInput, UsageState, move

SERVER = {
    "OFFERED PROGRESS RINGING",
    "OFFERED ANSWER ANSWERED",
    "OFFERED END ENDED",
    "RINGING PROGRESS RINGING",
    "RINGING ANSWER ANSWERED",
    "RINGING END ENDED",
    "ANSWERED ACKNOWLEDGE ESTABLISHED",
    "ANSWERED END ENDED",
    "ESTABLISHED ACKNOWLEDGE ESTABLISHED",
    "ESTABLISHED BYE ENDING",
    "ESTABLISHED END ENDED",
    "ENDING ACKNOWLEDGE ENDING",
    "ENDING END ENDED",
    "ENDED END ENDED",
}
CLIENT = {
    "CALLING PROGRESS RINGING",
    "CALLING ANSWER ESTABLISHED",
    "CALLING CANCEL CANCELLING",
    "CALLING END ENDED",
    "RINGING PROGRESS RINGING",
    "RINGING ANSWER ESTABLISHED",
    "RINGING CANCEL CANCELLING",
    "RINGING END ENDED",
    "CANCELLING END ENDED",
    "ESTABLISHED ACKNOWLEDGE ESTABLISHED",
    "ESTABLISHED BYE ENDING",
    "ESTABLISHED END ENDED",
    "ENDING ACKNOWLEDGE ENDING",
    "ENDING END ENDED",
    "ENDED END ENDED",
}


@pytest.mark.parametrize(
    ("table", "wanted"), [(SERVER_USAGE, SERVER), (CLIENT_USAGE, CLIENT)], ids=["server", "client"]
)
def test_every_pair_is_decided(table: Table, wanted: set[str]) -> None:
    allowed = set()
    for state in UsageState:
        for given in UsageInput:
            try:
                following = move(table, state, given)
            except LocalProtocolError:
                continue
            allowed.add(f"{state.name} {given.name} {following.name}")
    assert allowed == wanted
